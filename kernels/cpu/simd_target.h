// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Which instruction set the CPU backend's loops run on: the best that machine
// and build have, unless a test wants another.

#include <cstdint>
#include <vector>

namespace sluice::cpu {

// One of Highway's target bits.
using SimdTarget = int64_t;

// Those that this machine runs and this build holds, the best first.
std::vector<SimdTarget> SimdTargets();

// "AVX3", "AVX2", "SSE4", ...
const char* SimdTargetName(SimdTarget target);

// Runs everything on `target` from now on. For tests: process-wide, and not
// while a backend has work.
void UseSimdTarget(SimdTarget target);

// The target in use.
SimdTarget CurrentSimdTarget();

}  // namespace sluice::cpu
