// expect: qlr::Sparse24<Grid>: Grid has 1 or 2 bits
// standard: 17
#include "qlr/format/quantized.hpp"
#include "qlr/format/sparse24.hpp"

qlr::Quantized<qlr::Sparse24<qlr::Uniform<3>>, qlr::PerRow> q;
