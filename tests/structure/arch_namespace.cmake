# Every header's names are in the inline namespace of the instruction set (qlr/core/arch.hpp).
# usage: cmake -DINCLUDE_DIR=<directory that contains qlr/> -P arch_namespace.cmake

cmake_minimum_required(VERSION 3.25)

set(failed FALSE)
file(GLOB_RECURSE headers RELATIVE ${INCLUDE_DIR} ${INCLUDE_DIR}/qlr/*.hpp)
foreach(header IN LISTS headers)
  file(READ ${INCLUDE_DIR}/${header} text)
  string(REPLACE "\nnamespace qlr {\ninline namespace QLR_ARCH {\n" "" rest "${text}")
  if(rest MATCHES "\n(inline )?namespace qlr")
    message("include/${header}: expected namespace qlr to begin with: inline namespace QLR_ARCH {")
    set(failed TRUE)
  elseif(NOT rest STREQUAL text AND NOT text MATCHES "\n#include \"qlr/core/arch.hpp\"\n")
    message("include/${header}: expected #include \"qlr/core/arch.hpp\"")
    set(failed TRUE)
  endif()
endforeach()

if(failed)
  message(FATAL_ERROR "names that units for several instruction sets would share")
endif()
