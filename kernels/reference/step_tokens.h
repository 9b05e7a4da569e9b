// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/view.h"

namespace sluice::reference {

// A token of a step and the entry that it belongs to.
struct EntryToken {
  const ViewEntry* entry = nullptr;
  int64_t index = 0;       // of the entry's tokens; it stands at base_length + index
  int64_t step_token = 0;  // of the step's tokens
};

// The tokens `[first_token, first_token + token_count)` of a step, in order.
inline std::vector<EntryToken> TokensOf(const StepView& view, int64_t first_token,
                                        int64_t token_count) {
  std::vector<EntryToken> tokens;
  for (int32_t e = 0; e < view.entry_count; ++e) {
    const ViewEntry& entry = view.entries[e];
    for (int64_t i = 0; i < entry.token_count; ++i) {
      const int64_t step_token = entry.first_token + i;
      if (step_token >= first_token && step_token < first_token + token_count) {
        tokens.push_back(EntryToken{&entry, i, step_token});
      }
    }
  }
  return tokens;
}

}  // namespace sluice::reference
