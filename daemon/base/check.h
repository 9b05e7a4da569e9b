// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sstream>

// Stops the process when a condition that only a bug can break does not hold,
// in release builds too: a cache that goes on after a broken invariant answers
// with another tenant's tokens. Input never reaches a check; it gets a Status.
//
//   SLUICE_CHECK(count >= 0) << "page " << page;
#define SLUICE_CHECK(condition)                                                     \
  (condition) ? static_cast<void>(0)                                                \
              : ::sluice::internal::Voidify() &                                     \
                    ::sluice::internal::CheckFailure(__FILE__, __LINE__, #condition) \
                        .stream()

namespace sluice::internal {

// Collects the message of a failed check; its end prints it and aborts.
//
// Not thread-safe: a temporary of SLUICE_CHECK.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  [[noreturn]] ~CheckFailure();
  std::ostream& stream() { return message_; }

 private:
  std::ostringstream message_;
};

// Binds weaker than << and stronger than ?:, which makes the macro one expression.
struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace sluice::internal
