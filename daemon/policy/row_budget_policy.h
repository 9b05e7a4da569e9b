// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "daemon/policy/budget.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/row_table.h"
#include "daemon/policy/top_k_retention.h"

namespace sluice {

// A scorer, a budget and a retention put together, for methods in which every
// row competes for its own budget alone. Immutable, thread-safe.
class RowBudgetPolicy final : public Policy {
 public:
  struct Roles {
    Scorer scorer = Scorer::kNone;
    WindowScore window_score;  // of Scorer::kWindow
    AccumulatedScore accumulated_score;  // of Scorer::kAccumulated, and how it is compared
    ScoreNormalise normalise = ScoreNormalise::kNone;
    std::unique_ptr<const sluice::Budget> budget;
    TopKRetention retention;
  };

  // REQUIRES: `spec` is resolved; its skip_layers are layers of `model`.
  RowBudgetPolicy(PolicySpec spec, Roles roles, const ModelFacts& model);

  Scorer scorer() const override { return roles_.scorer; }
  int64_t protected_tokens() const override {
    return roles_.retention.first_tokens + roles_.retention.last_tokens;
  }
  int64_t MostSlots(std::span<const RowFacts> rows) const override;
  bool Acts(Trigger trigger, const SequenceFacts& facts) const override;
  JobRecipe Plan(const JobFacts& facts) const override;

 private:
  const Roles roles_;
  const RowTable rows_;
  std::vector<bool> skipped_;  // [rows]: its layer is one of skip_layers; constant once made
};

}  // namespace sluice
