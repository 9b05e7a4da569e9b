// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/time/time.h"
#include "client/cpp/error_info.h"
#include "client/cpp/sequence_types.h"
#include "client/cpp/tensor.h"

namespace sluice::client {

// Whether tokens are of a prompt, or generated.
enum class Phase { kPrefill = 1, kDecode = 2 };

// The part of a step that belongs to one sequence. Ranges: sluice.v1.StepEntry.
struct StepEntry {
  uint64_t sequence_id = 0;
  int64_t base_length = 0;              // the length that the caller believes, in tokens
  int64_t token_count = 1;              // how many tokens the step adds
  std::vector<int32_t> token_ids = {};  // [token_count], or empty
  Phase phase = Phase::kDecode;
  bool prefill_end = false;  // these are the last tokens of a prefill
  bool rollback = false;     // drop the tokens beyond base_length first
  std::vector<ExtraKey> extra_keys = {};
};

// How a step begins. Meaning: sluice.v1.BeginStepRequest.
struct StepOptions {
  bool append_only = false;  // the caller attends itself
  std::optional<absl::Duration> max_wait = {};
  bool leave_out = false;
};

// What a step knows of one of its entries.
struct StepEntryState {
  uint64_t sequence_id = 0;
  int64_t length = 0;  // before the step, after any rollback
  int64_t rollback_floor = 0;
};

// An entry that a step begun with `leave_out` has not.
struct LeftOut {
  int32_t entry_index = 0;
  uint64_t sequence_id = 0;
  Reason reason = Reason::kNone;
};

// What a step began with.
struct StepState {
  uint64_t step_id = 0;
  std::vector<StepEntryState> entries = {};
  std::vector<LeftOut> left_out = {};
  Room room = {};
};

// Rows that were not finite; they weigh nothing.
struct NonFiniteCounts {
  int64_t query_row_count = 0;
  int64_t key_value_row_count = 0;
};

// One layer's keys and values. Shapes: sluice.v1.AppendLayer.
struct AppendLayer {
  int32_t layer = 0;
  TensorView k = {};  // [rows, kv_heads, k_dim]
  TensorView v = {};  // [rows, kv_heads, v_dim]
  std::optional<TensorView> observation_queries = {};
};

// What became of an append; over several calls where it was split.
struct AppendResult {
  NonFiniteCounts non_finite = {};
  bool step_closed = false;
};

// One layer's queries, and k and v where they come in the same call.
struct AttendInput {
  int32_t layer = 0;
  int64_t first_token = 0;           // which of the step's tokens the rows begin with
  TensorView q = {};                 // [rows, num_q_heads, k_dim]
  std::optional<TensorView> k = {};  // [rows, kv_heads, k_dim]
  std::optional<TensorView> v = {};  // [rows, kv_heads, v_dim]
};

// Where results go. Memory that is given must fit exactly, and stays untouched
// beyond what an error left written.
struct AttendOutput {
  // `[rows, num_q_heads, v_dim]` in q's dtype; empty: AttendResult::out has it.
  std::span<std::byte> out = {};
  // The log-sum-exp `[rows, num_q_heads]`; empty: as want_lse says.
  std::span<float> lse = {};
  // Return the log-sum-exp in AttendResult::lse.
  bool want_lse = false;
};

// What an attend computed; over several calls where it was split.
struct AttendResult {
  Tensor out = {};              // empty where AttendOutput::out was given
  std::vector<float> lse = {};  // empty unless want_lse
  NonFiniteCounts non_finite = {};
  bool step_closed = false;
};

// Rows of a sequence that is attended without a step: they stand at its last
// `row_count` positions.
struct SequenceRows {
  uint64_t sequence_id = 0;
  int64_t row_count = 0;
};

}  // namespace sluice::client
