// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sluice::client {

// A share of a number of tokens. Meaning and ranges: sluice.v1.Ratio.
struct Ratio {
  enum class Of { kKept = 1, kRemoved = 2 };
  enum class Rounding { kFloor = 1, kCeil = 2 };

  double value = 0;
  Of of = Of::kKept;
  Rounding rounding = Rounding::kFloor;
};

// Acts each time that decode steps have added `tokens` tokens.
struct EveryTrigger {
  int64_t tokens = 0;
  std::optional<int64_t> hysteresis_tokens = {};  // none: max(page size, budget / 16)
};

// When a policy acts by itself; what is not named is off.
struct Triggers {
  bool prefill_end = false;
  bool once = false;  // at the first end of prefill only
  std::optional<EveryTrigger> every = {};
  bool pressure = false;  // when the pool is short of memory
};

// A preset, and what differs from its defaults: each parameter that is given must
// be one of the preset's. Meaning, defaults and ranges: sluice.v1.Parameters.
struct Policy {
  enum class Visible { kDefault = 0, kWhenDue = 1, kWhenReady = 2 };
  enum class SharedPrefix { kDefault = 0, kCompress = 1, kKeep = 2 };
  enum class ScorePool { kDefault = 0, kNone = 1, kAverage = 2, kMax = 3 };
  enum class GroupReduce { kDefault = 0, kMean = 1, kMax = 2, kSum = 3, kMedian = 4 };
  enum class HeadBudget { kDefault = 0, kOfficial = 1, kSafeguard = 2 };
  enum class LayerArithmetic { kDefault = 0, kReference = 1, kExact = 2 };
  enum class ScoreNormalise { kDefault = 0, kNone = 1, kMean = 2 };

  std::string preset = {};  // "full", "sink_window", "l2norm", ...; empty: full
  std::optional<int64_t> sink_tokens = {};
  std::optional<int64_t> recent_tokens = {};
  std::optional<int64_t> budget_tokens = {};
  std::optional<Ratio> ratio = {};
  std::optional<int64_t> prune_after_tokens = {};
  std::optional<std::vector<int32_t>> skip_layers = {};
  std::optional<int64_t> protect_first_tokens = {};
  std::optional<int64_t> protect_last_tokens = {};
  std::optional<int64_t> window_tokens = {};
  ScorePool pool = ScorePool::kDefault;
  std::optional<int64_t> pool_width = {};
  GroupReduce group_reduce = GroupReduce::kDefault;
  std::optional<int64_t> beta = {};
  std::optional<int64_t> low_end_tokens = {};
  std::optional<double> alpha = {};
  HeadBudget head_budget = HeadBudget::kDefault;
  std::optional<double> r_max = {};
  std::optional<int64_t> update_every_layers = {};
  LayerArithmetic arithmetic = LayerArithmetic::kDefault;
  std::optional<int64_t> heavy_tokens = {};
  std::optional<double> decay = {};
  std::optional<bool> squared = {};
  ScoreNormalise normalise = ScoreNormalise::kDefault;
  std::optional<int64_t> cascade_tokens = {};
  std::optional<int64_t> cascades = {};
  std::optional<std::vector<int64_t>> periods = {};
  std::optional<bool> eager_fill = {};
  std::optional<int64_t> stride_tokens = {};
  std::optional<Triggers> triggers = {};
  Visible visible = Visible::kDefault;
  SharedPrefix shared_prefix = SharedPrefix::kDefault;
};

// A policy as the daemon applies it, and what it needs of its client.
struct ResolvedPolicy {
  Policy policy = {};  // every parameter that the preset has, with the value in force
  int64_t observation_window_tokens = 0;  // last query rows that the daemon must see
  bool needs_every_query_row = false;     // every query row goes through Attend
  bool needs_joint_attend = false;        // k, v and q of a token come in one Attend
  bool needs_rope_table = false;
  bool allows_rollback = false;
  bool adopts_prefixes = false;
};

// What a job took from the head caches of a layer.
struct LayerLoss {
  int32_t layer = 0;
  int64_t evicted_slot_count = 0;
  std::optional<double> evicted_mass_share = {};
};

// What a job on a sequence did. Meaning: sluice.v1.JobReport.
struct JobReport {
  enum class Trigger { kNone = 0, kPrefillEnd = 1, kEvery = 2, kPressure = 3, kRequest = 4 };
  enum class Outcome {
    kNone = 0,
    kCommitted = 1,
    kNothingToEvict = 2,
    kCancelled = 3,
    kSkipped = 4,
    kDryRun = 5,
    kRunning = 6,
  };

  std::string preset = {};
  Trigger trigger = Trigger::kNone;
  Outcome outcome = Outcome::kNone;
  int64_t snapshot_tokens = 0;
  int64_t kept_slot_count = 0;  // this and the next over all layers and kv heads
  int64_t evicted_slot_count = 0;
  int64_t freed_bytes = 0;
  absl::Duration duration = {};
  std::optional<double> evicted_mass_share = {};
  int64_t freed_later_bytes = 0;  // once others that share the pages let go
  std::string detail = {};        // why it was skipped or cancelled
  std::vector<LayerLoss> layers = {};  // empty: nothing was committed
};

}  // namespace sluice::client
