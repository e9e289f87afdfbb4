# 64-bit ARM from another machine, with Debian's g++-aarch64-linux-gnu; programs run under qemu-user.
# Header-only packages of the host are usable as they are, so find_package and find_path are not confined.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
