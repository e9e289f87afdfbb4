# What belongs to which side.
set(run_side core format kernel io)
set(compress_side calibration transform rounding factorization decomposition model)
# core is one folder for both sides; these headers of it are not for the run side
set(compress_core_headers qlr/core/eigen.hpp qlr/core/expect.hpp qlr/core/parallel.hpp
    qlr/core/product.hpp)
