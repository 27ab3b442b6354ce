// The one error idiom: a value or an Error, returned, never thrown.
// Shaped like C++23's std::expected, which -std=c++20 does not have.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "collector/base/check.h"

namespace collector {

// What a caller can do about a failure; the message is for a person.
enum class ErrorCode {
  kInvalid,      // the input is wrong; the same input will fail again
  kConfig,       // the configuration is wrong: exit status 78
  kUnavailable,  // a thing outside this process refuses or is away: exit status 69
  kForbidden,    // one that answers does not let us: exit status 77
  kIo,           // the operating system refused
};

struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string message;  // one line, no final full stop, with its context
};

struct Ok {};

// Either a T or an Error. value() and error() abort when the other one is held.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : held_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(held_); }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& value() & {
    CHECK(ok());
    return std::get<T>(held_);
  }
  [[nodiscard]] const T& value() const& {
    CHECK(ok());
    return std::get<T>(held_);
  }
  [[nodiscard]] T&& value() && {
    CHECK(ok());
    return std::get<T>(std::move(held_));
  }
  [[nodiscard]] const Error& error() const {
    CHECK(!ok());
    return std::get<Error>(held_);
  }

 private:
  std::variant<T, Error> held_;
};

using Status = Result<Ok>;

}  // namespace collector
