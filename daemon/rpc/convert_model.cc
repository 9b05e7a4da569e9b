// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_model.h"

#include "daemon/rpc/convert_common.h"

namespace sluice {
namespace {

LayerGeometry ToLayer(const v1::LayerGeometry& from) {
  LayerGeometry layer;
  layer.kv_heads = from.kv_head_count();
  layer.window_tokens = from.window_tokens();
  if (from.has_source_layer()) layer.source_layer = from.source_layer();
  if (from.has_rope_table_index()) layer.rope_table = from.rope_table_index();
  layer.sink_logits.assign(from.sink_logits().begin(), from.sink_logits().end());
  return layer;
}

RopeAngles ToRopeAngles(const v1::RopeTable& from) {
  RopeAngles angles;
  angles.inv_freq.assign(from.inv_freq().begin(), from.inv_freq().end());
  angles.rotary_dim = from.rotary_dim();
  angles.pairing = from.pairing() == v1::RopeTable::PAIRING_HALF_SPLIT
                       ? RopePairing::kHalfSplit
                       : RopePairing::kInterleaved;
  if (from.has_attention_factor()) angles.attention_factor = from.attention_factor();
  return angles;
}

ModelGeometry ToGeometry(const v1::ModelGeometry& from) {
  ModelGeometry geometry;
  geometry.name = from.name();
  geometry.query_heads = from.query_head_count();
  geometry.k_dim = from.k_dim();
  geometry.v_dim = from.v_dim();
  geometry.dtype = ToDtype(from.dtype());
  if (from.has_scale()) geometry.scale = from.scale();
  geometry.logit_soft_cap = from.logit_soft_cap();
  if (from.page_size_tokens() != 0) geometry.page_size_tokens = from.page_size_tokens();
  geometry.keys_rotated = from.key_space() != v1::ModelGeometry::KEY_SPACE_UNROTATED;
  for (const v1::LayerGeometry& layer : from.layers()) geometry.layers.push_back(ToLayer(layer));
  for (const v1::RopeTable& table : from.rope_tables()) {
    geometry.rope_tables.push_back(ToRopeAngles(table));
  }
  return geometry;
}

}  // namespace

RegisterModel ToCommand(const v1::RegisterModelRequest& request, const Caller& caller) {
  RegisterModel command;
  command.caller = caller;
  command.geometry = ToGeometry(request.geometry());
  command.expected_fingerprint = request.expected_fingerprint();
  return command;
}

void FillResponse(ModelInfo&& info, v1::RegisterModelResponse* response) {
  response->set_model_id(info.model_id);
  response->set_fingerprint(std::move(info.fingerprint));
  response->set_block_bytes(info.block_bytes);
}

}  // namespace sluice
