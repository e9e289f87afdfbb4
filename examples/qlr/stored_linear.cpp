#include <utility>
#include <vector>

#include "../llama/compressed_linear.hpp"
#include "product.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/bind.hpp"

namespace cli {

namespace {

/// Layers with a rate for every column, as `qlr compress` makes them: integer kernels for all of the program's layers
/// would take minutes to compile.
using IntegerLayer = qlr::Transformed<qlr::QplusLR<ColumnRatesQ,
                                                   qlr::Any<Factor<1, qlr::PerColumn>, Factor<2, qlr::PerColumn>,
                                                            Factor<4, qlr::PerColumn>, Factor<8, qlr::PerColumn>>,
                                                   qlr::Any<Factor<1, qlr::PerRow>, Factor<2, qlr::PerRow>,
                                                            Factor<4, qlr::PerRow>, Factor<8, qlr::PerRow>>>,
                                      Rotation, qlr::Hadamard>;

}  // namespace

std::unique_ptr<llama::Linear> stored_linear(const Layer& layer) {
  const std::string type = layer.type_name();
  if (!IntegerLayer::accepts(type)) return decoded_linear(layer);
  const qlr::Extents extents = qlr::extents_of(layer);
  std::vector<qlr::BoundTensor> tensors = qlr::stored_tensors(layer);
  tensors.push_back({qlr::vector_info<std::uint32_t>(qlr::extents_name, qlr::Index(extents.size())), extents.data()});
  return std::make_unique<llama::CompressedLinear<std::unique_ptr<const IntegerLayer>>>(
      std::make_unique<const IntegerLayer>(qlr::value_or_throw(qlr::bind<IntegerLayer>(tensors, type))));
}

}  // namespace cli
