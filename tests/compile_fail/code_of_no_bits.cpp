// expect: a code must have 1 to 32 bits
// standard: 17
#include "qlr/format/packing.hpp"

qlr::Packing<0> packing;
