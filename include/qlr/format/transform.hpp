#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/tensor.hpp"
#include "qlr/format/walsh_hadamard.hpp"

/// Invertible linear maps T of a vector, cheap to apply and to store: how a layer's inputs and outputs change
/// coordinates.
///
/// A transform is a view of length() entries with apply (x := T x), apply_inverse (x := T^(-1) x), apply_transpose
/// (x := T^T x) and apply_inverse_transpose (x := T^(-T) x), each in place with length() entries of scratch;
/// `is_orthogonal` says that the two in the middle agree, and so the two at the ends.
/// is_identity() says that nothing changes; check() looks at what is stored and says what is wrong with it.
namespace qlr {
inline namespace QLR_ARCH {

/// T x = x.
class Identity {
 public:
  static constexpr bool is_orthogonal = true;

  std::string type_name() const { return "Identity"; }
  static bool accepts(std::string_view name) { return name == "Identity"; }
  static std::string expected_type() { return "Identity"; }
  static Result<Identity> shaped(std::string_view, Index length, ExtentReader&) {
    Identity transform;
    transform.length_ = length;
    return transform;
  }
  void append_extents(Extents&) const {}
  Status check() const { return {}; }

  Index length() const noexcept { return length_; }
  bool is_identity() const noexcept { return true; }
  template <class T>
  void apply(T*, T*) const noexcept {}
  template <class T>
  void apply_inverse(T*, T*) const noexcept {}
  template <class T>
  void apply_transpose(T*, T*) const noexcept {}
  template <class T>
  void apply_inverse_transpose(T*, T*) const noexcept {}

  template <class Visitor>
  void visit_tensors(Visitor&, const std::string&) {}

 private:
  Index length_ = 0;
};

/// A randomized Walsh-Hadamard rotation of any length (walsh_hadamard.hpp); 64 bits of seed are all that is stored.
class Hadamard {
 public:
  static constexpr bool is_orthogonal = true;

  std::string type_name() const { return "Hadamard"; }
  static bool accepts(std::string_view name) { return name == "Hadamard"; }
  static std::string expected_type() { return "Hadamard"; }
  static Result<Hadamard> shaped(std::string_view, Index length, ExtentReader&) {
    Hadamard transform;
    transform.length_ = length;
    return transform;
  }
  void append_extents(Extents&) const {}
  Status check() const { return {}; }

  Index length() const noexcept { return length_; }
  bool is_identity() const noexcept { return false; }
  std::uint64_t seed() const noexcept { return *seed_; }
  const std::uint64_t* seed_data() const noexcept { return seed_; }
  template <class T>
  void apply(T* x, T*) const noexcept {
    if (length_ > 0) apply_hadamard(x, length_, *seed_);
  }
  template <class T>
  void apply_inverse(T* x, T*) const noexcept {
    if (length_ > 0) apply_hadamard_inverse(x, length_, *seed_);
  }
  template <class T>
  void apply_transpose(T* x, T* scratch) const noexcept {
    apply_inverse(x, scratch);
  }
  template <class T>
  void apply_inverse_transpose(T* x, T* scratch) const noexcept {
    apply(x, scratch);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(vector_info<std::uint64_t>(prefix + "seed", 1), seed_);
  }

 private:
  const std::uint64_t* seed_ = nullptr;
  Index length_ = 0;
};

/// (T x)_i = d_i x_i; d is stored as floats, all of them normal numbers, so that 1 / d_i is finite as well.
class Diagonal {
 public:
  static constexpr bool is_orthogonal = false;

  std::string type_name() const { return "Diagonal"; }
  static bool accepts(std::string_view name) { return name == "Diagonal"; }
  static std::string expected_type() { return "Diagonal"; }
  static Result<Diagonal> shaped(std::string_view, Index length, ExtentReader&) {
    Diagonal transform;
    transform.length_ = length;
    return transform;
  }
  void append_extents(Extents&) const {}
  Status check() const {
    for (Index i = 0; i < length_; ++i)
      if (!std::isnormal(entries_[i]))
        return Error{"expected a diagonal of normal floats, got " + describe(entries_[i]) + " at " + std::to_string(i)};
    return {};
  }

  Index length() const noexcept { return length_; }
  bool is_identity() const noexcept { return false; }
  const float* entries() const noexcept { return entries_; }
  template <class T>
  void apply(T* x, T*) const noexcept {
    for (Index i = 0; i < length_; ++i) x[i] *= T(entries_[i]);
  }
  template <class T>
  void apply_inverse(T* x, T*) const noexcept {
    for (Index i = 0; i < length_; ++i) x[i] /= T(entries_[i]);
  }
  template <class T>
  void apply_transpose(T* x, T* scratch) const noexcept {
    apply(x, scratch);
  }
  template <class T>
  void apply_inverse_transpose(T* x, T* scratch) const noexcept {
    apply_inverse(x, scratch);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(vector_info<float>(prefix + "diagonal", length_), entries_);
  }

 private:
  static std::string describe(float entry) {
    return entry == 0 ? "zero" : std::isnan(entry) ? "NaN" : std::isinf(entry) ? "infinity" : "a denormal number";
  }

  const float* entries_ = nullptr;
  Index length_ = 0;
};

/// (T x)_i = x_{p(i)}; p is stored as 32-bit words.
class Permutation {
 public:
  static constexpr bool is_orthogonal = true;

  std::string type_name() const { return "Permutation"; }
  static bool accepts(std::string_view name) { return name == "Permutation"; }
  static std::string expected_type() { return "Permutation"; }
  static Result<Permutation> shaped(std::string_view, Index length, ExtentReader&) {
    Permutation transform;
    transform.length_ = length;
    return transform;
  }
  void append_extents(Extents&) const {}
  Status check() const {
    std::vector<bool> seen(std::size_t(length_), false);
    for (Index i = 0; i < length_; ++i) {
      if (Index(order_[i]) >= length_ || seen[order_[i]])
        return Error{"expected a permutation of " + std::to_string(length_) + " entries, got " +
                     std::to_string(order_[i]) + " at " + std::to_string(i) + ", which is out of range or there twice"};
      seen[order_[i]] = true;
    }
    return {};
  }

  Index length() const noexcept { return length_; }
  bool is_identity() const noexcept { return false; }
  const std::uint32_t* order() const noexcept { return order_; }
  template <class T>
  void apply(T* x, T* scratch) const noexcept {
    std::copy_n(x, length_, scratch);
    for (Index i = 0; i < length_; ++i) x[i] = scratch[order_[i]];
  }
  template <class T>
  void apply_inverse(T* x, T* scratch) const noexcept {
    std::copy_n(x, length_, scratch);
    for (Index i = 0; i < length_; ++i) x[order_[i]] = scratch[i];
  }
  template <class T>
  void apply_transpose(T* x, T* scratch) const noexcept {
    apply_inverse(x, scratch);
  }
  template <class T>
  void apply_inverse_transpose(T* x, T* scratch) const noexcept {
    apply(x, scratch);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(vector_info<std::uint32_t>(prefix + "permutation", length_), order_);
  }

 private:
  const std::uint32_t* order_ = nullptr;
  Index length_ = 0;
};

/// T x = Second (First x).
template <class First, class Second>
class Compose {
 public:
  static constexpr bool is_orthogonal = First::is_orthogonal && Second::is_orthogonal;

  std::string type_name() const { return "Compose<" + first_.type_name() + "," + second_.type_name() + ">"; }
  static bool accepts(std::string_view name) {
    const auto arguments = template_arguments(name);
    return template_name(name) == "Compose" && arguments.size() == 2 && First::accepts(arguments[0]) &&
           Second::accepts(arguments[1]);
  }
  static std::string expected_type() {
    return "Compose<" + First::expected_type() + "," + Second::expected_type() + ">";
  }
  static Result<Compose> shaped(std::string_view name, Index length, ExtentReader& extents) {
    const auto arguments = template_arguments(name);
    Result<First> first = First::shaped(arguments[0], length, extents);
    if (!first.ok()) return first.error();
    Result<Second> second = Second::shaped(arguments[1], length, extents);
    if (!second.ok()) return second.error();
    Compose transform;
    transform.first_ = *first;
    transform.second_ = *second;
    return transform;
  }
  void append_extents(Extents& extents) const {
    first_.append_extents(extents);
    second_.append_extents(extents);
  }
  Status check() const {
    Status status = first_.check();
    return status.ok() ? second_.check() : status;
  }

  Index length() const noexcept { return first_.length(); }
  bool is_identity() const noexcept { return first_.is_identity() && second_.is_identity(); }
  const First& first() const noexcept { return first_; }
  const Second& second() const noexcept { return second_; }
  template <class T>
  void apply(T* x, T* scratch) const noexcept {
    first_.apply(x, scratch);
    second_.apply(x, scratch);
  }
  template <class T>
  void apply_inverse(T* x, T* scratch) const noexcept {
    second_.apply_inverse(x, scratch);
    first_.apply_inverse(x, scratch);
  }
  template <class T>
  void apply_transpose(T* x, T* scratch) const noexcept {
    second_.apply_transpose(x, scratch);
    first_.apply_transpose(x, scratch);
  }
  template <class T>
  void apply_inverse_transpose(T* x, T* scratch) const noexcept {
    first_.apply_inverse_transpose(x, scratch);
    second_.apply_inverse_transpose(x, scratch);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    first_.visit_tensors(visitor, prefix + "first.");
    second_.visit_tensors(visitor, prefix + "second.");
  }

 private:
  First first_;
  Second second_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
