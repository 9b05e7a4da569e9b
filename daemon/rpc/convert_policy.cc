// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_policy.h"

#include <optional>
#include <vector>

#include "daemon/rpc/convert_cascade.h"
#include "daemon/rpc/convert_window.h"
#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

Ratio ToRatio(const v1::Ratio& ratio) {
  return {.value = ratio.value(),
          .of = ratio.of() == v1::Ratio::OF_KEPT ? Ratio::Of::kKept : Ratio::Of::kRemoved,
          .rounding = ratio.rounding() == v1::Ratio::ROUNDING_FLOOR ? Ratio::Rounding::kFloor
                                                                    : Ratio::Rounding::kCeil};
}

void FromRatio(const Ratio& ratio, v1::Ratio* to) {
  to->set_value(ratio.value);
  to->set_of(ratio.of == Ratio::Of::kKept ? v1::Ratio::OF_KEPT : v1::Ratio::OF_REMOVED);
  to->set_rounding(ratio.rounding == Ratio::Rounding::kFloor ? v1::Ratio::ROUNDING_FLOOR
                                                             : v1::Ratio::ROUNDING_CEIL);
}

TriggerSpec ToTriggers(const v1::Triggers& triggers) {
  TriggerSpec spec;
  spec.prefill_end = triggers.prefill_end();
  spec.once = triggers.once();
  spec.pressure = triggers.pressure();
  if (!triggers.has_every()) return spec;
  spec.every_tokens = triggers.every().tokens();
  if (triggers.every().has_hysteresis_tokens()) {
    spec.hysteresis_tokens = triggers.every().hysteresis_tokens();
  }
  return spec;
}

void FromTriggers(const TriggerSpec& spec, v1::Triggers* to) {
  to->set_prefill_end(spec.prefill_end);
  to->set_once(spec.once);
  to->set_pressure(spec.pressure);
  if (!spec.every_tokens) return;
  to->mutable_every()->set_tokens(*spec.every_tokens);
  if (spec.hysteresis_tokens) to->mutable_every()->set_hysteresis_tokens(*spec.hysteresis_tokens);
}

void FromSpec(const PolicySpec& spec, v1::Parameters* to) {
  if (spec.sink_tokens) to->set_sink_tokens(*spec.sink_tokens);
  if (spec.recent_tokens) to->set_recent_tokens(*spec.recent_tokens);
  if (spec.budget_tokens) to->set_budget_tokens(*spec.budget_tokens);
  if (spec.ratio) FromRatio(*spec.ratio, to->mutable_ratio());
  if (spec.prune_after_tokens) to->set_prune_after_tokens(*spec.prune_after_tokens);
  if (spec.skip_layers) {
    to->mutable_skip_layers()->mutable_layers()->Assign(spec.skip_layers->begin(),
                                                        spec.skip_layers->end());
  }
  if (spec.protect_first_tokens) to->set_protect_first_tokens(*spec.protect_first_tokens);
  if (spec.protect_last_tokens) to->set_protect_last_tokens(*spec.protect_last_tokens);
  FromWindowSpec(spec, to);
  FromAccumulatedSpec(spec, to);
  FromCascadeSpec(spec, to);
  if (spec.triggers) FromTriggers(*spec.triggers, to->mutable_triggers());
  if (spec.visible) {
    to->set_visible(*spec.visible == Visible::kWhenDue ? v1::VISIBLE_WHEN_DUE
                                                       : v1::VISIBLE_WHEN_READY);
  }
  if (spec.shared_prefix) {
    to->set_shared_prefix(*spec.shared_prefix == SharedPrefix::kCompress
                              ? v1::SHARED_PREFIX_COMPRESS
                              : v1::SHARED_PREFIX_KEEP);
  }
}

v1::Trigger FromTrigger(Trigger trigger) {
  switch (trigger) {
    case Trigger::kPrefillEnd:
      return v1::TRIGGER_PREFILL_END;
    case Trigger::kEvery:
      return v1::TRIGGER_EVERY;
    case Trigger::kPressure:
      return v1::TRIGGER_PRESSURE;
    case Trigger::kRequest:
      return v1::TRIGGER_REQUEST;
  }
  return v1::TRIGGER_UNSPECIFIED;
}

v1::JobReport::Outcome FromOutcome(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::kCommitted:
      return v1::JobReport::OUTCOME_COMMITTED;
    case JobOutcome::kNothingToEvict:
      return v1::JobReport::OUTCOME_NOTHING_TO_EVICT;
    case JobOutcome::kCancelled:
      return v1::JobReport::OUTCOME_CANCELLED;
    case JobOutcome::kSkipped:
      return v1::JobReport::OUTCOME_SKIPPED;
    case JobOutcome::kDryRun:
      return v1::JobReport::OUTCOME_DRY_RUN;
    case JobOutcome::kRunning:
      return v1::JobReport::OUTCOME_RUNNING;
  }
  return v1::JobReport::OUTCOME_UNSPECIFIED;
}

template <class T>
std::optional<int64_t> Optional(bool has, T value) {
  return has ? std::optional<int64_t>(value) : std::nullopt;
}

}  // namespace

PolicySpec ToPolicySpec(const v1::Policy& policy) {
  const v1::Parameters& from = policy.parameters();
  PolicySpec spec;
  spec.preset = policy.preset();
  spec.sink_tokens = Optional(from.has_sink_tokens(), from.sink_tokens());
  spec.recent_tokens = Optional(from.has_recent_tokens(), from.recent_tokens());
  spec.budget_tokens = Optional(from.has_budget_tokens(), from.budget_tokens());
  spec.prune_after_tokens = Optional(from.has_prune_after_tokens(), from.prune_after_tokens());
  spec.protect_first_tokens =
      Optional(from.has_protect_first_tokens(), from.protect_first_tokens());
  spec.protect_last_tokens = Optional(from.has_protect_last_tokens(), from.protect_last_tokens());
  ToWindowSpec(from, spec);
  ToAccumulatedSpec(from, spec);
  ToCascadeSpec(from, spec);
  if (from.has_ratio()) spec.ratio = ToRatio(from.ratio());
  if (from.has_skip_layers()) {
    const auto& layers = from.skip_layers().layers();
    spec.skip_layers = std::vector<int32_t>(layers.begin(), layers.end());
  }
  if (from.has_triggers()) spec.triggers = ToTriggers(from.triggers());
  if (from.visible() != v1::VISIBLE_UNSPECIFIED) {
    spec.visible =
        from.visible() == v1::VISIBLE_WHEN_DUE ? Visible::kWhenDue : Visible::kWhenReady;
  }
  if (from.shared_prefix() != v1::SHARED_PREFIX_UNSPECIFIED) {
    spec.shared_prefix = from.shared_prefix() == v1::SHARED_PREFIX_COMPRESS
                             ? SharedPrefix::kCompress
                             : SharedPrefix::kKeep;
  }
  return spec;
}

void FromPolicy(const Policy& policy, v1::ResolvedPolicy* to) {
  to->set_preset(policy.spec().preset);
  FromSpec(policy.spec(), to->mutable_parameters());
  const PolicyNeeds& needs = policy.needs();
  to->mutable_needs()->set_observation_window_tokens(needs.observation_window_tokens);
  to->mutable_needs()->set_every_query_row(needs.q_of_every_row);
  to->mutable_needs()->set_joint_key_value_query(needs.k_v_q_in_one_call);
  to->mutable_needs()->set_rope_table(needs.rope_table);
  to->set_allows_rollback(needs.allows_rollback);
  to->set_adopts_prefixes(needs.adopts_prefix);
}

void FromJobReport(const JobReport& report, v1::JobReport* to) {
  to->set_preset(report.preset);
  to->set_trigger(FromTrigger(report.trigger));
  to->set_outcome(FromOutcome(report.outcome));
  to->set_snapshot_tokens(report.snapshot_tokens);
  to->set_kept_slot_count(report.kept_slots);
  to->set_evicted_slot_count(report.evicted_slots);
  to->set_freed_bytes(report.freed_bytes);
  to->set_freed_later_bytes(report.freed_later_bytes);
  to->set_detail(report.detail);
  FromDuration(report.duration, to->mutable_duration());
  if (report.evicted_mass_share) to->set_evicted_mass_share(*report.evicted_mass_share);
  for (const LayerLoss& layer : report.layers) {
    v1::JobReport::LayerLoss* loss = to->add_layers();
    loss->set_layer(layer.layer);
    loss->set_evicted_slot_count(layer.evicted_slots);
    if (layer.evicted_mass_share) loss->set_evicted_mass_share(*layer.evicted_mass_share);
  }
}

}  // namespace sluice
