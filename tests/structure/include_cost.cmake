# Preprocesses a header of the run side; refuses more lines than LIMIT, and any way to Eigen or the compress side.
# usage: cmake -DCOMPILER=... -DFLAGS=... -DHEADER=... -DLIMIT=... -DOUTPUT=... -P include_cost.cmake

cmake_minimum_required(VERSION 3.25)

execute_process(COMMAND ${COMPILER} -std=c++17 ${FLAGS} -E -x c++ ${HEADER} -o ${OUTPUT} RESULT_VARIABLE result
                ERROR_VARIABLE error)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${HEADER} does not preprocess\n${error}")
endif()
file(READ ${OUTPUT} text)
string(REGEX REPLACE "[^\n]+" "" newlines "${text}")
string(LENGTH "${newlines}" lines)
message("${HEADER}: ${lines} preprocessed lines, at most ${LIMIT}")
if(lines GREATER LIMIT)
  message(FATAL_ERROR "expected at most ${LIMIT} lines, came ${lines}")
endif()

file(STRINGS ${OUTPUT} files REGEX "^# [0-9]+ \"[^<]")
include(${CMAKE_CURRENT_LIST_DIR}/sides.cmake)
list(JOIN compress_side "|" folders)
set(forbidden "/(Eigen|qlr/(${folders}))/")
foreach(file IN LISTS files)
  if(file MATCHES "${forbidden}")
    message(FATAL_ERROR "the run side reaches ${file}")
  endif()
endforeach()
