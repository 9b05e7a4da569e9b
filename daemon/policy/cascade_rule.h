// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace sluice {

// How a policy keeps a sequence without jobs (Cascading KV cache; core methods, section
// 3): the first tokens, then rings, each of which takes in a part of what the one before
// displaces. Without accumulated scores the newer of two tokens wins.
struct CascadeRule {
  int32_t sink_tokens = 0;
  int32_t ring_slots = 1;        // of each ring
  std::vector<int64_t> periods;  // [rings] each takes in every so manieth token, at least 1
  bool eager_fill = true;        // all is taken in until the rings are full
  int32_t stride_tokens = 1;     // of prefill, after which tokens move into the rings

  bool operator==(const CascadeRule&) const = default;
};

}  // namespace sluice
