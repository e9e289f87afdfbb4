# Compiles SOURCE, and compares what happens with what its first line expects.
# usage: cmake -DCOMPILER=... -DFLAGS=... -DSOURCE=... -P check.cmake

cmake_minimum_required(VERSION 3.25)

file(READ ${SOURCE} line)
string(REGEX REPLACE "\n.*" "" line "${line}")
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${COMPILER} ${FLAGS} -fmessage-length=0 -fsyntax-only ${SOURCE}
                RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(line STREQUAL "// expect-success")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "expected that it compiles, came\n${output}")
  endif()
elseif(line MATCHES "^// expect: (.+)$")
  set(sentence "${CMAKE_MATCH_1}")
  if(result EQUAL 0)
    message(FATAL_ERROR "expected an error with \"${sentence}\", but it compiles")
  endif()
  string(FIND "${output}" "${sentence}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "expected an error with \"${sentence}\", came\n${output}")
  endif()
else()
  message(FATAL_ERROR "${SOURCE}: expected a first line \"// expect: <part of the message>\", came \"${line}\"")
endif()
