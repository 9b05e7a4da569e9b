// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/engine/engine.h"
#include "daemon/policy/policy.h"
#include "sluice/v1/kv_cache.pb.h"

namespace sluice {

// What of the capabilities the engine's options do not say.
struct CapabilityFacts {
  std::string version;
  uint32_t epoch = 0;
  std::string backend;
  std::string page_layout;
  int64_t message_bytes = 0;
  int64_t inline_tensor_bytes = 0;
  std::vector<PolicyPtr> presets;  // each with its defaults
};

v1::GetCapabilitiesResponse MakeCapabilities(const CapabilityFacts& facts,
                                             const EngineOptions& options);

}  // namespace sluice
