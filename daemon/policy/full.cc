// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"

namespace sluice {
namespace {

class FullPolicy final : public Policy {
 public:
  explicit FullPolicy(PolicySpec spec) : Policy(std::move(spec), PolicyNeeds{}, 0) {}

  int64_t MostSlots(std::span<const RowFacts>) const override { return 0; }
  bool Acts(Trigger trigger, const SequenceFacts&) const override {
    return trigger == Trigger::kRequest;
  }
  JobRecipe Plan(const JobFacts& facts) const override;
};

JobRecipe FullPolicy::Plan(const JobFacts& facts) const {
  JobRecipe recipe;
  recipe.evicts_nothing = true;
  for (const RowFacts& row : facts.rows) {
    RecipeSegment segment;
    segment.first_row = static_cast<int32_t>(recipe.segments.size());
    segment.k = row.slots;
    recipe.segments.push_back(segment);
  }
  return recipe;
}

}  // namespace

absl::StatusOr<PolicyPtr> MakeFull(const PolicySpec& spec, const ModelFacts&) {
  // An empty `triggers` is how a full policy reads once resolved.
  PolicySpec resolved = spec;
  if (resolved.triggers == TriggerSpec{}) resolved.triggers.reset();
  SLUICE_RETURN_IF_ERROR(AllowParameters(resolved, {}));
  resolved.triggers = TriggerSpec{};
  return std::make_shared<const FullPolicy>(std::move(resolved));
}

absl::StatusOr<PolicySpec> FullWithBudget(const PolicySpec&, int64_t) {
  return RefuseField("budget_tokens", "preset full has no budget; name a policy to run");
}

}  // namespace sluice
