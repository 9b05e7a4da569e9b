// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "daemon/policy/flat_budget.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/row_table.h"

namespace sluice {

// What policies share that score by a window and whose rows get budgets of their own.
// Immutable, thread-safe.
class WindowPolicy : public Policy {
 public:
  Scorer scorer() const final { return Scorer::kWindow; }
  bool Acts(Trigger trigger, const SequenceFacts& facts) const final {
    return ActsOver(budget_, trigger, facts);
  }

 protected:
  // REQUIRES: `spec` went through ResolveWindow.
  WindowPolicy(PolicySpec spec, const ModelFacts& model)
      : Policy(spec, {.observation_window_tokens = *spec.window_tokens}, *spec.window_tokens),
        rows_(model),
        budget_(*spec.budget_tokens) {}

  const RowTable& rows() const { return rows_; }

  // What a row keeps before the window, on average.
  int64_t mean_slots() const { return *spec().budget_tokens - *spec().window_tokens; }

 private:
  const RowTable rows_;
  const FlatBudget budget_;
};

}  // namespace sluice
