# Flags of qlr's own programs (tests, benchmarks, examples); never exported.
include(CheckCXXCompilerFlag)

set(CMAKE_CXX_EXTENSIONS OFF)

# Warnings and sanitizers.
add_library(qlr_program INTERFACE)
target_compile_options(qlr_program INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
                                             $<$<BOOL:${QLR_WARNINGS_AS_ERRORS}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # no collection of garbage within 4 GB, twice this heap: after one, kernels take up to 1.7 times as long
  target_compile_options(qlr_program INTERFACE "SHELL:--param ggc-min-heapsize=2097152")
  # so memory may be what limits how many can run at once
  cmake_host_system_information(RESULT memory QUERY TOTAL_PHYSICAL_MEMORY)
  math(EXPR jobs "1 + ${memory} / 4096")
  set_property(GLOBAL APPEND PROPERTY JOB_POOLS compile=${jobs})
  set(CMAKE_JOB_POOL_COMPILE compile)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # false alarms of its AVX-512 intrinsics: https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593
  target_compile_options(qlr_program INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # a false alarm about std::stable_sort of g++ 12's standard library, which silences only g++
  target_compile_options(qlr_program INTERFACE -Wno-deprecated-declarations)
endif()
if(QLR_SANITIZE)
  set(sanitize -fsanitize=${QLR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(QLR_SANITIZE MATCHES "address")
    # it finds what these find, and they make kernels take five times as long to compile
    list(APPEND sanitize -fno-sanitize=null,object-size,pointer-overflow)
  endif()
  target_compile_options(qlr_program INTERFACE ${sanitize})
  target_link_options(qlr_program INTERFACE ${sanitize})
endif()

# The instruction set of the machine that builds.
add_library(qlr_native INTERFACE)
if(QLR_NATIVE)
  check_cxx_compiler_flag(-march=native QLR_HAS_MARCH_NATIVE)
  if(QLR_HAS_MARCH_NATIVE)
    target_compile_options(qlr_native INTERFACE -march=native)
    # clang 19 warns of features that it finds on some CPUs itself
    check_cxx_compiler_flag(-Winvalid-feature-combination QLR_HAS_WINVALID_FEATURE_COMBINATION)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND QLR_HAS_WINVALID_FEATURE_COMBINATION)
      target_compile_options(qlr_native INTERFACE -Wno-invalid-feature-combination)
    endif()
  else()
    target_compile_options(qlr_native INTERFACE -mcpu=native)
  endif()
endif()

# Tests and examples: compile quickly, still at some speed.
add_library(qlr_test_program INTERFACE)
target_compile_options(qlr_test_program INTERFACE $<$<CONFIG:Release>:-O1>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(qlr_test_program INTERFACE -fno-tree-pta)  # an eighth of the time for kernels
  # beyond its limit for large functions, what kernels call is inlined after the first passes, which is slow
  target_compile_options(qlr_test_program INTERFACE "SHELL:--param large-function-insns=1000000")
endif()
target_link_libraries(qlr_test_program INTERFACE qlr_program)
