// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

namespace sluice {

// Product of all factors, or nullopt if it does not fit in int64 or if any
// factor is negative. Every size that came from a request goes through here.
template <std::same_as<int64_t>... Ts>
constexpr std::optional<int64_t> CheckedProduct(Ts... factors) {
  int64_t product = 1;
  bool ok = ((factors >= 0) && ...);
  // A zero makes the product zero, whatever the others would overflow to.
  if (ok && ((factors == 0) || ...)) return 0;
  ((ok = ok && !__builtin_mul_overflow(product, factors, &product)), ...);
  if (!ok) return std::nullopt;
  return product;
}

// Sum of all terms, or nullopt if it does not fit in int64 or if any term is
// negative.
template <std::same_as<int64_t>... Ts>
constexpr std::optional<int64_t> CheckedSum(Ts... terms) {
  int64_t sum = 0;
  bool ok = true;
  ((ok = ok && terms >= 0 && !__builtin_add_overflow(sum, terms, &sum)), ...);
  if (!ok) return std::nullopt;
  return sum;
}

// Quotient rounded up. REQUIRES: dividend >= 0, divisor > 0.
constexpr int64_t CeilDivide(int64_t dividend, int64_t divisor) {
  return dividend / divisor + (dividend % divisor != 0 ? 1 : 0);
}

}  // namespace sluice
