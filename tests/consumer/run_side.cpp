#include <qlr/run.hpp>

int main() { return qlr::to_float(qlr::to_half(1.5f)) == 1.5f ? 0 : 1; }
