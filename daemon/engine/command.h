// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What can be asked of the engine: one struct a call, with its answer.
//
// A command brings a `done` that is called exactly once, on the thread that
// has the engine's turn (engine.h; with PostAndWork perhaps the poster's, before
// it returns), and must neither block nor call the engine's owner-thread methods.
// Tensors must stay as they are until then. A refused command changes nothing.
// Ids are the wire's: see EpochOf.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/reason.h"
#include "daemon/cache/page_pool.h"
#include "daemon/engine/model.h"
#include "daemon/engine/refusal_details.h"
#include "daemon/engine/tensor_ref.h"
#include "daemon/policy/policy.h"

namespace sluice {

// Who asks. Tenants are numbered in the order of the configuration.
struct Caller {
  int32_t tenant = 0;
  uint64_t session = 0;  // the session stream that the call came by; 0: unary
  // An operator. Of GetSequence, ExplainSequence and InspectSequence only.
  bool looks_on = false;           // renews no lease
  bool sees_every_tenant = false;  // finds every tenant's sequences
};

template <class Result>
using Done = std::function<void(absl::StatusOr<Result>)>;

struct Empty {};

// Sets once the caller has given up; the engine then drops or undoes the call.
using CancelFlag = std::shared_ptr<std::atomic<bool>>;

// Of calls that may have to wait: DEADLINE_EXCEEDED if they still do after so long,
// whatever they wait for.
inline constexpr absl::Duration kNoTimeLimit = absl::InfiniteDuration();

// ---- sessions ----------------------------------------------------------------

struct OpenSession {
  Caller caller;
  std::string client_name;
  Done<uint64_t> done;  // the session's id
};

// The stream ended: undoes the session's open steps and frees its sequences.
struct CloseSession {
  uint64_t session = 0;
};

// ---- models and sequences ------------------------------------------------------

// An id is the daemon's epoch, 24 bits, and a number that counts up in one life
// of the daemon over all kinds of things: enough for a million a second for 12 days.
inline constexpr int kIdNumberBits = 40;
inline constexpr uint64_t kMaxIdNumber = (uint64_t{1} << kIdNumberBits) - 1;
inline constexpr uint32_t kMaxEpoch = (1u << (64 - kIdNumberBits)) - 1;

constexpr uint64_t MakeId(uint32_t epoch, uint64_t number) {
  return (uint64_t{epoch} << kIdNumberBits) | number;
}
constexpr uint32_t EpochOf(uint64_t id) { return static_cast<uint32_t>(id >> kIdNumberBits); }

struct ModelInfo {
  uint64_t model_id = 0;
  std::string fingerprint;
  int64_t block_bytes = 0;
};

struct RegisterModel {
  Caller caller;
  ModelGeometry geometry;
  std::string expected_fingerprint;  // empty: none
  Done<ModelInfo> done;
};

struct SequenceCreated {
  uint64_t sequence = 0;
  int64_t matched_length = 0;
  std::shared_ptr<const Policy> policy;
  absl::Duration lease;  // zero: lives by its session
};

struct CreateSequence {
  Caller caller;
  uint64_t model_id = 0;
  PolicySpec policy;
  int64_t draft_tokens = 0;
  int32_t priority = 0;
  absl::Duration lease;     // zero: the default
  uint64_t session = 0;     // owner; 0: lives by its lease
  std::string request_id;   // empty: none
  Done<SequenceCreated> done;
};

struct ForkSequences {
  Caller caller;
  std::vector<uint64_t> parents;
  uint64_t session = 0;  // owner; 0: the parents' owner
  std::string request_id;
  absl::Duration max_wait;
  absl::Duration time_limit = kNoTimeLimit;
  CancelFlag cancelled;
  Done<std::vector<uint64_t>> done;
};

struct FreeSequences {
  Caller caller;
  std::vector<uint64_t> sequences;
  Done<Empty> done;
};

enum class JobOutcome : uint8_t { kCommitted, kNothingToEvict, kCancelled, kSkipped, kDryRun, kRunning };

// What a job took from the head caches of a layer.
struct LayerLoss {
  int32_t layer = 0;
  int64_t evicted_slots = 0;
  std::optional<double> evicted_mass_share = std::nullopt;  // as JobReport's
};

struct JobReport {
  std::string preset;
  Trigger trigger = Trigger::kRequest;
  JobOutcome outcome = JobOutcome::kCommitted;
  int64_t snapshot_tokens = 0;
  int64_t kept_slots = 0;
  int64_t evicted_slots = 0;
  int64_t freed_bytes = 0;
  int64_t freed_later_bytes = 0;  // held by forks or other bodies until they go
  absl::Duration duration;
  // Why it was skipped or cancelled, or that it had fewer observation rows than wanted.
  std::string detail;
  // Of the scores of all slots below the snapshot, the share that the evicted ones had;
  // absent: the scores are not attention, or nothing was committed.
  std::optional<double> evicted_mass_share = std::nullopt;
  std::vector<LayerLoss> layers = {};  // those that own a cache; empty: nothing was committed
};

struct RowUsage {
  int64_t kept_tokens = 0;
  int64_t held_bytes = 0;
};

struct SequenceInfo {
  uint64_t sequence = 0;
  uint64_t model_id = 0;
  std::shared_ptr<const Model> model;
  int32_t tenant = 0;
  int64_t length = 0;
  int64_t rollback_floor = 0;
  std::vector<RowUsage> rows;  // [model rows]
  int64_t held_bytes = 0;
  int64_t bytes_alone = 0;  // not in lists: O(pages)
  std::shared_ptr<const Policy> policy;
  std::optional<JobReport> last_job;
  uint64_t open_step = 0;
  uint64_t session = 0;
  absl::Duration lease_left;  // zero: lives by its session
  bool lost = false;
};

struct GetSequence {
  Caller caller;
  uint64_t sequence = 0;
  Done<SequenceInfo> done;
};

struct MatchPrefix {
  Caller caller;
  uint64_t model_id = 0;
  PolicySpec policy;
  Done<int64_t> done;  // matched length
};

// ---- steps ---------------------------------------------------------------------

enum class Phase : uint8_t { kPrefill, kDecode };

struct StepEntry {
  uint64_t sequence = 0;
  int64_t base_length = 0;
  int64_t token_count = 0;
  Phase phase = Phase::kPrefill;
  bool prefill_end = false;
  bool rollback = false;
};

struct StepEntryState {
  uint64_t sequence = 0;
  int64_t length = 0;  // before the step, after any rollback
  int64_t rollback_floor = 0;
};

struct LeftOut {
  int32_t entry_index = 0;
  uint64_t sequence = 0;
  Reason reason = Reason::kPoolFull;
};

struct StepBegun {
  uint64_t step = 0;
  std::vector<StepEntryState> entries;
  std::vector<LeftOut> left_out;
  Room room;
};

struct BeginStep {
  Caller caller;
  std::vector<StepEntry> entries;
  bool append_only = false;
  absl::Duration max_wait;
  absl::Duration time_limit = kNoTimeLimit;
  bool leave_out = false;
  CancelFlag cancelled;
  Done<StepBegun> done;
};

struct EndStep {
  Caller caller;
  uint64_t step = 0;
  bool abort = false;
  Done<std::vector<uint64_t>> done;  // lost sequences
};

struct AppendLayer {
  int32_t layer = 0;
  TensorRef k;  // [rows, kv_heads, k_dim]
  TensorRef v;  // [rows, kv_heads, v_dim]
  // [sum over entries of min(observation window, token_count), q_heads, k_dim]: the last
  // queries of each; may be absent.
  TensorRef observation_queries = {};
};

struct AppendResult {
  int64_t non_finite_rows = 0;  // (token, kv head) pairs stored as zeros
  bool step_closed = false;
  std::optional<StepEntryState> entry;
};

struct Append {
  Caller caller;
  uint64_t step = 0;                // 0: `entry` opens a step of its own
  std::optional<StepEntry> entry;
  std::vector<AppendLayer> layers;
  int64_t first_token = 0;
  CancelFlag cancelled;
  Done<AppendResult> done;
};

struct SequenceRows {
  uint64_t sequence = 0;
  int64_t row_count = 0;
};

struct AttendResult {
  std::string out;  // [rows, query_heads, v_dim] in q's dtype
  std::string lse;  // fp32 [rows, query_heads]; empty unless asked for
  int64_t rows = 0;
  int64_t query_heads = 0;
  int64_t v_dim = 0;
  Dtype dtype = Dtype::kF32;
  int64_t non_finite_query_rows = 0;
  int64_t non_finite_key_value_rows = 0;
  bool step_closed = false;
};

struct Attend {
  Caller caller;
  uint64_t step = 0;                     // 0: `sequences`
  std::vector<SequenceRows> sequences;   // without a step
  int32_t layer = 0;
  int64_t first_token = 0;
  TensorRef q;  // [rows, query_heads, k_dim]
  TensorRef k;  // [rows, kv_heads, k_dim], or absent together with v
  TensorRef v;  // [rows, kv_heads, v_dim]
  bool want_lse = false;
  // Storage for the answer, filled by who asks, so that the engine thread need not
  // find it; at best of the answer's size.
  std::string out;
  std::string lse;
  Done<AttendResult> done;
};

// ---- policies --------------------------------------------------------------------

struct SetPolicy {
  Caller caller;
  uint64_t sequence = 0;
  PolicySpec policy;
  absl::Duration max_wait;
  absl::Duration time_limit = kNoTimeLimit;
  CancelFlag cancelled;
  Done<std::shared_ptr<const Policy>> done;
};

struct Compressed {
  std::shared_ptr<const Model> model;
  std::vector<int64_t> kept_tokens;  // [model rows]
  int64_t freed_now_bytes = 0;
  int64_t freed_later_bytes = 0;  // held by forks or other bodies until they go
  JobReport job;
};

struct Compress {
  Caller caller;
  uint64_t sequence = 0;
  std::optional<PolicySpec> policy;      // absent: the sequence's own
  std::optional<int64_t> budget_tokens;  // replaces the policy's budget
  bool dry_run = false;
  absl::Duration max_wait;
  absl::Duration time_limit = kNoTimeLimit;
  CancelFlag cancelled;
  Done<Compressed> done;
};

struct Explained {
  std::vector<int64_t> kept_positions;
  int64_t body_tokens = 0;
  int64_t length = 0;
  std::vector<float> scores;  // [kept_positions], or empty
};

struct ExplainSequence {
  Caller caller;
  uint64_t sequence = 0;
  int32_t layer = 0;
  int32_t kv_head = 0;
  Done<Explained> done;
};

// ---- operators -------------------------------------------------------------------

struct Inspected {
  SequenceInfo info;
  // A dry run of its policy; absent: it is lost or not idle, the policy has no jobs, or the
  // plan depends on scores.
  std::optional<Compressed> plan;
  std::vector<JobReport> evictions;  // SequenceState::evictions
};

struct InspectSequence {
  Caller caller;
  uint64_t sequence = 0;
  Done<Inspected> done;
};

struct SessionInfo {
  uint64_t session = 0;
  int32_t tenant = 0;
  std::string client_name;
  absl::Duration age;
  int64_t sequence_count = 0;
  int64_t open_step_count = 0;
};

// Counts since the start.
struct EngineTotals {
  int64_t closed_steps = 0;
  int64_t undone_steps = 0;
  int64_t tokens = 0;
  int64_t attended_rows = 0;
  int64_t refused_calls = 0;
  int64_t non_finite_rows = 0;
  int64_t evicted_slots = 0;
  int64_t kept_slots = 0;
  int64_t job_freed_bytes = 0;
  int64_t measured_jobs = 0;             // that told what share of attention mass they evicted
  double evicted_mass_share_sum = 0.0;   // of these
  int64_t jobs_by_trigger[4][6] = {};  // indexed by Trigger, then JobOutcome

  int64_t JobsThatEnded(JobOutcome outcome) const {
    int64_t count = 0;
    for (const auto& of_trigger : jobs_by_trigger) count += of_trigger[static_cast<size_t>(outcome)];
    return count;
  }
};

// The watermarks of reserved and used bytes, and whether the pool is under pressure.
struct PressureStatus {
  int64_t high_watermark_bytes = 0;
  int64_t low_watermark_bytes = 0;
  bool active = false;  // rose above the high one, and not to the low one since
};

struct EngineStatus {
  PoolBytes pool;  // the job workspace counts as reserved
  PressureStatus pressure;
  int64_t table_bytes = 0;       // the table segment, and what is used of it
  int64_t table_used_bytes = 0;
  int64_t models = 0;
  int64_t sessions = 0;
  int64_t sequences = 0;
  int64_t open_steps = 0;
  int64_t running_jobs = 0;
  int64_t queued_commands = 0;
  bool giving_back = false;  // what was given up still counts as in use
  std::vector<int64_t> tenant_used_bytes;  // [tenants]
  std::vector<std::pair<std::string, EngineTotals>> by_preset;  // jobs' counts by policy preset
  EngineTotals totals;
};

struct GetStatus {
  Done<EngineStatus> done;
};

struct ListSequences {
  std::optional<int32_t> tenant;  // absent: all
  uint64_t after = 0;             // ids greater than this
  int64_t limit = 100;
  Done<std::vector<SequenceInfo>> done;
};

struct ListSessions {
  Done<std::vector<SessionInfo>> done;
};

// A budget to which a sequence is brought because memory is short.
struct BudgetCut {
  uint64_t sequence = 0;
  int32_t tenant = 0;
  int32_t priority = 0;
  std::string preset;
  int64_t budget_tokens = 0;  // of a head cache that its policy may shrink, on average
  int64_t freed_bytes = 0;    // that come back at least
};

// Takes budget from the sequences whose policy names the trigger `pressure`, as the
// pool does above its high watermark, and as little at a time. Answers before the jobs
// have run.
struct ReclaimMemory {
  int64_t target_bytes = 0;
  bool dry_run = false;
  Done<std::vector<BudgetCut>> done;
};

// Refuses new sessions, sequences and steps from now on; `done` comes when no
// step is open.
struct Drain {
  Done<Empty> done;
};

// A caller gave up (CancelFlag): what waits looks at its flag.
struct Wake {};

using Command =
    std::variant<OpenSession, CloseSession, RegisterModel, CreateSequence, ForkSequences,
                 FreeSequences, GetSequence, MatchPrefix, BeginStep, EndStep, Append, Attend,
                 SetPolicy, Compress, ExplainSequence, InspectSequence, GetStatus, ListSequences,
                 ListSessions, ReclaimMemory, Drain, Wake>;

}  // namespace sluice
