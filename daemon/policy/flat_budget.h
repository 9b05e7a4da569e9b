// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "daemon/policy/budget.h"

namespace sluice {

// The same fixed number of tokens for every row. Thread-safe.
class FlatBudget final : public Budget {
 public:
  explicit FlatBudget(int64_t tokens) : tokens_(tokens) {}

  int64_t TargetSlots(int64_t slots) const override { return std::min(tokens_, slots); }

  int64_t ActsFromSlots(int64_t hysteresis_tokens) const override {
    return tokens_ + std::max<int64_t>(hysteresis_tokens, 1);
  }

 private:
  const int64_t tokens_;
};

}  // namespace sluice
