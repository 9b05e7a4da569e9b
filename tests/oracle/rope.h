// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Rotary positions in double precision.

#include "tests/oracle/common.h"

namespace sluice::oracle {

enum class RopePairing {
  kHalfSplit,    // dim j turns with j + rotary_dim / 2
  kInterleaved,  // dim 2j turns with 2j + 1
};

struct Rope {
  Row inverse_frequencies;  // [rotary_dim / 2]; empty: nothing turns
  RopePairing pairing = RopePairing::kHalfSplit;
};

// theta^(-2j / rotary_dim)
Rope MakeRope(double theta, int rotary_dim, RopePairing pairing);

// `row` turned by `position` (backwards where negative); dims beyond the rotary ones stay.
Row Rotate(const Row& row, int position, const Rope& rope);

}  // namespace sluice::oracle
