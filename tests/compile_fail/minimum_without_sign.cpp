// expect: qlr::Quantized<Grid, Grouping, Scale>: a grid with a minimum needs a scale type that stores negative values
// standard: 17
#include "qlr/format/quantized.hpp"

qlr::Quantizer<4, qlr::PerGroup<64>, qlr::UniformAsymmetric, qlr::Log8> q;
