// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_model.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

constexpr int kMaxLayers = 1024;
constexpr int kMaxRopeTables = 8;
constexpr int64_t kMaxFingerprintLength = 64;
constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

absl::Status CheckSize(const FieldPath& path, int size, int low, int high) {
  if (size >= low && size <= high) return absl::OkStatus();
  return RefuseField(path.ToString(), absl::StrCat("must have ", low, " to ", high,
                                                   " elements, got ", size));
}

absl::Status CheckLayer(const FieldPath& path, const v1::LayerGeometry& layer, int layer_count,
                        int table_count) {
  if (layer.has_source_layer()) {
    SLUICE_RETURN_IF_ERROR(
        CheckRange(FieldPath(path, "source_layer"), layer.source_layer(), 0, layer_count - 1));
  }
  if (!layer.has_rope_table_index()) return absl::OkStatus();
  if (layer.rope_table_index() >= 0 && layer.rope_table_index() < table_count) {
    return absl::OkStatus();
  }
  return RefuseField(FieldPath(path, "rope_table_index").ToString(),
                     absl::StrCat("must be below the ", table_count, " rope_tables, got ",
                                  layer.rope_table_index()));
}

absl::Status CheckRopeTable(const FieldPath& path, const v1::RopeTable& table) {
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "pairing"), table.pairing(),
                                   v1::RopeTable_Pairing_IsValid(table.pairing()),
                                   /*required=*/true));
  if (!table.has_attention_factor() ||
      (std::isfinite(table.attention_factor()) && table.attention_factor() > 0)) {
    return absl::OkStatus();
  }
  return RefuseField(FieldPath(path, "attention_factor").ToString(),
                     absl::StrCat("must be finite and > 0, got ", table.attention_factor()));
}

absl::Status CheckScalars(const FieldPath& path, const v1::ModelGeometry& geometry) {
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "dtype"), geometry.dtype(),
                                   v1::Dtype_IsValid(geometry.dtype()), /*required=*/true));
  SLUICE_RETURN_IF_ERROR(
      CheckEnum(FieldPath(path, "key_space"), geometry.key_space(),
                v1::ModelGeometry_KeySpace_IsValid(geometry.key_space()), /*required=*/false));
  if (geometry.has_logit_soft_cap() &&
      !(std::isfinite(geometry.logit_soft_cap()) && geometry.logit_soft_cap() > 0)) {
    return RefuseField(FieldPath(path, "logit_soft_cap").ToString(),
                       absl::StrCat("must be finite and > 0, got ", geometry.logit_soft_cap()));
  }
  return CheckRange(FieldPath(path, "page_size_tokens"), geometry.page_size_tokens(), 0,
                    kMaxInt32);
}

absl::Status CheckGeometry(const FieldPath& path, const v1::ModelGeometry& geometry) {
  SLUICE_RETURN_IF_ERROR(CheckScalars(path, geometry));
  SLUICE_RETURN_IF_ERROR(
      CheckSize(FieldPath(path, "layers"), geometry.layers_size(), 1, kMaxLayers));
  SLUICE_RETURN_IF_ERROR(CheckSize(FieldPath(path, "rope_tables"), geometry.rope_tables_size(), 0,
                                   kMaxRopeTables));
  for (int i = 0; i < geometry.layers_size(); ++i) {
    SLUICE_RETURN_IF_ERROR(CheckLayer(FieldPath(path, "layers", i), geometry.layers(i),
                                      geometry.layers_size(), geometry.rope_tables_size()));
  }
  for (int i = 0; i < geometry.rope_tables_size(); ++i) {
    SLUICE_RETURN_IF_ERROR(
        CheckRopeTable(FieldPath(path, "rope_tables", i), geometry.rope_tables(i)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const v1::RegisterModelRequest& request, const RequestRules&) {
  if (!request.has_geometry()) return Missing("geometry");
  SLUICE_RETURN_IF_ERROR(CheckGeometry("geometry", request.geometry()));
  return CheckAscii("expected_fingerprint", request.expected_fingerprint(),
                    kMaxFingerprintLength);
}

}  // namespace sluice
