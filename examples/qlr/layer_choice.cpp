#include "layer_choice.hpp"

#include <string_view>
#include <vector>

#include "layer_types.hpp"

namespace cli {

namespace {

struct Name {
  std::string_view flag;
  std::string in_type;
};

const std::vector<Name>& grids() {
  static const std::vector<Name> names = {{"uniform", "Uniform"},
                                          {"asymmetric", "UniformAsymmetric"},
                                          {"normal-float", "NormalFloat"},
                                          {"ternary", "Ternary"}};
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
  return {term.type_name(), std::string(qlr::template_name(Grid::name())), Grouping::name(), Grid::code_bits};
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

std::string q_type(const Settings& settings) {
  const std::string& grid = find(grids(), "--grid", settings.grid);
  const std::string& group = find(groups(), "--group", settings.group);
  const std::vector<Candidate> all = candidates(Q());
  for (const Candidate& known : all)
    if (known.bits == settings.q_bits && (known.bits == 0 || (known.grid == grid && known.group == group)))
      return known.type;
  std::string there_is;
  for (const Name& other : groups())
    if (const std::string bits = list_bits(all, grid, other.in_type); !bits.empty())
      there_is += bits + " by " + std::string(other.flag) + "; ";
  throw UsageError("expected --q-bits to be 0 (no Q) or for --grid " + settings.grid + " one of " + there_is + "got " +
                   std::to_string(settings.q_bits) + " by " + settings.group);
}

template <class Any>
std::string factor_type(const Any& factors, int bits) {
  std::string list;
  for (const Candidate& known : candidates(factors)) {
    if (known.bits == bits) return known.type;
    list += (list.empty() ? "" : ", ") + std::to_string(known.bits);
  }
  throw UsageError("expected --factor-bits to be one of " + list + ", got " + std::to_string(bits));
}

}  // namespace

std::string layer_type(const Settings& settings) {
  if (settings.q_bits == 0 && settings.rank == 0)
    throw UsageError("expected --q-bits or --rank above 0, got 0 for both, which stores nothing");
  const std::string rotation = settings.rotate ? qlr::Hadamard().type_name() : qlr::Identity().type_name();
  return "Transformed<QplusLR<" + q_type(settings) + "," + factor_type(L(), settings.factor_bits) + "," +
         factor_type(R(), settings.factor_bits) + ">," + rotation + "," + rotation + ">";
}

std::string known_layers() {
  const std::vector<Candidate> all = candidates(Q());
  std::string list = "NoQ";
  for (const Candidate& known : all)
    if (known.bits > 0 && list.find(known.grid + "<" + std::to_string(known.bits) + ">") == std::string::npos)
      list += ", " + known.grid + "<" + std::to_string(known.bits) + ">";
  return "Q of " + list + ", scales as qlr decompose makes them, L and R of Uniform<1> to Uniform<8> or Fp16";
}

}  // namespace cli
