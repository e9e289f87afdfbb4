// expect: qlr::Columns<Qs...>: there are 1 to 16 segments
// standard: 17
#include "qlr/format/columns.hpp"

qlr::Columns<> q;
