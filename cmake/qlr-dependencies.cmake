# How qlr finds what it needs: used by its own build and, installed, by find_package(qlr).

# Defines qlr::xsimd: the headers alone, since some distributions' xsimd target links a library that they do not ship.
# Extra arguments (GLOBAL) go to add_library.
macro(qlr_find_xsimd)
  if(NOT TARGET qlr::xsimd)
    find_path(QLR_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp DOC "The directory that contains xsimd/xsimd.hpp")
    if(QLR_XSIMD_INCLUDE_DIR)
      add_library(qlr::xsimd INTERFACE IMPORTED ${ARGN})
      target_include_directories(qlr::xsimd INTERFACE "${QLR_XSIMD_INCLUDE_DIR}")
    endif()
  endif()
endmacro()

# Defines Eigen3::Eigen, 3.4 or newer. No version is asked for, since Eigen 5 would not answer to it.
# Extra arguments (GLOBAL) go to find_package.
macro(qlr_find_eigen)
  if(NOT TARGET Eigen3::Eigen)
    find_package(Eigen3 CONFIG QUIET ${ARGN})
    if(Eigen3_FOUND AND Eigen3_VERSION VERSION_LESS 3.4)
      set(Eigen3_FOUND FALSE)
    endif()
  endif()
endmacro()

# Defines qlr::blas: large products of the compress side are the BLAS's. It has to run on the caller's thread alone, or
# results depend on its number of threads (OPENBLAS_NUM_THREADS=1, MKL_NUM_THREADS=1).
# Extra arguments (GLOBAL) go to add_library.
macro(qlr_use_blas)
  if(NOT TARGET qlr::blas)
    find_package(BLAS REQUIRED)
    add_library(qlr::blas INTERFACE IMPORTED ${ARGN})
    target_compile_definitions(qlr::blas INTERFACE EIGEN_USE_BLAS)
    target_link_libraries(qlr::blas INTERFACE BLAS::BLAS)
  endif()
endmacro()
