#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "qlr/core/arch.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/grouping.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/rule.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

template <class Type, class = void>
inline constexpr bool is_orthogonal = false;
template <class Type>
inline constexpr bool is_orthogonal<Type, std::void_t<decltype(Type::is_orthogonal)>> = Type::is_orthogonal;

}  // namespace detail

/// One of several types, chosen at run time by the name that a file gives: of layers (AnyLayer), or in the place of a
/// matrix term or of a transform, where the number of types that have to be compiled is the sum over the places instead
/// of the product. The file is the same as that of the type it holds.
template <class... Types>
class Any : public LayerOperations<Any<Types...>> {
 public:
  static_assert(rule::AtLeastOneType<Types...>::value, "qlr::Any<Types...>: there is at least one type");
  static_assert(rule::TypesDiffer<Types...>::value, "qlr::Any<Types...>: no type is there twice");

  static constexpr Index static_rank = Dynamic;
  static constexpr bool is_transformed = (detail::is_transformed<Types> || ...);
  static constexpr bool is_orthogonal = (detail::is_orthogonal<Types> && ...);
  static constexpr bool has_segments = (detail::has_segments<Types> || ...);

  std::string type_name() const {
    return visit([](const auto& held) -> std::string { return held.type_name(); });
  }
  static bool accepts(std::string_view name) { return (Types::accepts(name) || ...); }

  /// A sentence's part: what names would be accepted.
  static std::string expected_type() {
    std::string list = "one of ";
    ((list += Types::expected_type() + ", "), ...);
    return list.substr(0, list.size() - 2);
  }

  /// @pre accepts(name)
  template <class... Arguments>
  static Result<Any> shaped(std::string_view name, Arguments&&... arguments) {
    Result<Any> result = Error{};
    bool found = false;
    const auto attempt = [&](auto* type) {
      using Type = std::remove_pointer_t<decltype(type)>;
      if (found || !Type::accepts(name)) return;
      found = true;
      Result<Type> held = Type::shaped(name, arguments...);
      if (held.ok())
        result = Any(*held);
      else
        result = held.error();
    };
    (attempt(static_cast<Types*>(nullptr)), ...);
    if (!found) result = Error{"expected " + expected_type() + ", got " + std::string(name)};
    return result;
  }

  Any() = default;
  template <class Type, class = std::enable_if_t<(std::is_same_v<Type, Types> || ...)>>
  explicit Any(const Type& held) : held_(held) {}

  /// Calls function with what is held.
  template <class Function>
  decltype(auto) visit(Function&& function) const {
    return std::visit(std::forward<Function>(function), held_);
  }
  template <class Function>
  decltype(auto) visit(Function&& function) {
    return std::visit(std::forward<Function>(function), held_);
  }

  void append_extents(Extents& extents) const {
    visit([&](const auto& held) { held.append_extents(extents); });
  }
  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visit([&](auto& held) { held.visit_tensors(visitor, prefix); });
  }
  Status check() const {
    return visit([](const auto& held) { return held.check(); });
  }

  Index rows() const noexcept {
    return visit([](const auto& held) { return held.rows(); });
  }
  Index cols() const noexcept {
    return visit([](const auto& held) { return held.cols(); });
  }
  Index rank() const noexcept {
    return visit([](const auto& held) { return held.rank(); });
  }
  bool allows_rank(Index rank) const noexcept {
    return visit([=](const auto& held) { return held.allows_rank(rank); });
  }
  void add_decoded_rows(Index i0, Index i1, MatrixView<float> out) const noexcept {
    visit([&](const auto& held) { held.add_decoded_rows(i0, i1, out); });
  }
  Index decode_scratch_floats() const noexcept {
    return visit([](const auto& held) { return held.decode_scratch_floats(); });
  }
  void decode(MatrixView<float> out, float* scratch) const noexcept {
    visit([&](const auto& held) { held.decode(out, scratch); });
  }

  Index length() const noexcept {
    return visit([](const auto& held) { return held.length(); });
  }
  bool is_identity() const noexcept {
    return visit([](const auto& held) { return held.is_identity(); });
  }
  template <class T>
  void apply(T* x, T* scratch) const noexcept {
    visit([&](const auto& held) { held.apply(x, scratch); });
  }
  template <class T>
  void apply_inverse(T* x, T* scratch) const noexcept {
    visit([&](const auto& held) { held.apply_inverse(x, scratch); });
  }
  template <class T>
  void apply_transpose(T* x, T* scratch) const noexcept {
    visit([&](const auto& held) { held.apply_transpose(x, scratch); });
  }
  template <class T>
  void apply_inverse_transpose(T* x, T* scratch) const noexcept {
    visit([&](const auto& held) { held.apply_inverse_transpose(x, scratch); });
  }

 private:
  std::variant<Types...> held_;
};

/// A layer whose type a file decides.
template <class... Layers>
using AnyLayer = Any<Layers...>;

}  // namespace QLR_ARCH
}  // namespace qlr
