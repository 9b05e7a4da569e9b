// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// How operations are cut into parts that staging holds. Pure; thread-safe.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/core/view.h"

namespace sluice::device {

// How many of the items [first, end) from `first` on have at most `budget_bytes` together, at
// least one. REQUIRES: first < end.
int64_t ItemsWithin(int64_t first, int64_t end, int64_t budget_bytes,
                    const std::function<int64_t(int64_t item)>& bytes_of);

// Tokens of a step, and the entries of its view that they are of.
struct TokenPart {
  int64_t first_token = 0;
  int64_t token_count = 0;
  int32_t first_entry = 0;
  int32_t entry_count = 0;

  bool operator==(const TokenPart&) const = default;
};

// What parts of a step's tokens need, and where they may end.
struct TokenCut {
  int64_t budget_bytes = 0;
  int64_t token_bytes = 0;
  int64_t entry_bytes = 0;
  // Parts end within an entry only behind a multiple of so many of the tokens that the call
  // has of it; 0: they do not.
  int64_t multiple = 1;
};

// The tokens [first_token, first_token + token_count) of a view in order, in parts within the
// budget, but for those that may not be smaller. None has no tokens.
std::vector<TokenPart> CutTokens(const StepView& view, int64_t first_token, int64_t token_count,
                                 const TokenCut& cut);

// An array from its element `index` on, where there is one; of void, from a byte on.
template <class T>
T* From(T* array, int64_t index) {
  return array == nullptr ? nullptr : array + index;
}
inline std::byte* From(void* array, int64_t byte) {
  return From(static_cast<std::byte*>(array), byte);
}
inline const std::byte* From(const void* array, int64_t byte) {
  return From(static_cast<const std::byte*>(array), byte);
}

}  // namespace sluice::device
