// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/cpp/policy.h"
#include "client/cpp/tensor.h"

namespace sluice::client {

// What no request may exceed.
struct Limits {
  int64_t message_bytes = 0;
  int64_t inline_tensor_bytes = 0;  // of a request; this library splits above it
  int64_t step_entries = 0;
  int64_t sequence_tokens = 0;
  int64_t models = 0;     // of a tenant
  int64_t sequences = 0;  // of a tenant
  int64_t sessions = 0;
};

// What a daemon can do. Meaning: sluice.v1.GetCapabilitiesResponse.
struct Capabilities {
  std::string version;
  uint64_t epoch = 0;  // one life of the daemon
  std::string backend;
  std::string arithmetic;
  std::vector<std::string> arithmetic_paths;
  std::string page_layout;
  std::vector<int32_t> page_sizes_tokens;
  std::vector<int32_t> head_dims;
  int32_t max_group_size = 0;
  std::vector<Dtype> dtypes;  // without those that this library does not know
  std::vector<ResolvedPolicy> presets;
  Limits limits;
  int64_t pool_bytes = 0;
  absl::Duration default_lease;
  absl::Duration step_time_limit;
  std::vector<std::string> transports;
};

}  // namespace sluice::client
