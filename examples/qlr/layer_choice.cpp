#include "layer_choice.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "layer_types.hpp"

namespace cli {

double bits_of(const LayerChoice& choice, qlr::Index rows, qlr::Index cols) {
  const qlr::Extents extents = {std::uint32_t(rows), std::uint32_t(cols), std::uint32_t(choice.rank)};
  return qlr::value_or_throw(qlr::shape_layer<Layer>(choice.type, extents)).bits_per_weight();
}

namespace {

struct Name {
  std::string_view flag;
  std::string in_type;
};

const std::vector<Name>& grids() {
  static const std::vector<Name> names = {{"uniform", "Uniform"},          {"asymmetric", "UniformAsymmetric"},
                                          {"normal-float", "NormalFloat"}, {"ternary", "Ternary"},
                                          {"trellis", "TrellisStep"},      {"e8", "E8"}};
  return names;
}

const std::vector<Name>& groups() {
  static const std::vector<Name> names = {{"tensor", qlr::PerTensor::name()},
                                          {"row", qlr::PerRow::name()},
                                          {"column", qlr::PerColumn::name()},
                                          {"64", qlr::PerGroup<64>::name()}};
  return names;
}

/// A type that may stand in the place of Q, L or R.
struct Candidate {
  std::string type;
  std::string grid;  ///< empty if nothing is stored
  std::string group;
  int bits = 0;
};

template <class Grid, class Grouping, class Scale>
Candidate candidate(const qlr::Quantized<Grid, Grouping, Scale>& term) {
  return {term.type_name(), std::string(qlr::template_name(Grid::name())), Grouping::name(),
          Grid::code_bits / Grid::tile_cols};
}
template <class... Qs>
Candidate candidate(const qlr::Columns<Qs...>& term) {
  return {term.type_name(), "Columns", "", -1};
}
template <qlr::Index Rank, class Storage>
Candidate candidate(const qlr::LowRankFactor<Rank, Storage>& factor) {
  Candidate result = candidate(factor.term());
  result.type = factor.type_name();
  return result;
}
Candidate candidate(const qlr::NoQ& none) { return {none.type_name(), "", "", 0}; }

template <class... Types>
std::vector<Candidate> candidates(const qlr::Any<Types...>&) {
  return {candidate(Types())...};
}

const std::string& find(const std::vector<Name>& names, const char* option, const std::string& flag) {
  std::string list;
  for (const Name& name : names) {
    if (name.flag == flag) return name.in_type;
    list += (list.empty() ? "" : ", ") + std::string(name.flag);
  }
  throw UsageError(std::string("expected ") + option + " to be one of " + list + ", got " + flag);
}

/// "1, 2, 3"
std::string list_bits(const std::vector<Candidate>& all, const std::string& grid, const std::string& group) {
  std::string list;
  for (const Candidate& known : all)
    if (known.grid == grid && known.group == group) list += (list.empty() ? "" : ", ") + std::to_string(known.bits);
  return list;
}

/// Scales that suit a grid: a trellis runs down the columns.
std::string usual_group(const std::string& grid) { return grid == "trellis" ? "column" : "row"; }

std::string q_type(const Settings& settings, int q_bits) {
  const std::string grid_flag = settings.grid.value_or("uniform");
  const std::string group_flag = settings.group.value_or(usual_group(grid_flag));
  const std::string& grid = find(grids(), "--grid", grid_flag);
  const std::string& group = find(groups(), "--group", group_flag);
  const std::vector<Candidate> all = candidates(Q());
  for (const Candidate& known : all)
    if (known.bits == q_bits && (known.bits == 0 || (known.grid == grid && known.group == group))) return known.type;
  std::string there_is;
  for (const Name& other : groups())
    if (const std::string bits = list_bits(all, grid, other.in_type); !bits.empty())
      there_is += bits + " by " + std::string(other.flag) + "; ";
  throw UsageError("expected --q-bits to be 0 (no Q) or for --grid " + grid_flag + " one of " + there_is + "got " +
                   std::to_string(q_bits) + " by " + group_flag);
}

/// The width that was asked for, or those that the grid and the group have, falling.
std::vector<int> q_widths(const Settings& settings) {
  if (settings.q_bits) return {*settings.q_bits};
  const std::string grid_flag = settings.grid.value_or("uniform");
  const std::string& grid = find(grids(), "--grid", grid_flag);
  const std::string& group = find(groups(), "--group", settings.group.value_or(usual_group(grid_flag)));
  std::vector<int> result;
  for (const Candidate& known : candidates(Q()))
    if (known.grid == grid && known.group == group) result.push_back(known.bits);
  std::sort(result.rbegin(), result.rend());
  return result;
}

template <class Any>
std::string factor_type(const Any& factors, int bits) {
  std::string list;
  for (const Candidate& known : candidates(factors)) {
    if (known.bits == bits) return known.type;
    if (known.bits < 0) continue;
    list += (list.empty() ? "" : ", ") + std::to_string(known.bits);
  }
  throw UsageError("expected --factor-bits to be one of " + list + ", got " + std::to_string(bits));
}

/// The transform of W's left side, and usually of its right side.
std::string rotation(const Settings& settings) {
  return settings.rotate ? qlr::Hadamard().type_name() : qlr::Identity().type_name();
}

std::string layer_type(const Settings& settings, const std::string& q, const std::string& l, const std::string& r,
                       const std::string& in) {
  return "Transformed<QplusLR<" + q + "," + l + "," + r + ">," + in + "," + rotation(settings) + ">";
}

std::string layer_type(const Settings& settings, const std::string& q, const std::string& in, int factor_bits) {
  return layer_type(settings, q, factor_type(L(), factor_bits), factor_type(R(), factor_bits), in);
}

[[noreturn]] void refuse_bits(const Settings& settings) {
  throw UsageError("expected --bits to allow for the Q and the rank that were asked for, got " +
                   std::to_string(*settings.bits));
}

/// The largest rank that fits into `bits`, or none.
std::optional<qlr::Index> largest_rank(LayerChoice choice, double bits, qlr::Index rows, qlr::Index cols) {
  std::optional<qlr::Index> best;
  qlr::Index low = 0;
  qlr::Index high = std::min(rows, cols);
  while (low <= high) {
    choice.rank = (low + high) / 2;
    if (bits_of(choice, rows, cols) <= bits) {
      best = choice.rank;
      low = choice.rank + 1;
    } else {
      high = choice.rank - 1;
    }
  }
  return best;
}

}  // namespace

std::vector<LayerChoice> possible_layers(const Settings& settings, qlr::Index rows, qlr::Index cols) {
  constexpr std::size_t most = 2;
  constexpr int usual_factor_bits = 4;
  constexpr qlr::Index usual_rank = 32;
  const auto choice_of = [&](int q_bits) {
    return LayerChoice{layer_type(settings, q_type(settings, q_bits), rotation(settings),
                                  settings.factor_bits.value_or(usual_factor_bits)),
                       settings.rank.value_or(std::min({usual_rank, rows, cols}))};
  };
  if (!settings.bits) {
    const int q_bits = settings.q_bits.value_or(2);
    if (q_bits == 0 && settings.rank == 0)
      throw UsageError("expected --q-bits or --rank above 0, got 0 for both, which stores nothing");
    return {choice_of(q_bits)};
  }
  std::vector<LayerChoice> possible;
  for (const int q_bits : q_widths(settings)) {
    LayerChoice choice = choice_of(q_bits);
    if (settings.rank) {
      if (bits_of(choice, rows, cols) <= *settings.bits) possible.push_back(choice);
    } else if (const auto rank = largest_rank(choice, *settings.bits, rows, cols); rank && (q_bits > 0 || *rank > 0)) {
      choice.rank = *rank;
      possible.push_back(choice);
    }
    if (possible.size() == (settings.rank ? 1 : most)) break;
  }
  if (!possible.empty()) return possible;
  refuse_bits(settings);
}

std::vector<std::string> direction_types(const Settings& settings, qlr::Index rows, qlr::Index cols) {
  constexpr std::size_t most = 2;
  constexpr int right_bits[] = {1, 2, 4};
  std::vector<std::string> types;
  std::size_t fitting = 0;
  for (const int q_bits : q_widths(settings)) {
    const std::string q = q_type(settings, q_bits);
    if (bits_of({layer_type(settings, q, rotation(settings), 1)}, rows, cols) > *settings.bits) continue;
    for (const int bits : right_bits)
      types.push_back(layer_type(settings, q, DirectionsL().type_name(), factor_type(R(), bits), rotation(settings)));
    if (++fitting == most) break;
  }
  if (types.empty()) refuse_bits(settings);
  return types;
}

std::vector<std::string> column_rates_types(const Settings& settings) {
  const std::vector<int> usual = {2, 1, 4, 8};
  std::vector<std::string> types;
  for (const std::string& in : {qlr::Identity().type_name(), qlr::Hadamard().type_name()}) {
    if (!settings.rotate && in != qlr::Identity().type_name()) continue;
    for (const int factor_bits : settings.factor_bits ? std::vector<int>{*settings.factor_bits} : usual)
      types.push_back(layer_type(settings, ColumnRatesQ().type_name(), in, factor_bits));
  }
  return types;
}

std::string known_layers() {
  const std::vector<Candidate> all = candidates(Q());
  std::string list = "NoQ";
  for (const Candidate& known : all)
    if (known.bits > 0 && list.find(known.grid + "<" + std::to_string(known.bits) + ">") == std::string::npos)
      list += ", " + known.grid + "<" + std::to_string(known.bits) + ">";
  return "Q of " + list +
         " or columns at rates of their own, scales as qlr decompose makes them, L and R of Uniform<1> to Uniform<8> "
         "or Fp16, or L of columns at widths of their own";
}

}  // namespace cli
