// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/policy/facts.h"

namespace sluice {

inline constexpr int64_t kPageSize = 32;

// A model of layers that all have `kv_heads` rows and the window.
inline ModelFacts UniformModel(int32_t layers, int32_t kv_heads, int64_t window_tokens = 0) {
  ModelFacts model;
  model.page_size = kPageSize;
  for (int32_t layer = 0; layer < layers; ++layer) {
    model.layers.push_back({layer * kv_heads, kv_heads, window_tokens});
  }
  return model;
}

// One layer a number of kv heads; with 0 it reads the cache of the layer before.
inline ModelFacts ModelOfHeads(const std::vector<int32_t>& kv_heads) {
  ModelFacts model;
  model.page_size = kPageSize;
  int32_t row = 0;
  for (const int32_t heads : kv_heads) {
    model.layers.push_back({heads > 0 ? row : model.layers.back().first_row, heads, 0});
    row += heads;
  }
  return model;
}

}  // namespace sluice
