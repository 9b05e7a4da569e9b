// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cpp/tensor.h"

namespace sluice::client {

// How rotary position embedding turns keys and queries, as the engine computed
// it. Ranges: sluice.v1.RopeTable.
struct RopeTable {
  enum class Pairing { kHalfSplit = 1, kInterleaved = 2 };

  std::vector<float> inv_freq = {};  // the angle per position of each pair, [rotary_dim / 2]
  int32_t rotary_dim = 0;            // how many of the leading dimensions are rotated
  Pairing pairing = Pairing::kHalfSplit;
  std::optional<float> attention_factor = {};  // YaRN's; none: 1
};

// One layer of a model. Ranges: sluice.v1.LayerGeometry.
struct LayerGeometry {
  int32_t kv_head_count = 0;
  int64_t window_tokens = 0;                     // a row sees so many tokens; 0: all
  std::optional<int32_t> source_layer = {};      // the layer whose cache it reads; none: its own
  std::optional<int32_t> rope_table_index = {};  // into ModelGeometry::rope_tables
  std::vector<float> sink_logits = {};           // [query_head_count], or empty
};

// All that the daemon has to know of a model. Ranges: sluice.v1.ModelGeometry.
struct ModelGeometry {
  enum class KeySpace { kRotated = 1, kUnrotated = 2 };

  std::string name = {};  // names the weights, and the rank of a parallel engine
  int32_t query_head_count = 0;
  int32_t k_dim = 0;                         // elements of a key and query row of one head
  int32_t v_dim = 0;                         // elements of a value row of one head
  Dtype dtype = Dtype::kBf16;                // in which keys and values are stored
  std::optional<float> scale = {};           // none: 1 / sqrt(k_dim)
  std::optional<float> logit_soft_cap = {};  // none: no cap
  int32_t page_size_tokens = 0;              // 16, 32 or 64; 0: 32
  KeySpace key_space = KeySpace::kRotated;
  std::vector<LayerGeometry> layers = {};
  std::vector<RopeTable> rope_tables = {};
};

// A model that the daemon knows.
struct RegisteredModel {
  uint64_t model_id = 0;
  std::string fingerprint = {};  // of the geometry, in lower-case hexadecimal
  int64_t block_bytes = 0;       // one block, over all layers and kv heads
};

}  // namespace sluice::client
