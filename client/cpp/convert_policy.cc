// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/convert_policy.h"

#include "client/cpp/convert_common.h"

namespace sluice::client {
namespace {

void ToWire(const Triggers& triggers, v1::Triggers* out) {
  out->set_prefill_end(triggers.prefill_end);
  out->set_once(triggers.once);
  out->set_pressure(triggers.pressure);
  if (!triggers.every) return;
  out->mutable_every()->set_tokens(triggers.every->tokens);
  if (triggers.every->hysteresis_tokens) {
    out->mutable_every()->set_hysteresis_tokens(*triggers.every->hysteresis_tokens);
  }
}

Triggers FromWire(const v1::Triggers& triggers) {
  Triggers out{triggers.prefill_end(), triggers.once(), std::nullopt, triggers.pressure()};
  if (!triggers.has_every()) return out;
  out.every = EveryTrigger{triggers.every().tokens(), std::nullopt};
  if (triggers.every().has_hysteresis_tokens()) {
    out.every->hysteresis_tokens = triggers.every().hysteresis_tokens();
  }
  return out;
}

void ToWire(const Ratio& ratio, v1::Ratio* out) {
  out->set_value(ratio.value);
  out->set_of(static_cast<v1::Ratio::Of>(ratio.of));
  out->set_rounding(static_cast<v1::Ratio::Rounding>(ratio.rounding));
}

Ratio FromWire(const v1::Ratio& ratio) {
  return {ratio.value(), static_cast<Ratio::Of>(ratio.of()),
          static_cast<Ratio::Rounding>(ratio.rounding())};
}

void TokensToWire(const Policy& policy, v1::Parameters* out) {
  if (policy.sink_tokens) out->set_sink_tokens(*policy.sink_tokens);
  if (policy.recent_tokens) out->set_recent_tokens(*policy.recent_tokens);
  if (policy.budget_tokens) out->set_budget_tokens(*policy.budget_tokens);
  if (policy.prune_after_tokens) out->set_prune_after_tokens(*policy.prune_after_tokens);
  if (policy.protect_first_tokens) out->set_protect_first_tokens(*policy.protect_first_tokens);
  if (policy.protect_last_tokens) out->set_protect_last_tokens(*policy.protect_last_tokens);
}

void TokensFromWire(const v1::Parameters& wire, Policy* out) {
  if (wire.has_sink_tokens()) out->sink_tokens = wire.sink_tokens();
  if (wire.has_recent_tokens()) out->recent_tokens = wire.recent_tokens();
  if (wire.has_budget_tokens()) out->budget_tokens = wire.budget_tokens();
  if (wire.has_prune_after_tokens()) out->prune_after_tokens = wire.prune_after_tokens();
  if (wire.has_protect_first_tokens()) out->protect_first_tokens = wire.protect_first_tokens();
  if (wire.has_protect_last_tokens()) out->protect_last_tokens = wire.protect_last_tokens();
}

void WindowToWire(const Policy& policy, v1::Parameters* out) {
  if (policy.window_tokens) out->set_window_tokens(*policy.window_tokens);
  out->set_pool(static_cast<v1::ScorePool>(policy.pool));
  if (policy.pool_width) out->set_pool_width(*policy.pool_width);
  out->set_group_reduce(static_cast<v1::GroupReduce>(policy.group_reduce));
  if (policy.beta) out->set_beta(*policy.beta);
  if (policy.low_end_tokens) out->set_low_end_tokens(*policy.low_end_tokens);
  if (policy.alpha) out->set_alpha(*policy.alpha);
  out->set_head_budget(static_cast<v1::HeadBudget>(policy.head_budget));
  if (policy.r_max) out->set_r_max(*policy.r_max);
  if (policy.update_every_layers) out->set_update_every_layers(*policy.update_every_layers);
  out->set_arithmetic(static_cast<v1::LayerArithmetic>(policy.arithmetic));
}

void WindowFromWire(const v1::Parameters& wire, Policy* out) {
  if (wire.has_window_tokens()) out->window_tokens = wire.window_tokens();
  out->pool = static_cast<Policy::ScorePool>(wire.pool());
  if (wire.has_pool_width()) out->pool_width = wire.pool_width();
  out->group_reduce = static_cast<Policy::GroupReduce>(wire.group_reduce());
  if (wire.has_beta()) out->beta = wire.beta();
  if (wire.has_low_end_tokens()) out->low_end_tokens = wire.low_end_tokens();
  if (wire.has_alpha()) out->alpha = wire.alpha();
  out->head_budget = static_cast<Policy::HeadBudget>(wire.head_budget());
  if (wire.has_r_max()) out->r_max = wire.r_max();
  if (wire.has_update_every_layers()) out->update_every_layers = wire.update_every_layers();
  out->arithmetic = static_cast<Policy::LayerArithmetic>(wire.arithmetic());
}

void AccumulatedToWire(const Policy& policy, v1::Parameters* out) {
  if (policy.heavy_tokens) out->set_heavy_tokens(*policy.heavy_tokens);
  if (policy.decay) out->set_decay(*policy.decay);
  if (policy.squared) out->set_squared(*policy.squared);
  out->set_normalise(static_cast<v1::ScoreNormalise>(policy.normalise));
}

void AccumulatedFromWire(const v1::Parameters& wire, Policy* out) {
  if (wire.has_heavy_tokens()) out->heavy_tokens = wire.heavy_tokens();
  if (wire.has_decay()) out->decay = wire.decay();
  if (wire.has_squared()) out->squared = wire.squared();
  out->normalise = static_cast<Policy::ScoreNormalise>(wire.normalise());
}

void CascadeToWire(const Policy& policy, v1::Parameters* out) {
  if (policy.cascade_tokens) out->set_cascade_tokens(*policy.cascade_tokens);
  if (policy.cascades) out->set_cascades(*policy.cascades);
  if (policy.periods) {
    out->mutable_periods()->mutable_tokens()->Assign(policy.periods->begin(),
                                                     policy.periods->end());
  }
  if (policy.eager_fill) out->set_eager_fill(*policy.eager_fill);
  if (policy.stride_tokens) out->set_stride_tokens(*policy.stride_tokens);
}

void CascadeFromWire(const v1::Parameters& wire, Policy* out) {
  if (wire.has_cascade_tokens()) out->cascade_tokens = wire.cascade_tokens();
  if (wire.has_cascades()) out->cascades = wire.cascades();
  if (wire.has_periods()) out->periods = client::FromWire(wire.periods().tokens());
  if (wire.has_eager_fill()) out->eager_fill = wire.eager_fill();
  if (wire.has_stride_tokens()) out->stride_tokens = wire.stride_tokens();
}

Policy FromWire(const std::string& preset, const v1::Parameters& wire) {
  Policy out;
  out.preset = preset;
  TokensFromWire(wire, &out);
  WindowFromWire(wire, &out);
  AccumulatedFromWire(wire, &out);
  CascadeFromWire(wire, &out);
  if (wire.has_ratio()) out.ratio = FromWire(wire.ratio());
  if (wire.has_skip_layers()) out.skip_layers = client::FromWire(wire.skip_layers().layers());
  if (wire.has_triggers()) out.triggers = FromWire(wire.triggers());
  out.visible = static_cast<Policy::Visible>(wire.visible());
  out.shared_prefix = static_cast<Policy::SharedPrefix>(wire.shared_prefix());
  return out;
}

}  // namespace

void ToWire(const Policy& policy, v1::Policy* out) {
  out->set_preset(policy.preset);
  v1::Parameters* parameters = out->mutable_parameters();
  TokensToWire(policy, parameters);
  WindowToWire(policy, parameters);
  AccumulatedToWire(policy, parameters);
  CascadeToWire(policy, parameters);
  if (policy.ratio) ToWire(*policy.ratio, parameters->mutable_ratio());
  if (policy.skip_layers) {
    ToWire(*policy.skip_layers, parameters->mutable_skip_layers()->mutable_layers());
  }
  if (policy.triggers) ToWire(*policy.triggers, parameters->mutable_triggers());
  parameters->set_visible(static_cast<v1::Visible>(policy.visible));
  parameters->set_shared_prefix(static_cast<v1::SharedPrefix>(policy.shared_prefix));
}

ResolvedPolicy FromWire(const v1::ResolvedPolicy& policy) {
  const v1::PolicyNeeds& needs = policy.needs();
  return {FromWire(policy.preset(), policy.parameters()),
          needs.observation_window_tokens(),
          needs.every_query_row(),
          needs.joint_key_value_query(),
          needs.rope_table(),
          policy.allows_rollback(),
          policy.adopts_prefixes()};
}

JobReport FromWire(const v1::JobReport& report) {
  JobReport out;
  out.preset = report.preset();
  out.trigger = static_cast<JobReport::Trigger>(report.trigger());
  out.outcome = static_cast<JobReport::Outcome>(report.outcome());
  out.snapshot_tokens = report.snapshot_tokens();
  out.kept_slot_count = report.kept_slot_count();
  out.evicted_slot_count = report.evicted_slot_count();
  out.freed_bytes = report.freed_bytes();
  out.duration = client::FromWire(report.duration());
  if (report.has_evicted_mass_share()) out.evicted_mass_share = report.evicted_mass_share();
  out.freed_later_bytes = report.freed_later_bytes();
  out.detail = report.detail();
  for (const v1::JobReport::LayerLoss& layer : report.layers()) {
    out.layers.push_back({layer.layer(), layer.evicted_slot_count(), std::nullopt});
    if (layer.has_evicted_mass_share()) {
      out.layers.back().evicted_mass_share = layer.evicted_mass_share();
    }
  }
  return out;
}

}  // namespace sluice::client
