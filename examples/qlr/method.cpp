#include "method.hpp"

#include <cstddef>
#include <utility>

#include "layer_choice.hpp"
#include "weight.hpp"

namespace cli {

namespace {

struct MethodName {
  const char* name;
  Method method;
};
constexpr MethodName method_names[] = {{"rates", Method::rates}, {"caldera", Method::caldera},
                                       {"e8", Method::e8},       {"ldlq", Method::ldlq},
                                       {"lorc", Method::lorc},   {"nearest", Method::nearest}};

/// What the flags of `qlr decompose` would be, but for the bits.
Settings settings_of(Method method, Settings settings) {
  if (method == Method::rates) return settings;
  const bool on_lattice = method == Method::caldera || method == Method::e8;
  settings.grid = on_lattice ? "e8" : "uniform";
  settings.group = on_lattice ? "row" : "64";
  settings.rotate = on_lattice;
  if (method == Method::caldera) settings.factor_bits = 4;
  if (method == Method::lorc) settings.factor_bits = 16;
  if (method == Method::e8 || method == Method::ldlq || method == Method::nearest) settings.rank = 0;
  return settings;
}

/// Relative proxy loss under the Hessian of all inputs of what was made, whatever it was made for.
double loss_of(const Layer& layer, const qlr::Matrix& w, const qlr::Matrix& h, int threads) {
  return qlr::relative_proxy_loss(w, qlr::detail::decoded(layer), h, threads);
}

/// The widths of methods that have several.
int narrowest(Method method) { return method == Method::e8 ? 2 : 1; }
int widest(Method method) { return method == Method::e8 ? 4 : 6; }

/// A rate for every column: any bits, in eighths around those that are asked for on average, as far as they are spent.
std::vector<Way> rated_ways(const Settings& settings, double bits, const qlr::Matrix& w,
                            const std::vector<qlr::Hessian>& folds) {
  constexpr double step = 0.125;
  constexpr int fewer = 12;
  constexpr int more = 16;
  std::vector<double> choices;
  for (int k = -fewer; k <= more; ++k)
    if (bits + k * step > 0) choices.push_back(bits + k * step);
  Settings here = settings;
  here.bits = bits;
  std::vector<Way> result;
  for (const qlr::ExpectedLoss& expected : expected_losses(here, w, folds, choices)) {
    if (!(expected.loss < 1)) continue;
    here.bits = expected.bits;
    result.push_back({Method::rates, here, expected.bits, expected.loss});
  }
  return result;
}

}  // namespace

Method find_method(const std::string& name) {
  std::string list;
  for (const MethodName& known : method_names) {
    if (known.name == name) return known.method;
    list += (list.empty() ? "" : ", ") + std::string(known.name);
  }
  throw UsageError("expected --method to be one of " + list + ", got " + name);
}

bool has_one_way(Method method) { return method == Method::caldera || method == Method::lorc; }

Way way_again(Method method, const Settings& settings, double asked, std::size_t number, double bits, double loss) {
  Way way{method, settings_of(method, settings), bits, loss};
  if (method == Method::rates)
    way.settings.bits = bits;
  else if (has_one_way(method))
    way.settings.bits = asked;
  else
    way.settings.q_bits = narrowest(method) + int(number);
  return way;
}

std::vector<Way> ways(Method method, const Settings& settings, double bits, const qlr::Matrix& w,
                      const std::vector<qlr::Hessian>& folds) {
  if (method == Method::rates) return rated_ways(settings_of(method, settings), bits, w, folds);
  const qlr::Matrix h = qlr::merged(folds).matrix();
  const std::size_t count = has_one_way(method) ? 1 : std::size_t(widest(method) - narrowest(method) + 1);
  std::vector<Way> result;
  for (std::size_t number = 0; number < count; ++number) {
    Way way = way_again(method, settings, bits, number, 0, 0);
    const qlr::Decomposition<Layer> made = make(way, w, folds);
    way.bits = made.report.bits_per_weight;
    way.loss = loss_of(*made.layer, w, h, settings.threads);
    result.push_back(std::move(way));
  }
  return result;
}

Way widest_way(Method method, const Settings& settings, double bits, qlr::Index rows, qlr::Index cols) {
  if (method == Method::rates || has_one_way(method)) {
    const Way way = way_again(method, settings, bits, 0, bits, 0);
    expect_a_layer(way.settings, rows, cols);
    return way;
  }
  for (int width = widest(method); width >= narrowest(method); --width) {
    Way way = way_again(method, settings, bits, std::size_t(width - narrowest(method)), 0, 0);
    way.bits = bits_of(possible_layers(way.settings, rows, cols).front(), rows, cols);
    if (way.bits <= bits) return way;
  }
  throw UsageError("expected --bits to allow for the narrowest Q of the method, got " + std::to_string(bits));
}

qlr::Decomposition<Layer> make(const Way& way, const qlr::Matrix& w, std::vector<qlr::Hessian> folds) {
  if (way.method == Method::lorc) return decompose_as_lorc(way.settings, w);
  if (way.method == Method::nearest) folds = {qlr::Hessian::from_matrix(qlr::Matrix::Identity(w.cols(), w.cols()))};
  return decompose_weight(way.settings, w, std::move(folds));
}

}  // namespace cli
