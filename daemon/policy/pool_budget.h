// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The pool-wide budget: which sequences give how much when memory is short
// (design: "Pressure"). Counts decide between sequences, never scores. Pure
// functions.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace sluice {

// Bounds on the bytes that a job gives back to the pool.
struct FreedBytes {
  int64_t at_least = 0;
  int64_t at_most = 0;
};

// A sequence that may give some of its budget.
struct PoolCandidate {
  int32_t priority = 0;  // the lowest gives first
  int32_t tenant = 0;
  int64_t most_slots = 0;    // Policy::MostSlots: what a budget is compared with
  int64_t floor_tokens = 0;  // no budget is smaller: what its policy protects, at least
  int64_t least_gain_bytes = 1;  // a job that gives back less is not worth its work
  // What a job under a budget of so many tokens a row gives back. Neither bound grows
  // with the budget.
  std::function<FreedBytes(int64_t budget_tokens)> freed;
};

// A budget that one sequence is to be brought to.
struct PoolCut {
  size_t candidate = 0;
  int64_t budget_tokens = 0;
  FreedBytes freed;

  // The smallest budget of a cut: at most half of what the fullest row holds goes at a
  // time, so that equals are levelled and a job stays a slice of the work.
  static int64_t LeastBudget(const PoolCandidate& candidate);
};

// The next cuts towards `wanted_bytes`: of the lowest priority that can give anything,
// and of no other, so that a higher one is left alone until the lower ones are at their
// floors. Who gives back most is first, then the first of the candidates. Each brings at
// least its candidate's least gain, and no more than is wanted needs. `spare_bytes`
// [tenants]: what a tenant holds beyond its guarantee; the cuts of a tenant never take
// more. At most `most_cuts`, a candidate once.
std::vector<PoolCut> CutPoolBudget(std::span<const PoolCandidate> candidates,
                                   std::span<const int64_t> spare_bytes, int64_t wanted_bytes,
                                   int64_t most_cuts);

}  // namespace sluice
