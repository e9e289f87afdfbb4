// <qlr/qlr.hpp> takes g++ 12 some forty seconds to compile: find_package alone does it
#include <qlr/core/eigen.hpp>

int main() {
  const float w[] = {1, 2, 3, 4};
  const qlr::Matrix matrix = qlr::to_matrix(qlr::MatrixView<const float>(w, 2, 2));
  return matrix(1, 0) == 3 ? 0 : 1;
}
