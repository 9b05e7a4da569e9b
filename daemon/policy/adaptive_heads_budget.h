// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

// How the heads of a layer share its budget (AdaKV; related methods, section 6).
// Pure functions.

// What each head keeps, official form: (1 - alpha) * winners + int(alpha *
// mean_slots), rounded by largest remainder, ties to the lower head, no head above
// its `slots`; what a head has no slots for goes to the others. The sum is
// heads * mean_slots, or all slots if there are fewer.
//
// `winners` [heads]: the slots of a head among the layer's best heads * mean_slots.
// REQUIRES: 0 <= alpha <= 1; winners[h] <= slots[h].
std::vector<int64_t> ShareByWinners(std::span<const int64_t> winners,
                                    std::span<const int64_t> slots, int64_t mean_slots,
                                    double alpha);

// The best slots of every head that none can take from it, form of kvpress, where
// heads keep `budget_tokens` on average, window included: at least 1, but for alpha 0.
int64_t SafeguardSlots(int64_t budget_tokens, double alpha);

}  // namespace sluice
