#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/rule.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// In the place of Q: a matrix term of zeros that stores nothing.
class NoQ {
 public:
  static constexpr bool is_absent = true;

  std::string type_name() const { return "NoQ"; }
  static bool accepts(std::string_view name) { return name == "NoQ"; }
  static std::string expected_type() { return "NoQ"; }
  static Result<NoQ> shaped(std::string_view, Index rows, Index cols, ExtentReader&) {
    NoQ term;
    term.rows_ = rows;
    term.cols_ = cols;
    return term;
  }
  void append_extents(Extents&) const {}
  Status check() const { return {}; }

  Index rows() const noexcept { return rows_; }
  Index cols() const noexcept { return cols_; }
  void add_decoded_rows(Index, Index, MatrixView<float>) const noexcept {}

  template <class Visitor>
  void visit_tensors(Visitor&, const std::string&) {}

 private:
  Index rows_ = 0;
  Index cols_ = 0;
};

namespace detail {

template <class Term, class = void>
inline constexpr bool is_absent = false;
template <class Term>
inline constexpr bool is_absent<Term, std::void_t<decltype(Term::is_absent)>> = Term::is_absent;

}  // namespace detail

/// What = Q + L R: Q a matrix term (m,n) or NoQ, L (m,r) and R (r,n) LowRankFactors or both NoLR. A view.
template <class Q_, class L_ = NoLR, class R_ = L_>
class QplusLR : public LayerOperations<QplusLR<Q_, L_, R_>> {
 public:
  using Q = Q_;
  using L = L_;
  using R = R_;

  static_assert(rule::BothFactorsOrNeither<detail::is_absent<L>, detail::is_absent<R>>::value,
                "qlr::QplusLR<Q, L, R>: L and R are both LowRankFactors or both qlr::NoLR");
  static_assert(rule::RanksAgree < L::static_rank, R::static_rank,
                !detail::is_absent<L> && !detail::is_absent < R >> ::value,
                "qlr::QplusLR<Q, L, R>: L and R have the same Rank");
  static_assert(rule::SomethingIsStored<detail::is_absent<Q>, detail::is_absent<L>>::value,
                "qlr::QplusLR<Q, L, R>: a layer of qlr::NoQ and qlr::NoLR stores nothing");

  static constexpr bool has_factors = !detail::is_absent<L>;
  static constexpr Index static_rank = L::static_rank;

  std::string type_name() const {
    return "QplusLR<" + q_.type_name() + "," + l_.type_name() + "," + r_.type_name() + ">";
  }
  static bool accepts(std::string_view name) {
    const auto arguments = template_arguments(name);
    return template_name(name) == "QplusLR" && arguments.size() == 3 && Q::accepts(arguments[0]) &&
           L::accepts(arguments[1]) && R::accepts(arguments[2]);
  }

  static std::string expected_type() {
    return "QplusLR<" + Q::expected_type() + "," + L::expected_type() + "," + R::expected_type() + ">";
  }

  /// Reads the rank, then what Q, L and R ask for.
  static Result<QplusLR> shaped(std::string_view name, Index rows, Index cols, ExtentReader& extents) {
    const auto arguments = template_arguments(name);
    Result<Index> rank = extents.next("rank");
    if (!rank.ok()) return rank.error();
    QplusLR layer;
    layer.rank_ = *rank;
    Result<Q> q = Q::shaped(arguments[0], rows, cols, extents);
    if (!q.ok()) return q.error();
    Result<L> l = L::shaped(arguments[1], rows, *rank, extents);
    if (!l.ok()) return l.error();
    Result<R> r = R::shaped(arguments[2], *rank, cols, extents);
    if (!r.ok()) return r.error();
    if (!l->allows_rank(*rank) || !r->allows_rank(*rank))
      return Error{"expected the rank of " + std::string(arguments[1]) + " and " + std::string(arguments[2]) +
                   ", got " + std::to_string(*rank)};
    layer.q_ = *q;
    layer.l_ = *l;
    layer.r_ = *r;
    return layer;
  }
  void append_extents(Extents& extents) const {
    extents.push_back(std::uint32_t(rank_));
    q_.append_extents(extents);
    l_.append_extents(extents);
    r_.append_extents(extents);
  }
  Status check() const {
    Status status = q_.check();
    if (status.ok()) status = l_.check();
    return status.ok() ? r_.check() : status;
  }

  QplusLR() = default;

  Index rows() const noexcept { return q_.rows(); }
  Index cols() const noexcept { return q_.cols(); }
  Index rank() const noexcept { return rank_; }
  const Q& q() const noexcept { return q_; }
  const L& l() const noexcept { return l_; }
  const R& r() const noexcept { return r_; }

  /// Floats of scratch that decode_rows needs: R, and one row of L.
  Index decode_scratch_floats() const noexcept { return rank_ * cols() + rank_; }

  /// out(i - i0, j) = What(i,j) for i in [i0, i1). Decodes R anew at each call: ask for many rows at once.
  /// @pre scratch has decode_scratch_floats() floats
  void decode_rows(Index i0, Index i1, MatrixView<float> out, float* scratch) const noexcept {
    for (Index i = i0; i < i1; ++i) std::fill_n(out.row(i - i0), cols(), 0.0f);
    q_.add_decoded_rows(i0, i1, out);
    if constexpr (has_factors) {
      const MatrixView<float> right(scratch, rank_, cols());
      const MatrixView<float> left(scratch + rank_ * cols(), 1, rank_);
      std::fill_n(scratch, rank_ * cols(), 0.0f);
      r_.add_decoded_rows(0, rank_, right);
      for (Index i = i0; i < i1; ++i) {
        std::fill_n(left.data, rank_, 0.0f);
        l_.add_decoded_rows(i, i + 1, left);
        float* row = out.row(i - i0);
        for (Index k = 0; k < rank_; ++k)
          for (Index j = 0; j < cols(); ++j) row[j] += left.data[k] * right(k, j);
      }
    }
  }

  /// The whole matrix. @pre as decode_rows
  void decode(MatrixView<float> out, float* scratch) const noexcept { decode_rows(0, rows(), out, scratch); }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    q_.visit_tensors(visitor, prefix + "q.");
    l_.visit_tensors(visitor, prefix + "l.");
    r_.visit_tensors(visitor, prefix + "r.");
  }

 private:
  Q q_;
  L l_;
  R r_;
  Index rank_ = 0;
};

}  // namespace QLR_ARCH
}  // namespace qlr
