// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/accumulated_parameters.h"
#include "daemon/policy/flat_budget.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/row_table.h"

namespace sluice {
namespace {

constexpr int64_t kDefaultBudgetTokens = 512;

// The last query row alone. The mean over a layer's query heads is that of its kv
// heads' means.
constexpr AccumulatedScore kLastRow{.decay = 0.0};

class TovaPolicy final : public Policy {
 public:
  TovaPolicy(PolicySpec spec, const ModelFacts& model)
      : Policy(spec, NeedsOf(kLastRow), *spec.protect_last_tokens),
        rows_(model),
        budget_(*spec.budget_tokens) {}

  Scorer scorer() const override { return Scorer::kAccumulated; }
  int64_t MostSlots(std::span<const RowFacts> rows) const override;
  bool Acts(Trigger trigger, const SequenceFacts& facts) const override {
    return ActsOver(budget_, trigger, facts);
  }
  JobRecipe Plan(const JobFacts& facts) const override;

 private:
  const RowTable rows_;
  const FlatBudget budget_;
};

int64_t TovaPolicy::MostSlots(std::span<const RowFacts> rows) const {
  rows_.Check(rows);
  int64_t most = 0;
  for (const RowFacts& row : rows) most = std::max(most, row.slots);
  return most;
}

JobRecipe TovaPolicy::Plan(const JobFacts& facts) const {
  const Snapshot snapshot{.tokens = facts.snapshot_tokens, .length_tokens = facts.length_tokens};
  const std::vector<RowState> states = rows_.StatesOf(facts, *spec().shared_prefix);
  const TopKRetention retention{.last_tokens = *spec().protect_last_tokens};
  JobRecipe recipe;
  recipe.scorer = Scorer::kAccumulated;
  recipe.combine = SegmentCombine::kMean;
  recipe.evicts_nothing = true;
  for (const LayerRows& layer : rows_.layers()) {
    const RowState& first = states[static_cast<size_t>(layer.first_row)];
    for (int32_t row = layer.first_row; row < layer.end_row(); ++row) {
      SLUICE_CHECK(states[static_cast<size_t>(row)].slots == first.slots)
          << "rows " << first.row << " and " << row << " of a layer hold different slots";
    }
    recipe.segments.push_back(KeepBest(first, snapshot, budget_, retention));
    recipe.segments.back().row_count = layer.kv_heads;
    if (MayEvict(recipe.segments.back(), first)) recipe.evicts_nothing = false;
  }
  return recipe;
}

}  // namespace

absl::StatusOr<PolicyPtr> MakeTova(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(AllowParameters(
      spec, {"budget_tokens", "protect_last_tokens", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_ASSIGN_OR_RETURN(
      resolved.budget_tokens,
      TokensOr("budget_tokens", spec.budget_tokens, kDefaultBudgetTokens, 1));
  SLUICE_ASSIGN_OR_RETURN(resolved.protect_last_tokens,
                          TokensOr("protect_last_tokens", spec.protect_last_tokens, 0, 0));
  if (*resolved.budget_tokens < *resolved.protect_last_tokens) {
    return RefuseParameter("budget_tokens",
                           absl::StrCat("is ", *resolved.budget_tokens, ", less than the ",
                                        *resolved.protect_last_tokens, " protected tokens"));
  }
  SLUICE_RETURN_IF_ERROR(ResolveAccumulated(*resolved.budget_tokens, model, resolved));
  if (resolved.triggers->pressure) {
    return Refuse(absl::StatusCode::kInvalidArgument, Reason::kNotInVersion,
                  "policy.parameters.triggers.pressure",
                  "the heads of a layer choose together, and not over all layers");
  }
  return std::make_shared<const TovaPolicy>(std::move(resolved), model);
}

absl::StatusOr<PolicySpec> TovaWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  const int64_t least = std::max<int64_t>(1, *spec.protect_last_tokens);
  if (budget_tokens < least) {
    return RefuseField("budget_tokens", absl::StrCat("is ", budget_tokens, "; at least ", least,
                                                     ", what tova protects here"));
  }
  PolicySpec changed = spec;
  changed.budget_tokens = budget_tokens;
  return changed;
}

}  // namespace sluice
