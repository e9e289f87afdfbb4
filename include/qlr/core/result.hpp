#pragma once

#include <optional>
#include <string>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"

#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

namespace qlr {
inline namespace QLR_ARCH {

/// Why something was refused: one sentence that says what was expected and what came.
struct Error {
  std::string message;
};

/// A value, or the error that stood in its way.
/// @pre value(), operator* and operator-> : ok();  error() : !ok()
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & noexcept { return QLR_ASSERT(ok()), *value_; }
  const T& value() const& noexcept { return QLR_ASSERT(ok()), *value_; }
  T&& value() && noexcept { return QLR_ASSERT(ok()), std::move(*value_); }
  T& operator*() & noexcept { return value(); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(*this).value(); }
  T* operator->() noexcept { return &value(); }
  const T* operator->() const noexcept { return &value(); }

  const Error& error() const noexcept { return QLR_ASSERT(!ok()), error_; }

 private:
  std::optional<T> value_;
  Error error_;
};

/// Success, or the error that stood in its way.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  const Error& error() const noexcept { return QLR_ASSERT(!ok()), *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

#if defined(__cpp_exceptions)
/// The value; @throws std::runtime_error with the error's sentence.
template <class T>
T value_or_throw(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

inline void value_or_throw(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error().message);
}
#endif

}  // namespace QLR_ARCH
}  // namespace qlr
