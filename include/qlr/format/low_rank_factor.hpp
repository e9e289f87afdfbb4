#pragma once

#include <string>
#include <string_view>

#include "qlr/core/arch.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/format/rule.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

template <class Storage>
struct StorageTerm {
  using type = Storage;
};
template <>
struct StorageTerm<Fp16> {
  using type = DenseFp16;
};
template <>
struct StorageTerm<Bf16> {
  using type = DenseBf16;
};
template <>
struct StorageTerm<Float> {
  using type = DenseFloat;
};

}  // namespace detail

/// A thin matrix term: L with Rank columns or R with Rank rows, depending on its place in QplusLR. Storage is a matrix
/// term (a Quantizer) or one of Fp16, Bf16, Float; Rank may be Dynamic.
template <Index Rank, class Storage>
class LowRankFactor : public detail::StorageTerm<Storage>::type {
 public:
  using Term = typename detail::StorageTerm<Storage>::type;
  static constexpr Index static_rank = Rank;
  static constexpr bool is_absent = false;

  static_assert(rule::RankIsNotNegativeOrDynamic<Rank, Dynamic>::value,
                "qlr::LowRankFactor<Rank, Storage>: Rank is not negative, or qlr::Dynamic");

  std::string type_name() const { return prefix() + Term::type_name() + ">"; }
  static bool accepts(std::string_view name) {
    const auto arguments = template_arguments(name);
    return template_name(name) == "LowRankFactor" && arguments.size() == 2 && arguments[0] == rank_name() &&
           Term::accepts(arguments[1]);
  }

  static std::string expected_type() { return prefix() + Term::expected_type() + ">"; }

  /// Whether a QplusLR of that rank may hold this type.
  static constexpr bool allows_rank(Index rank) noexcept { return Rank == Dynamic || Rank == rank; }

  static Result<LowRankFactor> shaped(std::string_view name, Index rows, Index cols, ExtentReader& extents) {
    Result<Term> term = Term::shaped(template_arguments(name)[1], rows, cols, extents);
    if (!term.ok()) return term.error();
    return LowRankFactor(*term);
  }

  LowRankFactor() = default;

  const Term& term() const noexcept { return *this; }

 private:
  explicit LowRankFactor(const Term& term) : Term(term) {}

  static std::string rank_name() { return Rank == Dynamic ? "Dynamic" : std::to_string(Rank); }
  static std::string prefix() { return "LowRankFactor<" + rank_name() + ","; }
};

/// In the place of L and of R: no low-rank part.
class NoLR {
 public:
  static constexpr Index static_rank = 0;
  static constexpr bool is_absent = true;

  std::string type_name() const { return "NoLR"; }
  static bool accepts(std::string_view name) { return name == "NoLR"; }
  static std::string expected_type() { return "NoLR"; }
  static constexpr bool allows_rank(Index rank) noexcept { return rank == 0; }
  static Result<NoLR> shaped(std::string_view, Index rows, Index cols, ExtentReader&) {
    NoLR factor;
    factor.rows_ = rows;
    factor.cols_ = cols;
    return factor;
  }
  void append_extents(Extents&) const {}
  Status check() const { return {}; }

  Index rows() const noexcept { return rows_; }
  Index cols() const noexcept { return cols_; }

  template <class Visitor>
  void visit_tensors(Visitor&, const std::string&) {}

 private:
  Index rows_ = 0;
  Index cols_ = 0;
};

}  // namespace QLR_ARCH
}  // namespace qlr
