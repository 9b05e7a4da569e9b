// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The form of a method's worked example: a policy, what comes, and which
// positions are held after every step.

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/policy/policy_spec.h"

namespace sluice::golden {

// One step of a sequence. A prefill step is marked as the prefill's end.
struct Step {
  bool decode = false;
  int64_t tokens = 0;  // that it adds
  // [heads][kept]: positions held once the jobs of the step are committed
  std::vector<std::vector<int32_t>> held;
};

// A sequence from length 0 on a model of one layer, without sliding window.
struct Example {
  std::string name;
  PolicySpec policy;
  std::vector<std::vector<float>> key_norms;  // [heads][tokens]; scripted scores are minus these
  std::vector<Step> steps;
};

}  // namespace sluice::golden
