// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/simd_target.h"

#include <atomic>

#include "hwy/highway.h"

namespace sluice::cpu {
namespace {

// 0: the best.
std::atomic<SimdTarget> chosen{0};

}  // namespace

std::vector<SimdTarget> SimdTargets() {
  const SimdTarget previous = CurrentSimdTarget();
  hwy::SetSupportedTargetsForTest(0);
  SimdTarget targets = hwy::SupportedTargets() & HWY_TARGETS;
  UseSimdTarget(previous);
  std::vector<SimdTarget> result;
  for (; targets != 0; targets &= targets - 1) result.push_back(targets & -targets);
  return result;
}

const char* SimdTargetName(SimdTarget target) { return hwy::TargetName(target); }

void UseSimdTarget(SimdTarget target) {
  chosen.store(target, std::memory_order_relaxed);
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

SimdTarget CurrentSimdTarget() {
  const SimdTarget forced = chosen.load(std::memory_order_relaxed);
  if (forced != 0) return forced;
  // Highway numbers better targets with lower bits.
  const SimdTarget targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets & -targets;
}

}  // namespace sluice::cpu
