// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/policy/policy.h"

namespace sluice {

// The policy of one job under pressure: a sequence's own with a smaller budget, for
// which its rows compete (design: "Pressure": its policy's scorer, one segment over
// all heads and layers).
//
// Rows that are to be shrunk share one segment as far as they follow one another and
// protect and drop the same positions. What is counted is how many of the best slots of
// each segment a row has, and that is what it keeps: the places of a segment are the sum
// of its rows', and every row keeps at least kLeastShare of the largest of their
// budgets. Layers that the policy skips stay whole. A policy without scores, or that
// shares out its budget by scores itself, plans as it does.
//
// Immutable, thread-safe.
class PressurePolicy final : public Policy {
 public:
  // So that a head whose scores are low beside others' is not emptied.
  static constexpr double kLeastShare = 0.25;

  // `shrunk`: the policy under the job's budget, made for `model`.
  PressurePolicy(PolicyPtr shrunk, const ModelFacts& model);

  Scorer scorer() const override { return shrunk_->scorer(); }
  int64_t protected_tokens() const override { return shrunk_->protected_tokens(); }
  int64_t MostSlots(std::span<const RowFacts> rows) const override {
    return shrunk_->MostSlots(rows);
  }
  bool Acts(Trigger trigger, const SequenceFacts& facts) const override {
    return shrunk_->Acts(trigger, facts);
  }
  JobRecipe Plan(const JobFacts& facts) const override;
  JobRecipe Budget(const JobFacts& facts, std::span<const int32_t> counts) const override;

 private:
  std::vector<RecipeSegment> Competitions(const JobRecipe& recipe) const;

  const PolicyPtr shrunk_;
  const std::vector<bool> skipped_;  // [rows]
};

// `policy` under a budget of `budget_tokens` a row for a job under pressure; with
// `rows_compete` false each row keeps to its own.
//
// FIELD_INVALID: as WithBudget (registry.h).
absl::StatusOr<PolicyPtr> UnderPressure(const Policy& policy, int64_t budget_tokens,
                                        const ModelFacts& model, bool rows_compete);

}  // namespace sluice
