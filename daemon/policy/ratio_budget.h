// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "daemon/policy/budget.h"
#include "daemon/policy/policy_spec.h"

namespace sluice {

// The count that `ratio` makes of `slots`, at least 1 where there is one: the
// product in double as written, so that 0.55 of 100, rounded up, is 56; for a
// removed share 1.0 - value is rounded to double first, so that removing 0.9 of
// 100 keeps 9 (L2-norm eviction, `l2_compress`; kvpress, KnormPress).
int64_t KeptOf(const Ratio& ratio, int64_t slots);

// A share of what a row has, once that reaches `prune_after_tokens`; a shorter
// row keeps all. That threshold stands in for hysteresis. Thread-safe.
class RatioBudget final : public Budget {
 public:
  RatioBudget(Ratio ratio, int64_t prune_after_tokens)
      : ratio_(ratio), prune_after_tokens_(prune_after_tokens) {}

  int64_t TargetSlots(int64_t slots) const override {
    return slots < prune_after_tokens_ ? slots : KeptOf(ratio_, slots);
  }

  int64_t ActsFromSlots(int64_t) const override { return prune_after_tokens_; }

 private:
  const Ratio ratio_;
  const int64_t prune_after_tokens_;
};

}  // namespace sluice
