// expect: a block must be a multiple of 16 rows
// standard: 17
#include "qlr/format/packing.hpp"

qlr::Packing<4, 24> packing;
