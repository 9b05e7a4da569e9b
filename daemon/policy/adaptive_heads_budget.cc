// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/adaptive_heads_budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice {
namespace {

// Quotas are a product of doubles: what differs by less is meant to be equal.
constexpr double kQuotaNoise = 1e-9;

// The heads that still have slots to give a place to, the furthest below its quota first.
std::vector<size_t> OpenHeads(std::span<const int64_t> kept, std::span<const int64_t> slots,
                              std::span<const double> quotas) {
  std::vector<size_t> open;
  for (size_t head = 0; head < kept.size(); ++head) {
    if (kept[head] < slots[head]) open.push_back(head);
  }
  const auto missing = [&](size_t head) {
    return std::round((quotas[head] - static_cast<double>(kept[head])) / kQuotaNoise);
  };
  std::stable_sort(open.begin(), open.end(),
                   [&](size_t a, size_t b) { return missing(a) > missing(b); });
  return open;
}

}  // namespace

std::vector<int64_t> ShareByWinners(std::span<const int64_t> winners,
                                    std::span<const int64_t> slots, int64_t mean_slots,
                                    double alpha) {
  const size_t heads = winners.size();
  const double floor_slots = std::trunc(alpha * static_cast<double>(mean_slots));
  std::vector<double> quotas(heads);
  std::vector<int64_t> kept(heads);
  for (size_t head = 0; head < heads; ++head) {
    quotas[head] = (1.0 - alpha) * static_cast<double>(winners[head]) + floor_slots;
    kept[head] =
        std::min(static_cast<int64_t>(std::floor(quotas[head] + kQuotaNoise)), slots[head]);
  }
  const int64_t held = std::accumulate(slots.begin(), slots.end(), int64_t{0});
  int64_t left = std::min(static_cast<int64_t>(heads) * mean_slots, held) -
                 std::accumulate(kept.begin(), kept.end(), int64_t{0});
  while (left > 0) {
    const std::vector<size_t> open = OpenHeads(kept, slots, quotas);
    const int64_t each = std::max<int64_t>(left / static_cast<int64_t>(open.size()), 1);
    for (const size_t head : open) {
      const int64_t taken = std::min({each, slots[head] - kept[head], left});
      kept[head] += taken;
      left -= taken;
    }
  }
  return kept;
}

int64_t SafeguardSlots(int64_t budget_tokens, double alpha) {
  if (alpha == 0) return 0;
  return std::max<int64_t>(static_cast<int64_t>(alpha * static_cast<double>(budget_tokens)), 1);
}

}  // namespace sluice
