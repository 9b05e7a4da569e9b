// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy.h"

#include "daemon/base/check.h"

namespace sluice {

JobRecipe Policy::Budget(const JobFacts&, std::span<const int32_t> counts) const {
  SLUICE_CHECK(false) << spec_.preset << " asked for no counts, got " << counts.size();
  return {};
}

bool Policy::ActsOver(const sluice::Budget& budget, Trigger trigger,
                      const SequenceFacts& facts) const {
  switch (trigger) {
    case Trigger::kPrefillEnd:
      return triggers().prefill_end && !(triggers().once && facts.earlier_prefill_ends > 0) &&
             facts.most_slots >= budget.ActsFromSlots(0);
    case Trigger::kEvery:
      return triggers().every_tokens && facts.decoded_tokens >= *triggers().every_tokens &&
             facts.most_slots >= budget.ActsFromSlots(triggers().hysteresis_tokens.value_or(0));
    case Trigger::kPressure:
      return triggers().pressure;
    case Trigger::kRequest:
      return true;
  }
  return false;
}

}  // namespace sluice
