// expect: qlr::Quantized<Grid, Grouping, Scale>: a group's columns are a multiple of the grid's tile_cols
// standard: 17
#include "qlr/format/quantized.hpp"
#include "qlr/format/trellis.hpp"

qlr::Quantizer<2, qlr::PerBlock<qlr::All, 3>, qlr::Trellis> q;
