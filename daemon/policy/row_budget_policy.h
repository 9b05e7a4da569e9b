// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "daemon/policy/budget.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/top_k_retention.h"

namespace sluice {

// A scorer, a budget and a retention put together, for methods in which every
// row competes for its own budget alone. Immutable, thread-safe.
class RowBudgetPolicy final : public Policy {
 public:
  struct Roles {
    Scorer scorer = Scorer::kNone;
    std::unique_ptr<const Budget> budget;
    TopKRetention retention;
  };

  // REQUIRES: `spec` is resolved; its skip_layers are layers of `model`.
  RowBudgetPolicy(PolicySpec spec, Roles roles, const ModelFacts& model);

  Scorer scorer() const override { return roles_.scorer; }
  int64_t MostSlots(std::span<const RowFacts> rows) const override;
  bool Acts(Trigger trigger, const SequenceFacts& facts) const override;
  JobRecipe Plan(const JobFacts& facts) const override;

 private:
  struct Row {
    int64_t window_tokens = 0;
    bool skipped = false;  // its layer is one of skip_layers
  };

  RowState StateOf(size_t row, const JobFacts& facts) const;

  const Roles roles_;
  std::vector<Row> rows_;  // [rows of the model]; constant after construction
};

}  // namespace sluice
