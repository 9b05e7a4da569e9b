// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Rotary positions of keys and queries, in double. Stateless.

#include <cstdint>
#include <vector>

#include "kernels/ops.h"
#include "kernels/reference/slot.h"

namespace sluice::reference {

using Numbers = std::vector<double>;

// The elements as they are.
Numbers Plain(const Vector& values);

// A key that is stored un-rotated, as it stands at `position`.
Numbers TurnedKey(const RopeTable& rope, const Vector& k, int64_t position);

// The query of the token at `true_position`, as it arrived, as it stands at `position`.
Numbers TurnedQuery(const RopeTable& rope, const Vector& q, int64_t true_position,
                    int64_t position);

// What Append stores of a key of the token at `true_position` in `format`, not yet rounded.
Vector KeyToStore(const PageFormat& format, const RopeTable& rope, Vector k,
                  int64_t true_position);

}  // namespace sluice::reference
