// expect: qlr::Quantized<Grid, Grouping, Scale>: a grid with a minimum needs a scale type that stores negative values
// standard: 17
#include "qlr/format/quantized.hpp"

qlr::Quantizer<4, qlr::PerTensor, qlr::UniformAsymmetric, qlr::NoScale> q;
