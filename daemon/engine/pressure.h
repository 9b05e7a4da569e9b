// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "daemon/engine/core.h"
#include "daemon/engine/jobs.h"
#include "daemon/policy/pool_budget.h"

namespace sluice {

// The reallocator (design: "Pressure"): from the high watermark of the pool on, of what
// is reserved and in use, it takes budget from the sequences whose policy names the
// trigger `pressure`, until the low watermark. Who gives how much counts alone decide
// (pool_budget.h); what goes of a sequence is an ordinary job's to find
// (pressure_policy.h), and no step waits for it unless it has to go by passes.
//
// It works in slices: some sequences looked at a turn, some jobs at a time, half of a
// sequence a job. Where nobody can give anything it rests for kRest.
//
// Not thread-safe: owned by the engine thread. Nothing waits.
class Pressure {
 public:
  static constexpr absl::Duration kRest = absl::Milliseconds(100);
  // What the background lane gets of the backend's time meanwhile.
  static constexpr double kBackgroundShare = 0.25;
  // Of its own at a time, beside those that wait for a step of their sequence to close.
  static constexpr int64_t kMostJobs = 4;
  static constexpr int64_t kMostCutsOfCall = 64;    // of one Reclaim
  static constexpr int64_t kMostLookedAt = 128;     // sequences a turn

  Pressure(Core& core, Jobs& jobs);

  // Queues jobs if there is need. True if it did, or has not looked at all yet.
  bool Pump(absl::Duration now);

  // When it wants to look again; infinite: when anything happens.
  absl::Duration NextDeadline() const;

  // Says who would give how much for the bytes asked for, and unless it is a dry run
  // queues their jobs, whatever the watermarks.
  void Reclaim(ReclaimMemory command);

  PressureStatus status() const { return {high_bytes_, low_bytes_, active_}; }

 private:
  // A job of its own that has not ended.
  struct UnderWay {
    uint64_t sequence = 0;
    int32_t tenant = 0;
    FreedBytes freed;
  };
  // A cut of a sequence, and the policy that its job runs.
  struct Cut {
    SequenceState* sequence = nullptr;
    PolicyPtr policy;
    PoolCut cut;
  };

  void SetActive(bool active);
  void ForgetEnded();
  bool MayPlan() const;
  int64_t WantedBytes() const;
  std::vector<SequenceState*> Candidates(const absl::flat_hash_set<uint64_t>& without) const;
  std::vector<Cut> Plan(std::span<SequenceState* const> sequences, int64_t wanted_bytes,
                        int64_t most_cuts) const;
  std::vector<int64_t> SpareBytes() const;
  void Start(const Cut& cut);
  bool Rest(absl::Duration now);

  Core& core_;
  Jobs& jobs_;
  const int64_t high_bytes_;
  const int64_t low_bytes_;
  bool active_ = false;
  std::vector<UnderWay> under_way_;
  // Looked at since it last rested, and with nothing to give.
  absl::flat_hash_set<uint64_t> barren_;
  absl::Duration rests_until_ = -absl::InfiniteDuration();
  bool was_called_ = false;  // while it rested
};

}  // namespace sluice
