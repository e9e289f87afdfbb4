// expect: qlr::Columns<Qs...>: a segment is a qlr::Quantized or qlr::NoQ
// standard: 17
#include "qlr/format/columns.hpp"

qlr::Columns<qlr::NoQ, qlr::Columns<qlr::Quantizer<2, qlr::PerColumn>>> q;
