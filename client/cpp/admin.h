// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/connect_options.h"
#include "client/cpp/sequence_types.h"

namespace sluice::client {

class Transport;

// The pool's bytes. The five states add up to the total.
struct PoolStatus {
  int64_t total_bytes = 0;
  int64_t free_bytes = 0;
  int64_t reserved_bytes = 0;
  int64_t in_use_bytes = 0;
  int64_t cached_bytes = 0;
  int64_t retired_bytes = 0;
};

// Totals since the daemon's start. Meaning: sluice.v1.Totals.
struct Totals {
  int64_t closed_step_count = 0;
  int64_t undone_step_count = 0;
  int64_t token_count = 0;
  int64_t attended_row_count = 0;
  int64_t refused_call_count = 0;
  int64_t committed_job_count = 0;
  int64_t evicted_slot_count = 0;
  int64_t job_freed_bytes = 0;
};

// How a daemon is.
struct DaemonStatus {
  std::string version = {};
  uint64_t epoch = 0;
  bool draining = false;
  absl::Duration uptime;
  std::string backend = {};
  std::string arithmetic = {};
  PoolStatus pool;
  int64_t model_count = 0;
  int64_t session_count = 0;
  int64_t sequence_count = 0;
  int64_t open_step_count = 0;
  int64_t job_count = 0;
  Totals totals;
  std::string json = {};  // the whole answer as proto3 JSON, with the wire's names
};

// One sequence. Meaning: sluice.v1.SequenceSummary.
struct SequenceSummary {
  uint64_t sequence_id = 0;
  std::string tenant = {};
  std::string model_name = {};
  std::string preset = {};
  int64_t length = 0;
  double mean_kept_tokens = 0;
  int64_t held_bytes = 0;
  uint64_t session_id = 0;
  uint64_t open_step_id = 0;
  bool lost = false;
};

// Some sequences, by ascending id.
struct SequenceList {
  std::vector<SequenceSummary> sequences = {};
  bool is_complete = true;  // false: there are more
  std::string json = {};    // the list as proto3 JSON
};

// What a sequence holds and why. Meaning: sluice.v1.InspectSequenceResponse.
struct SequenceInspection {
  std::string tenant = {};
  std::string model_name = {};
  SequenceState state = {};
  std::optional<CompressResult> plan = {};  // what its policy would keep now; none: not to be told
  std::vector<JobReport> evictions = {};    // the last jobs that evicted, oldest first
  std::string json = {};                    // the whole answer as proto3 JSON
};

// A sequence that gives budget. Meaning: sluice.v1.ReclaimResponse.BudgetCut.
struct BudgetCut {
  uint64_t sequence_id = 0;
  std::string tenant = {};
  int32_t priority = 0;
  std::string preset = {};
  int64_t budget_tokens = 0;
  int64_t expected_bytes = 0;
};

// What making room takes. Meaning: sluice.v1.ReclaimResponse.
struct ReclaimResult {
  int64_t freed_bytes = 0;
  int64_t expected_bytes = 0;
  std::vector<BudgetCut> cuts = {};
  std::string json = {};  // the whole answer as proto3 JSON
};

// An operator's way to one daemon, on a tenant's or the admin socket.
//
// Every call has a deadline (ConnectOptions::call_timeout). Errors: those of
// sluice.v1.Admin; UNAVAILABLE where the daemon cannot be reached; INTERNAL where
// its answer makes no sense.
//
// Thread-safe. Not to be used after fork() in the child: FAILED_PRECONDITION.
class Admin {
 public:
  // INVALID_ARGUMENT: an option is malformed. Does not connect yet.
  static absl::StatusOr<std::unique_ptr<Admin>> Create(const ConnectOptions& options = {});
  ~Admin();

  absl::StatusOr<DaemonStatus> GetStatus();

  // The first `max_count` sequences, at least 1.
  absl::StatusOr<SequenceList> ListSequences(int64_t max_count);

  // Says what a sequence holds, did and would do; it lives no longer for it.
  absl::StatusOr<SequenceInspection> InspectSequence(uint64_t sequence_id);

  // Frees cached blocks, and then takes budget from sequences whose policy names the
  // trigger `pressure`, towards `target_bytes`; 0: only frees all cached blocks. With
  // `dry_run` only says what would go.
  absl::StatusOr<ReclaimResult> Reclaim(int64_t target_bytes, bool dry_run = false);

  // Begins the daemon's end; answers at once. No timeout: the configured one.
  absl::Status Drain(std::optional<absl::Duration> timeout);

  // OK if the daemon's health service says SERVING. UNAVAILABLE: it says
  // otherwise, or cannot be reached.
  absl::Status CheckHealth();

 private:
  explicit Admin(std::shared_ptr<Transport> transport);

  const std::shared_ptr<Transport> transport_;
};

}  // namespace sluice::client
