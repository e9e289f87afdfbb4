// expect: qlr::Any<Types...>: there is at least one type
// standard: 17
#include "qlr/format/any.hpp"

qlr::AnyLayer<> layer;
