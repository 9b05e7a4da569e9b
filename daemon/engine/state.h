// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the engine thread knows of models, sequences, steps and sessions beside
// the cache's own state. Plain records, owned by Core; engine thread only.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/cache/ids.h"
#include "daemon/cache/sequence.h"
#include "daemon/engine/cascade.h"
#include "daemon/engine/command.h"
#include "daemon/engine/dispatcher.h"
#include "daemon/engine/observations.h"
#include "daemon/engine/pieces.h"
#include "daemon/engine/tables.h"

namespace sluice {

struct Job;
struct ScoresAhead;
struct StepState;

struct ModelState {
  uint64_t id = 0;
  int32_t tenant = 0;
  std::shared_ptr<const Model> model;
  ModelFacts facts;
  SizeClassId size_class;
  uint16_t format = 0;  // index into PoolView::formats
  uint16_t cascade_format = 0;  // the same of keys at cache positions
};

struct SequenceState {
  uint64_t id = 0;
  SequenceId handle;  // the cache's
  const Sequence* cached = nullptr;  // what the cache has of it, as long as it lives
  ModelState* model = nullptr;
  int32_t tenant = 0;
  uint64_t session = 0;  // owner; 0: lives by its lease
  absl::Duration lease;
  int32_t priority = 0;

  PolicyPtr policy;
  std::shared_ptr<const CascadeGeometry> cascade;  // where the policy is one
  int64_t draft_tokens = 0;
  int64_t tokens_on_trial = 0;    // of its length, which its next step may take back
  int64_t shared_tokens = 0;  // positions below were the parent's when it was forked

  // Triggers (design: "Prefill and decode").
  bool in_prefill = false;         // prefill tokens came since the last prefill end
  bool prefill_end_due = false;    // ended; the trigger has not been looked at yet
  bool every_due = false;          // decode steps closed since it was looked at
  int64_t prefill_ends = 0;
  int64_t decoded_tokens = 0;      // since the last planned job, less rolled back
  int64_t most_slots = 0;          // Policy::MostSlots when the length was most_slots_length
  int64_t most_slots_length = 0;

  // Without tokens that may be drafts yet to be rejected.
  int64_t settled_length() const { return cached->length() - tokens_on_trial; }

  StepState* step = nullptr;       // the open one
  int64_t readers = 0;             // named attends and explains under way
  int64_t waiting_calls = 0;       // BeginSteps, forks and the like that wait for it
  Job* job = nullptr;              // queued or running
  ScoresAhead* ahead = nullptr;    // for the job that the open step's close triggers
  std::optional<JobReport> last_job;
  std::vector<JobReport> evictions;  // the last that evicted, oldest first; without layers
  bool free_when_idle = false;     // freed by its client while a step was open or read

  Tables::BlockList list;

  // Where its policy has a window. The rows of [observed_from, observed_to) came, the
  // newest are in the rings of all layers; no ring holds one from observed_end on.
  std::optional<ObservationRings> rings;
  int64_t observed_from = 0;
  int64_t observed_to = 0;
  int64_t observed_end = 0;
  TableRange score_list;  // in the tables, as ViewEntry has it, where it keeps scores
  TableRange ring_list;  // in the tables, as ViewEntry has it
  bool ring_list_written = false;  // it names the rings that there are
};

// An entry of an open step.
struct OpenEntry {
  SequenceState* sequence = nullptr;
  StepEntry request;
  int64_t base_length = 0;
  std::optional<CascadeStep> cascade;  // where its policy is one
};

// Tokens of a step that an attend takes together, and what moves into bodies behind it.
struct StepSegment {
  const StepView* view = nullptr;  // its tokens have the step's numbers
  int64_t first_token = 0;
  int64_t token_count = 0;  // 0: nothing is attended to
  std::vector<int64_t> row_slots;  // as CutPieces takes them
  std::vector<int32_t> mass_rules;
  bool inserts = false;    // a CascadeInsert over the view, by
  int32_t insert_rule = -1;  // this rule of the step's; -1: it keeps no scores
};

struct StepState {
  uint64_t id = 0;
  int32_t tenant = 0;
  uint64_t session = 0;  // the stream it came by; 0: lives by its time limit
  ModelState* model = nullptr;
  std::vector<OpenEntry> entries;
  StepView view;
  TableRange view_range;
  // What each layer's call works off, in order; empty: all tokens at once, and nothing moves.
  std::vector<StepSegment> segments;
  bool has_cascades = false;  // some entry's policy is one
  std::vector<int64_t> row_slots;  // [entries] of the fullest row
  std::vector<MassRule> mass_rules;  // by which entries' scores add up, each once
  std::vector<int32_t> entry_rules;  // [entries] in mass_rules; -1: it keeps no scores
  int64_t scored_tokens = 0;         // scores may have changed of entries that begin before it
  int64_t observed_rows = 0;       // query rows a layer that go into rings
  bool rings_written = false;      // some of them are
  int32_t observed_layers = 0;     // of an append_only step: that brought them
  // [layers] what an attend over all tokens is cut into, at Model::first_alike of
  // its layer; empty: not needed yet.
  std::vector<std::vector<Piece>> pieces;
  bool append_only = false;

  // Tokens of each layer that calls have brought, finished or not [layers].
  std::vector<int64_t> appended;
  std::vector<int64_t> attended;
  int64_t layers_left = 0;  // layers that still lack tokens

  // Calls run one after the other; the first is with the dispatcher.
  std::deque<std::unique_ptr<Call>> waiting_calls;
  bool call_running = false;
  bool undoing = false;
  std::vector<Done<std::vector<uint64_t>>> undo_answers;
};

struct SessionState {
  uint64_t id = 0;
  int32_t tenant = 0;
  std::string client_name;
  absl::Duration opened;
  int64_t sequences = 0;
  int64_t open_steps = 0;
};

}  // namespace sluice
