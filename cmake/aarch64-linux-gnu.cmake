# 64-bit ARM from another machine: clang 19, which needs half of g++'s time for the kernels, with the libraries of
# Debian's g++-aarch64-linux-gnu; programs run under qemu-user.
# Header-only packages of the host are usable as they are, so find_package and find_path are not confined.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_C_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
