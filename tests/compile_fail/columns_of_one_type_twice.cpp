// expect: qlr::Columns<Qs...>: no type is there twice
// standard: 17
#include "qlr/format/columns.hpp"
#include "qlr/format/trellis.hpp"

using Two = qlr::Quantizer<2, qlr::PerColumn, qlr::Trellis>;
qlr::Columns<Two, qlr::NoQ, qlr::Quantized<qlr::TrellisStep<8, 4>, qlr::PerBlock<qlr::All, 1>>> q;
