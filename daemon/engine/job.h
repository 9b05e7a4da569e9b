// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "daemon/engine/coming_memory.h"
#include "daemon/engine/job_losses.h"
#include "daemon/engine/job_passes.h"
#include "daemon/engine/state.h"

namespace sluice {

// A run of rows whose scores and masks fit the workspace together. Segments, or
// count segments of the recipe's first stage, are never divided.
struct JobBatch {
  int32_t first_row = 0;
  int32_t row_count = 0;
  int32_t first_segment = 0;
  int32_t segment_count = 0;
};

// What became of a job, for whoever asked for it.
struct JobEnd {
  absl::Status status;                // not OK: it could not be run
  JobReport report;
  std::vector<int64_t> kept_tokens;   // [rows]
  int64_t freed_now_bytes = 0;
  int64_t freed_later_bytes = 0;
};

// What a sequence holds.
struct HeldBytes {
  int64_t all = 0;
  int64_t alone = 0;  // not measured: all
};

// The background work of a policy on one sequence (design: "Jobs").
//
// Queued, then planned (snapshot, recipe, pages), then run batch by batch,
// then committed between two steps, with the accumulated scores as they are by then:
// these are gathered first. Where its budgets depend on scores, it scores all
// rows and counts before it asks for pages. Where its pages are not to be had it does
// so pass by pass, and is queued between two. Everything its operations read or
// write that is not a page lives here until they have passed.
struct Job {
  enum class Stage : uint8_t { kQueued, kRunning, kPaused, kReady, kGathering };

  SequenceState* sequence = nullptr;  // null once cancelled
  Trigger trigger = Trigger::kRequest;
  PolicyPtr policy;
  bool due = false;     // the sequence's next step waits for it
  bool waited = false;  // one waits now
  // The step that came with the trigger rolls back to here, or did: what lies beyond is
  // none of the job's.
  std::optional<int64_t> length_limit;
  // Where only a prefill observes: how long the sequence was at the prefill's end. The rows
  // are those of the tokens before, however many come until the job starts.
  std::optional<int64_t> observed_length;
  bool goes_first = false;  // it goes by passes, or another lacks the pages that it holds
  bool dry_run = false;     // it ends before anything is built
  std::function<void(const JobEnd&)> answer;  // of a Compress; may be empty
  absl::Duration queued_at;

  Stage stage = Stage::kQueued;
  JobRecipe recipe;
  int64_t decoded_tokens = 0;  // of the sequence's, which it took into account
  JobFacts facts;
  std::vector<RowFacts> row_facts;
  int64_t observed_rows = 0;  // of the window that the recipe scores by
  int64_t had_slots = 0;      // below the snapshot when it was planned
  int64_t evicted_slots = 0;  // by what was committed
  JobLosses losses;

  std::optional<ComingMemory> coming;  // since its pages were missing, or its last pass
  std::optional<JobPasses> passes;     // where it did not fit
  std::optional<HeldBytes> before;     // the first commit

  // Of budgets that depend on scores.
  bool counting = false;  // `batches` are the counts'
  bool counted = false;   // `recipe` is what the counts led to
  int32_t count_pauses = 0;
  int32_t scored_rows = 0;  // of the batch under way
  int32_t slice_rows = 0;   // of these, of the slice under way; 0: it counts
  std::vector<int32_t> row_counts;  // [count segments, rows of the model]
  // [rows + 1] where the workspace has the scores of all rows; empty: it has not.
  std::vector<int64_t> score_offsets;
  // Of a job that is not due and selects by accumulated scores: the workspace has its own
  // copy of them, or is getting it.
  bool owns_scores = false;
  bool copying = false;
  std::vector<ScoreCopy> copies;  // of scores that were computed ahead

  // Of the pass under way, or of the counts.
  bool planned = false;  // the cache holds for it what it reads
  Ticket planned_after = 0;  // the newest of the foreground then
  std::optional<BlockId> rings;  // the observation rows
  JobPass pass;
  std::vector<int64_t> slots;  // [rows] below the pass's snapshot
  std::vector<int64_t> score_flops;  // [rows] that a score takes; empty: it takes none
  std::vector<JobBatch> batches;
  size_t next_batch = 0;
  Lane lane = Lane::kBackground;  // of the batch under way
  Ticket ticket = 0;

  TableRange list_range;    // its own copy of the block list
  TableRange bodies_range;  // for the record of the result
  ViewEntry entry;
  std::vector<int64_t> destination_offsets;  // [rows + 1], in pages
  std::vector<uint32_t> destination_pages;   // page ids; kNoPage: taken over
  std::vector<uint32_t> reused;              // [pages]
  std::vector<int32_t> kept;                 // [rows]

  // Of a sequence that keeps scores: the masks of all rows, by which those of what stays
  // are gathered into the new body's page when it commits.
  std::vector<int64_t> mask_offsets;        // [rows + 1], in slots
  std::vector<uint32_t> masks;              // [mask_offsets[rows] / 32]
  float* body_scores = nullptr;
  std::vector<int64_t> score_destinations;  // [rows + 1], in slots
  int32_t gathered_rows = 0;  // slices under way included

  // Of the batch under way.
  RowSet rows;
  std::vector<int64_t> row_offsets;          // [batch rows + 1]
  std::vector<int64_t> layer_offsets;        // as row_offsets, for each layer from 0
  std::vector<SelectSegment> segments;
  std::vector<int64_t> batch_destinations;   // [batch rows + 1], from the batch's first page
  std::vector<int32_t> counts;               // [segments, rows]

  // Whether the sequence's next step waits: for its end, or until it has scores that the
  // step would change.
  bool holds_steps() const { return due || copying || stage == Stage::kGathering; }

  // Whether an operation of it may be under way.
  bool runs() const { return stage == Stage::kRunning || stage == Stage::kGathering; }

  // Positions below this are read, or were and are its own. REQUIRES: it is not queued.
  int64_t read_tokens() const {
    const bool is_built = stage == Stage::kReady || stage == Stage::kGathering;
    return recipe.scorer == Scorer::kWindow && !is_built ? facts.length_tokens
                                                         : facts.snapshot_tokens;
  }
};

}  // namespace sluice
