// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/convert_model.h"

#include "client/cpp/convert_common.h"
#include "client/cpp/convert_policy.h"

namespace sluice::client {
namespace {

void ToWire(const LayerGeometry& layer, v1::LayerGeometry* out) {
  out->set_kv_head_count(layer.kv_head_count);
  out->set_window_tokens(layer.window_tokens);
  if (layer.source_layer) out->set_source_layer(*layer.source_layer);
  if (layer.rope_table_index) out->set_rope_table_index(*layer.rope_table_index);
  client::ToWire(layer.sink_logits, out->mutable_sink_logits());
}

void ToWire(const RopeTable& table, v1::RopeTable* out) {
  client::ToWire(table.inv_freq, out->mutable_inv_freq());
  out->set_rotary_dim(table.rotary_dim);
  out->set_pairing(static_cast<v1::RopeTable::Pairing>(table.pairing));
  if (table.attention_factor) out->set_attention_factor(*table.attention_factor);
}

Limits FromWire(const v1::Limits& limits) {
  return {limits.message_bytes(), limits.inline_tensor_bytes(),
          limits.step_entries(),  limits.sequence_tokens(),
          limits.models(),        limits.sequences(),
          limits.sessions()};
}

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& field) {
  return {field.begin(), field.end()};
}

}  // namespace

void ToWire(const ModelGeometry& geometry, v1::ModelGeometry* out) {
  out->set_name(geometry.name);
  out->set_query_head_count(geometry.query_head_count);
  out->set_k_dim(geometry.k_dim);
  out->set_v_dim(geometry.v_dim);
  out->set_dtype(static_cast<v1::Dtype>(geometry.dtype));
  if (geometry.scale) out->set_scale(*geometry.scale);
  if (geometry.logit_soft_cap) out->set_logit_soft_cap(*geometry.logit_soft_cap);
  out->set_page_size_tokens(geometry.page_size_tokens);
  out->set_key_space(static_cast<v1::ModelGeometry::KeySpace>(geometry.key_space));
  for (const LayerGeometry& layer : geometry.layers) ToWire(layer, out->add_layers());
  for (const RopeTable& table : geometry.rope_tables) ToWire(table, out->add_rope_tables());
}

Capabilities FromWire(const v1::GetCapabilitiesResponse& response) {
  Capabilities out;
  out.version = response.version();
  out.epoch = response.epoch();
  out.backend = response.backend();
  out.arithmetic = response.arithmetic();
  out.arithmetic_paths = Strings(response.arithmetic_paths());
  out.page_layout = response.page_layout();
  out.page_sizes_tokens = FromWire(response.page_sizes_tokens());
  out.head_dims = FromWire(response.head_dims());
  out.max_group_size = response.max_group_size();
  for (const int dtype : response.dtypes()) {
    const bool known = dtype >= v1::DTYPE_FP32 && dtype <= v1::DTYPE_FP16;
    if (known) out.dtypes.push_back(static_cast<Dtype>(dtype));
  }
  for (const v1::ResolvedPolicy& preset : response.presets()) {
    out.presets.push_back(FromWire(preset));
  }
  out.limits = FromWire(response.limits());
  out.pool_bytes = response.pool_bytes();
  out.default_lease = FromWire(response.default_lease());
  out.step_time_limit = FromWire(response.step_time_limit());
  out.transports = Strings(response.transports());
  return out;
}

}  // namespace sluice::client
