// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/model.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/hash.h"
#include "daemon/base/range.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxHeads = 1024;
constexpr int64_t kMaxHeadDim = 256;
constexpr int64_t kHeadDimMultiple = 16;
constexpr int64_t kMaxGroup = 16;
// Over all layers: devices take what is to be known of all rows of a model at once.
constexpr int64_t kMaxRows = 65536;
// Of a token's queries and answers: devices take 64 of them at once, 32 MiB in fp32.
constexpr int64_t kMaxTokenElements = 131072;
constexpr int64_t kMaxWindowTokens = int64_t{1} << 30;
constexpr int64_t kMaxNameBytes = 256;

absl::Status InRange(absl::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return RefuseRange(field, value, low, high);
}

absl::Status CheckHeadDim(absl::string_view field, int64_t dim) {
  SLUICE_RETURN_IF_ERROR(InRange(field, dim, kHeadDimMultiple, kMaxHeadDim));
  if (dim % kHeadDimMultiple == 0) return absl::OkStatus();
  return RefuseField(field,
                     absl::StrCat("must be a multiple of ", kHeadDimMultiple, ", got ", dim));
}

absl::Status CheckRopeTable(const std::string& field, const RopeAngles& table, int32_t k_dim) {
  SLUICE_RETURN_IF_ERROR(InRange(field + ".rotary_dim", table.rotary_dim, 2, k_dim));
  if (table.rotary_dim % 2 != 0) {
    return RefuseField(field + ".rotary_dim",
                       absl::StrCat("must be even, got ", table.rotary_dim));
  }
  if (static_cast<int64_t>(table.inv_freq.size()) != table.rotary_dim / 2) {
    return RefuseField(field + ".inv_freq",
                       absl::StrCat("must have rotary_dim / 2 = ", table.rotary_dim / 2,
                                    " elements, got ", table.inv_freq.size()));
  }
  for (const float inv_freq : table.inv_freq) {
    if (!std::isfinite(inv_freq)) {
      return RefuseField(field + ".inv_freq", absl::StrCat("must be finite, got ", inv_freq));
    }
  }
  if (!std::isfinite(table.attention_factor) || table.attention_factor <= 0) {
    return RefuseField(field + ".attention_factor",
                       absl::StrCat("must be finite and > 0, got ", table.attention_factor));
  }
  return absl::OkStatus();
}

absl::Status CheckSource(const std::string& field, const ModelGeometry& geometry, int32_t layer) {
  const int32_t source = geometry.layers[static_cast<size_t>(layer)].source_layer;
  SLUICE_RETURN_IF_ERROR(InRange(field + ".source_layer", source, -1, layer - 1));
  if (source < 0) return absl::OkStatus();
  const LayerGeometry& other = geometry.layers[static_cast<size_t>(source)];
  if (other.source_layer >= 0) {
    return RefuseField(field + ".source_layer",
                       absl::StrCat("layer ", source, " reads another's cache itself"));
  }
  if (other.kv_heads != geometry.layers[static_cast<size_t>(layer)].kv_heads) {
    return RefuseField(field + ".source_layer",
                       absl::StrCat("layer ", source, " has ", other.kv_heads, " kv heads, not ",
                                    geometry.layers[static_cast<size_t>(layer)].kv_heads));
  }
  return absl::OkStatus();
}

absl::Status CheckSinkLogits(const std::string& field, const std::vector<float>& logits,
                             int32_t query_heads) {
  if (logits.empty()) return absl::OkStatus();
  if (static_cast<int64_t>(logits.size()) != query_heads) {
    return RefuseField(field, absl::StrCat("must have query_head_count = ", query_heads,
                                           " elements or none, got ", logits.size()));
  }
  for (const float logit : logits) {
    if (!std::isfinite(logit)) return RefuseField(field, "must be finite");
  }
  return absl::OkStatus();
}

absl::Status CheckLayer(const ModelGeometry& geometry, int32_t layer) {
  const LayerGeometry& shape = geometry.layers[static_cast<size_t>(layer)];
  const std::string field = absl::StrCat("layers[", layer, "]");
  SLUICE_RETURN_IF_ERROR(InRange(field + ".kv_head_count", shape.kv_heads, 1, kMaxHeads));
  if (geometry.query_heads % shape.kv_heads != 0 ||
      geometry.query_heads / shape.kv_heads > kMaxGroup) {
    return RefuseField(field + ".kv_head_count",
                       absl::StrCat("query_head_count ", geometry.query_heads,
                                    " must be 1 to ", kMaxGroup, " times it, got ", shape.kv_heads));
  }
  SLUICE_RETURN_IF_ERROR(
      InRange(field + ".window_tokens", shape.window_tokens, 0, kMaxWindowTokens));
  SLUICE_RETURN_IF_ERROR(InRange(field + ".rope_table_index", shape.rope_table, -1,
                                 static_cast<int64_t>(geometry.rope_tables.size()) - 1));
  SLUICE_RETURN_IF_ERROR(
      CheckSinkLogits(field + ".sink_logits", shape.sink_logits, geometry.query_heads));
  return CheckSource(field, geometry, layer);
}

absl::Status CheckScalars(const ModelGeometry& geometry) {
  SLUICE_RETURN_IF_ERROR(
      InRange("name", static_cast<int64_t>(geometry.name.size()), 1, kMaxNameBytes));
  SLUICE_RETURN_IF_ERROR(InRange("query_head_count", geometry.query_heads, 1, kMaxHeads));
  SLUICE_RETURN_IF_ERROR(CheckHeadDim("k_dim", geometry.k_dim));
  SLUICE_RETURN_IF_ERROR(CheckHeadDim("v_dim", geometry.v_dim));
  if (geometry.page_size_tokens != 16 && geometry.page_size_tokens != 32 &&
      geometry.page_size_tokens != 64) {
    return RefuseField("page_size_tokens", absl::StrCat("must be 16, 32 or 64, got ",
                                                        geometry.page_size_tokens));
  }
  if (geometry.scale.has_value() && !(std::isfinite(*geometry.scale) && *geometry.scale > 0)) {
    return RefuseField("scale", absl::StrCat("must be finite and > 0, got ", *geometry.scale));
  }
  if (!std::isfinite(geometry.logit_soft_cap) || geometry.logit_soft_cap < 0) {
    return RefuseField("logit_soft_cap", absl::StrCat("must be finite and >= 0, got ",
                                                      geometry.logit_soft_cap));
  }
  const int64_t token_elements = int64_t{geometry.query_heads} * (geometry.k_dim + geometry.v_dim);
  if (token_elements > kMaxTokenElements) {
    return RefuseField("query_head_count",
                       absl::StrCat("times k_dim + v_dim must be at most ", kMaxTokenElements,
                                    ", got ", token_elements));
  }
  return InRange("layers", static_cast<int64_t>(geometry.layers.size()), 1, kMaxLayers);
}

// Of layers that are good each.
absl::Status CheckRows(const ModelGeometry& geometry) {
  int64_t rows = 0;
  for (const LayerGeometry& layer : geometry.layers) {
    if (layer.source_layer < 0) rows += layer.kv_heads;
  }
  if (rows <= kMaxRows) return absl::OkStatus();
  return RefuseField("layers", absl::StrCat("must have at most ", kMaxRows,
                                            " kv heads with a cache of their own, got ", rows));
}

absl::Status Check(const ModelGeometry& geometry) {
  SLUICE_RETURN_IF_ERROR(CheckScalars(geometry));
  for (size_t table = 0; table < geometry.rope_tables.size(); ++table) {
    SLUICE_RETURN_IF_ERROR(CheckRopeTable(absl::StrCat("rope_tables[", table, "]"),
                                          geometry.rope_tables[table], geometry.k_dim));
  }
  for (size_t layer = 0; layer < geometry.layers.size(); ++layer) {
    SLUICE_RETURN_IF_ERROR(CheckLayer(geometry, static_cast<int32_t>(layer)));
  }
  return CheckRows(geometry);
}

// Pages order their dims by RoPE partners, for the whole model alike.
absl::Status CheckOnePairing(const ModelGeometry& geometry) {
  for (size_t table = 1; table < geometry.rope_tables.size(); ++table) {
    const RopeAngles& first = geometry.rope_tables[0];
    const RopeAngles& other = geometry.rope_tables[table];
    if (other.pairing != first.pairing || other.rotary_dim != first.rotary_dim) {
      return RefuseField(absl::StrCat("rope_tables[", table, "]"),
                         "must have the pairing and rotary_dim of rope_tables[0]");
    }
  }
  return absl::OkStatus();
}

PageFormat FormatOf(const ModelGeometry& geometry) {
  PageFormat format;
  format.dtype = geometry.dtype;
  format.page_size = geometry.page_size_tokens;
  format.k_dim = geometry.k_dim;
  format.v_dim = geometry.v_dim;
  if (!geometry.rope_tables.empty()) {
    format.pairing = geometry.rope_tables[0].pairing;
    format.rotary_dim = geometry.rope_tables[0].rotary_dim;
  }
  return format;
}

LayerShape ShapeOf(const ModelGeometry& geometry, const LayerGeometry& layer, int32_t first_row) {
  LayerShape shape;
  shape.first_row = first_row;
  shape.kv_heads = layer.kv_heads;
  shape.q_heads = geometry.query_heads;
  shape.k_dim = geometry.k_dim;
  shape.v_dim = geometry.v_dim;
  shape.scale = geometry.scale.value_or(1.0f / std::sqrt(static_cast<float>(geometry.k_dim)));
  shape.soft_cap = geometry.logit_soft_cap;
  shape.window = static_cast<int32_t>(layer.window_tokens);
  shape.sink_logits = layer.sink_logits.empty() ? nullptr : layer.sink_logits.data();
  if (layer.rope_table >= 0) {
    const RopeAngles& table = geometry.rope_tables[static_cast<size_t>(layer.rope_table)];
    shape.rope = {table.inv_freq.data(), table.rotary_dim, table.pairing, table.attention_factor,
                  geometry.keys_rotated};
  }
  return shape;
}

std::vector<int32_t> FirstAlike(const std::vector<LayerGeometry>& layers) {
  absl::flat_hash_map<std::pair<int32_t, int64_t>, int32_t> firsts;
  std::vector<int32_t> first_alike;
  first_alike.reserve(layers.size());
  for (const LayerGeometry& layer : layers) {
    const auto number = static_cast<int32_t>(first_alike.size());
    const auto [first, is_new] =
        firsts.try_emplace({layer.kv_heads, layer.window_tokens}, number);
    first_alike.push_back(first->second);
  }
  return first_alike;
}

void AddFloats(Hasher& hasher, const std::vector<float>& values) {
  hasher.AddBytes(std::as_bytes(std::span(values)));
}

std::string FingerprintOf(const ModelGeometry& geometry, float scale) {
  Hasher hasher;
  hasher.AddString("sluice model geometry 1");
  hasher.AddString(geometry.name);
  for (const int64_t value :
       {int64_t{geometry.query_heads}, int64_t{geometry.k_dim}, int64_t{geometry.v_dim},
        static_cast<int64_t>(geometry.dtype), int64_t{geometry.page_size_tokens},
        int64_t{geometry.keys_rotated}}) {
    hasher.AddInt64(value);
  }
  AddFloats(hasher, {scale, geometry.logit_soft_cap});
  hasher.AddInt64(static_cast<int64_t>(geometry.layers.size()));
  for (const LayerGeometry& layer : geometry.layers) {
    for (const int64_t value : {int64_t{layer.kv_heads}, layer.window_tokens,
                                int64_t{layer.source_layer}, int64_t{layer.rope_table}}) {
      hasher.AddInt64(value);
    }
    AddFloats(hasher, layer.sink_logits);
  }
  for (const RopeAngles& table : geometry.rope_tables) {
    hasher.AddInt64(table.rotary_dim);
    hasher.AddInt64(static_cast<int64_t>(table.pairing));
    AddFloats(hasher, table.inv_freq);
    AddFloats(hasher, {table.attention_factor});
  }
  return hasher.Finish().ToHex();
}

}  // namespace

absl::StatusOr<Model> Model::Create(ModelGeometry geometry, int64_t slab_bytes,
                                    PageLayout layout) {
  SLUICE_RETURN_IF_ERROR(Check(geometry));
  SLUICE_RETURN_IF_ERROR(CheckOnePairing(geometry));
  Model model;
  model.geometry_ = std::move(geometry);
  std::vector<int32_t> first_rows;
  for (const LayerGeometry& layer : model.geometry_.layers) {
    const bool own = layer.source_layer < 0;
    first_rows.push_back(own ? model.row_count_
                             : first_rows[static_cast<size_t>(layer.source_layer)]);
    model.shapes_.push_back(ShapeOf(model.geometry_, layer, first_rows.back()));
    model.shapes_.back().layer = static_cast<int32_t>(first_rows.size()) - 1;
    model.own_layers_below_.push_back(model.own_layer_count() + (own ? 1 : 0));
    if (own) model.row_count_ += layer.kv_heads;
  }
  model.first_alike_ = FirstAlike(model.geometry_.layers);
  model.format_.page = FormatOf(model.geometry_);
  model.format_.page.layout = layout;
  model.format_.slab = MakeSlabLayout(model.format_.page, slab_bytes);
  if (model.format_.slab.pages < 1) {
    return RefuseField("page_size_tokens",
                       absl::StrCat("a page of ", PageBytes(model.format_.page),
                                    " bytes does not fit a slab of ", slab_bytes, " bytes"));
  }
  model.fingerprint_ = FingerprintOf(model.geometry_, model.shapes_[0].scale);
  return model;
}

}  // namespace sluice
