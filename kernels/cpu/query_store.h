// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Putting query rows into a ring of observation rows.

#include <cstddef>
#include <cstdint>

#include "kernels/core/observation.h"
#include "kernels/dtype.h"

namespace sluice::cpu {

// The query rows of one token.
struct QueryToken {
  const std::byte* q = nullptr;  // [q_heads, k_dim]
  const float* lse = nullptr;    // [q_heads]; null: not known
  Dtype dtype = Dtype::kF32;
  int64_t position = 0;
};

// Writes the row of the token's position: its position, and of each query head the
// elements in the ring's dtype and the lse; zeros and -inf where they are not
// finite there. Thread-safe over positions of different rows.
void StoreQueryToken(const QueryToken& token, const ObservationLayout& layout, std::byte* ring);

}  // namespace sluice::cpu
