// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/ops.h"

namespace sluice {

// Angles of a rotary embedding as the engine computed them.
struct RopeAngles {
  std::vector<float> inv_freq;  // [rotary_dim / 2]
  int32_t rotary_dim = 0;
  RopePairing pairing = RopePairing::kHalfSplit;
  float attention_factor = 1.0f;
};

// One layer of a model.
struct LayerGeometry {
  int32_t kv_heads = 0;
  int64_t window_tokens = 0;            // 0: none
  int32_t source_layer = -1;            // whose cache it reads; -1: its own
  int32_t rope_table = -1;              // index into ModelGeometry::rope_tables; -1: none
  std::vector<float> sink_logits;       // [query_heads], or empty
};

// A model as an engine registers it.
struct ModelGeometry {
  std::string name;  // 1 to 256 bytes
  int32_t query_heads = 0;
  int32_t k_dim = 0;
  int32_t v_dim = 0;
  Dtype dtype = Dtype::kBf16;          // of stored keys and values
  std::optional<float> scale;          // default: 1 / sqrt(k_dim)
  float logit_soft_cap = 0;            // 0: none
  int32_t page_size_tokens = 32;
  bool keys_rotated = true;            // keys and queries arrive rotated
  std::vector<LayerGeometry> layers;
  std::vector<RopeAngles> rope_tables;
};

// A registered model: its geometry, checked, and what follows from it.
//
// Immutable; kernels read its LayerShapes until the daemon ends.
class Model {
 public:
  // `layout`: of its pages. INVALID_ARGUMENT (FIELD_INVALID) naming the field, what
  // came and what is allowed.
  static absl::StatusOr<Model> Create(ModelGeometry geometry, int64_t slab_bytes,
                                      PageLayout layout = PageLayout::kGroup16);

  const ModelGeometry& geometry() const { return geometry_; }
  // SHA-256 over all of the geometry and the name (models of one geometry with
  // other weights must never meet), truncated to 128 bits, in hexadecimal.
  const std::string& fingerprint() const { return fingerprint_; }
  // Rows of the model: one a (layer with its own cache, kv head), layer by layer.
  int32_t row_count() const { return row_count_; }
  int32_t layer_count() const { return static_cast<int32_t>(geometry_.layers.size()); }
  // The shape kernels see; its first_row is that of the source layer.
  const LayerShape& shape(int32_t layer) const { return shapes_[static_cast<size_t>(layer)]; }
  // The first layer with as many heads, as wide, and with the same window: calls of
  // both cost the same.
  int32_t first_alike(int32_t layer) const { return first_alike_[static_cast<size_t>(layer)]; }
  bool owns_cache(int32_t layer) const {
    return geometry_.layers[static_cast<size_t>(layer)].source_layer < 0;
  }
  // Layers that own a cache: all, and those before `layer`.
  int32_t own_layer_count() const { return own_layers_below_.back(); }
  int32_t own_index(int32_t layer) const { return own_layers_below_[static_cast<size_t>(layer)]; }
  const SpanFormat& format() const { return format_; }
  int64_t page_bytes() const { return format_.slab.page_bytes; }
  // Bytes of a block: page_size_tokens tokens over all rows.
  int64_t block_bytes() const { return page_bytes() * row_count_; }

 private:
  Model() = default;

  ModelGeometry geometry_;
  std::string fingerprint_;
  int32_t row_count_ = 0;
  std::vector<LayerShape> shapes_;  // [layers]; point into geometry_
  std::vector<int32_t> first_alike_;  // [layers]
  std::vector<int32_t> own_layers_below_ = {0};  // [layers + 1]
  SpanFormat format_;
};

}  // namespace sluice
