// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/cpp/policy.h"

namespace sluice::client {

// Something besides token ids that a block's content depends on. Ranges:
// sluice.v1.ExtraKey.
struct ExtraKey {
  std::string key = {};
  int64_t first_position = 0;
  int64_t token_count = 0;  // 0: no range
};

// How a sequence is made. Ranges: sluice.v1.CreateSequenceRequest.
struct SequenceOptions {
  uint64_t model_id = 0;
  Policy policy = {};
  std::vector<int32_t> token_ids = {};  // the prompt, only to look up a known prefix
  std::vector<ExtraKey> extra_keys = {};
  int32_t draft_tokens = 0;
  int32_t priority = 0;
  std::optional<absl::Duration> lease = {};  // none: the daemon's default
  uint64_t session_id = 0;                   // the owner, from Session::id(); 0: lives by its lease
  bool accept_partial_scores = false;
};

// What a sequence holds in one layer.
struct LayerUsage {
  int32_t layer = 0;
  std::vector<int64_t> kept_tokens = {};  // [kv_head_count]
  std::vector<int64_t> held_bytes = {};   // [kv_head_count]
};

// What a sequence holds. Meaning: sluice.v1.GetSequenceResponse.
struct SequenceState {
  uint64_t sequence_id = 0;
  uint64_t model_id = 0;
  int64_t length = 0;  // tokens of closed steps
  int64_t rollback_floor = 0;
  std::vector<LayerUsage> layers = {};
  int64_t held_bytes = 0;
  int64_t bytes_alone = 0;  // would come back if the sequence went now
  ResolvedPolicy policy = {};
  std::optional<JobReport> last_job = {};
  uint64_t open_step_id = 0;                      // 0: none
  uint64_t session_id = 0;                        // 0: lives by its lease
  std::optional<absl::Duration> lease_left = {};  // none: belongs to a session
  bool lost = false;
};

// What to compress with. Ranges: sluice.v1.CompressRequest.
struct CompressOptions {
  std::optional<Policy> policy = {};          // none: the sequence's own
  std::optional<int64_t> budget_tokens = {};  // none: the policy's
  bool dry_run = false;                       // only report
  std::optional<absl::Duration> max_wait = {};
};

// What is kept of one layer after a compression.
struct LayerKept {
  int32_t layer = 0;
  std::vector<int64_t> kept_tokens = {};  // [kv_head_count]
};

// What a compression did, or would do.
struct CompressResult {
  std::vector<LayerKept> layers = {};
  int64_t freed_now_bytes = 0;
  int64_t freed_later_bytes = 0;
  JobReport job = {};
};

// Which positions a layer and kv head keeps.
struct Explanation {
  std::vector<int64_t> kept_positions = {};  // ascending
  int64_t body_token_count = 0;              // how many of them are in the body
  std::vector<float> scores = {};            // of each kept position; empty: none
  int64_t length = 0;                        // the sequence's, in tokens
};

}  // namespace sluice::client
