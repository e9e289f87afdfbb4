// expect: qlr::Sparse24<Grid>: Grid has one weight a code and no minimum
// standard: 17
#include "qlr/format/quantized.hpp"
#include "qlr/format/sparse24.hpp"

qlr::Quantized<qlr::Sparse24<qlr::UniformAsymmetric<2>>, qlr::PerRow> q;
