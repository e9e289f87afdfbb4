#include "qlr/core/result.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace {

/// A value that can neither be copied nor made from nothing, as most that a Result carries.
class Handle {
 public:
  explicit Handle(int number) : number_(std::make_unique<int>(number)) {}
  int number() const { return *number_; }

 private:
  std::unique_ptr<int> number_;
};

qlr::Result<Handle> open_handle(int number) {
  if (number < 0) return qlr::Error{"expected a number of at least 0, got " + std::to_string(number)};
  return Handle(number);
}

qlr::Status check(bool good) {
  if (!good) return qlr::Error{"expected good, got bad"};
  return {};
}

}  // namespace

TEST_CASE("a result holds its value") {
  qlr::Result<Handle> result = open_handle(7);
  REQUIRE(result.ok());
  CHECK(bool(result));
  CHECK(result->number() == 7);
  CHECK((*result).number() == 7);
  CHECK(std::as_const(result).value().number() == 7);
  CHECK(std::as_const(result)->number() == 7);
  const Handle taken = *std::move(result);
  CHECK(taken.number() == 7);
}

TEST_CASE("a result holds its error") {
  const qlr::Result<Handle> result = open_handle(-1);
  CHECK_FALSE(result.ok());
  CHECK_FALSE(bool(result));
  CHECK(result.error().message == "expected a number of at least 0, got -1");
}

TEST_CASE("a value may be changed in place") {
  qlr::Result<std::string> result = std::string("a");
  *result += "b";
  result->append("c");
  CHECK(result.value() == "abc");
}

TEST_CASE("a status is success or an error") {
  CHECK(check(true).ok());
  CHECK(qlr::Status().ok());
  CHECK_FALSE(check(false).ok());
  CHECK(check(false).error().message == "expected good, got bad");
}

TEST_CASE("a result is no arithmetic value") {
  CHECK_FALSE(std::is_convertible_v<qlr::Result<int>, bool>);
  CHECK_FALSE(std::is_convertible_v<qlr::Status, bool>);
}

#if defined(__cpp_exceptions)
TEST_CASE("value_or_throw gives the value or throws the sentence") {
  CHECK(qlr::value_or_throw(open_handle(3)).number() == 3);
  CHECK_THROWS_WITH_AS(qlr::value_or_throw(open_handle(-3)), "expected a number of at least 0, got -3",
                       std::runtime_error);
  CHECK_NOTHROW(qlr::value_or_throw(check(true)));
  CHECK_THROWS_WITH_AS(qlr::value_or_throw(check(false)), "expected good, got bad", std::runtime_error);
}
#endif
