// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/capabilities.h"

#include "daemon/rpc/convert_policy.h"
#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

constexpr int32_t kMaxGroupSize = 16;
constexpr int32_t kMaxHeadDim = 256;
constexpr int32_t kHeadDimMultiple = 16;

void FillLimits(const CapabilityFacts& facts, const EngineOptions& options, v1::Limits* limits) {
  limits->set_message_bytes(facts.message_bytes);
  limits->set_inline_tensor_bytes(facts.inline_tensor_bytes);
  limits->set_step_entries(options.max_step_entries);
  limits->set_sequence_tokens(options.max_sequence_tokens);
  limits->set_models(options.max_models);
  limits->set_sequences(options.max_sequences);
  limits->set_sessions(options.max_sessions);
}

}  // namespace

v1::GetCapabilitiesResponse MakeCapabilities(const CapabilityFacts& facts,
                                             const EngineOptions& options) {
  v1::GetCapabilitiesResponse capabilities;
  capabilities.set_version(facts.version);
  capabilities.set_epoch(facts.epoch);
  capabilities.set_backend(facts.backend);
  capabilities.set_arithmetic(ArithmeticName(options.arithmetic));
  for (const Arithmetic path : ArithmeticsOf(options.backend)) {
    capabilities.add_arithmetic_paths(ArithmeticName(path));
  }
  capabilities.set_page_layout(facts.page_layout);
  for (const int32_t page_size : {16, 32, 64}) capabilities.add_page_sizes_tokens(page_size);
  for (int32_t dim = kHeadDimMultiple; dim <= kMaxHeadDim; dim += kHeadDimMultiple) {
    capabilities.add_head_dims(dim);
  }
  capabilities.set_max_group_size(kMaxGroupSize);
  for (const v1::Dtype dtype : {v1::DTYPE_FP32, v1::DTYPE_BF16, v1::DTYPE_FP16}) {
    capabilities.add_dtypes(dtype);
  }
  for (const PolicyPtr& preset : facts.presets) FromPolicy(*preset, capabilities.add_presets());
  FillLimits(facts, options, capabilities.mutable_limits());
  capabilities.set_pool_bytes(options.pool_bytes);
  FromDuration(options.default_lease, capabilities.mutable_default_lease());
  FromDuration(options.step_time_limit, capabilities.mutable_step_time_limit());
  capabilities.add_transports("inline");
  return capabilities;
}

}  // namespace sluice
