// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What a policy is asked to be: a preset and what is to differ from it. Plain
// values, a mirror of the wire's `Policy`; absent means the preset's default.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/policy/accumulated_score.h"
#include "daemon/policy/window_score.h"

namespace sluice {

// A share of a number of slots, turned into a count in double precision exactly
// as the papers' code does (KeptOf in ratio_budget.h).
struct Ratio {
  enum class Of : uint8_t { kKept, kRemoved };
  enum class Rounding : uint8_t { kFloor, kCeil };

  double value = 1.0;  // kKept: above 0, at most 1; kRemoved: at least 0, below 1
  Of of = Of::kKept;
  Rounding rounding = Rounding::kCeil;

  bool operator==(const Ratio&) const = default;
};

// When a policy acts by itself. On request it always does.
struct TriggerSpec {
  bool prefill_end = false;
  bool once = false;  // only the first end of prefill; needs prefill_end
  std::optional<int64_t> every_tokens = std::nullopt;       // absent: never; at least 1 token
  std::optional<int64_t> hysteresis_tokens = std::nullopt;  // of `every`; at least 0
  bool pressure = false;

  bool operator==(const TriggerSpec&) const = default;
};

// Whether a sequence's next step waits for its job.
enum class Visible : uint8_t { kWhenDue, kWhenReady };

// What happens to tokens that a sequence adopted, or had when it was forked.
enum class SharedPrefix : uint8_t { kCompress, kKeep };

// How the heads of a layer share its budget by their winners (AdaKV).
enum class HeadBudget : uint8_t {
  kOfficial,   // a floor for each, the rest by winners (the authors' code)
  kSafeguard,  // the best of each are safe, then the layer's best (kvpress)
};

// How the layers' budgets follow from their winners (DynamicKV).
enum class LayerArithmetic : uint8_t {
  kReference,  // every rounding of the authors' code
  kExact,      // in integers
};

struct PolicySpec {
  std::string preset = {};  // empty: full
  std::optional<int64_t> sink_tokens = {};
  std::optional<int64_t> recent_tokens = {};
  std::optional<int64_t> budget_tokens = {};
  std::optional<Ratio> ratio = {};
  std::optional<int64_t> prune_after_tokens = {};
  std::optional<std::vector<int32_t>> skip_layers = {};
  std::optional<int64_t> protect_first_tokens = {};
  std::optional<int64_t> protect_last_tokens = {};
  std::optional<int64_t> window_tokens = {};
  std::optional<ScorePool> pool = {};
  std::optional<int64_t> pool_width = {};
  std::optional<HeadReduce> group_reduce = {};
  std::optional<int64_t> beta = {};
  std::optional<int64_t> low_end_tokens = {};
  std::optional<double> alpha = {};
  std::optional<HeadBudget> head_budget = {};
  std::optional<double> r_max = {};
  std::optional<int64_t> update_every_layers = {};
  std::optional<LayerArithmetic> arithmetic = {};
  std::optional<int64_t> heavy_tokens = {};
  std::optional<double> decay = {};
  std::optional<bool> squared = {};
  std::optional<ScoreNormalise> normalise = {};
  std::optional<int64_t> cascade_tokens = {};
  std::optional<int64_t> cascades = {};
  std::optional<std::vector<int64_t>> periods = {};  // [cascades]
  std::optional<bool> eager_fill = {};
  std::optional<int64_t> stride_tokens = {};
  std::optional<TriggerSpec> triggers = {};
  std::optional<Visible> visible = {};
  std::optional<SharedPrefix> shared_prefix = {};

  bool operator==(const PolicySpec&) const = default;
};

}  // namespace sluice
