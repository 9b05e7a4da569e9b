// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/ring.h"
#include "kernels/ops.h"
#include "tests/kernels/testing/test_world.h"

namespace sluice::kernels_testing {

// What a sequence of a batch holds before the step.
struct SequenceShape {
  int64_t body_slots = 0;            // of the longest row; the others are ragged, some empty
  int64_t tail_first_position = -1;  // -1: a little more than body_slots
  int32_t tail_start = -1;           // -1: tail_first_position mod page_size
  int64_t stored_tokens = 0;         // in the tail
  int32_t step_tokens = 1;           // that the step adds
};

// What a sequence under a cascade holds before the step.
struct CascadeShape {
  CascadeGeometry geometry;
  int64_t inserted_tokens = 0;  // in the body
  int32_t tail_start = 0;
  int32_t pending_tokens = 0;  // stored in the tail
  int32_t step_tokens = 1;     // that the step adds
  int32_t score_sums = 1;      // PendingSums of the rule that it is scored by
};

// How the sequences of a batch are filled.
struct FillOptions {
  double non_finite = 0.0;  // share of slots whose key was not finite
  double log_mass = 0.0;    // share of slots with a log_mass other than 0
  bool scores = false;      // give the sequences score memory
};

// Sequences with random content in a world, and the step over them. Copyable.
//
// A slot's content depends on the seed, the sequence's number, the row and the
// position alone: not on the page size, the dtype or what else is there. Dead
// slots hold large finite values. Not thread-safe.
class TestBatch {
 public:
  // Sequences of `rows` rows each, in pages of `format`.
  TestBatch(const PageFormat& format, int32_t rows, int64_t seed, FillOptions fill = {});

  // Adds a sequence with its content; its number is `identity` (-1: the next).
  // The slots of the step's tokens are left as new pages are.
  void AddSequence(const SequenceShape& shape, int64_t identity = -1);

  // Adds a sequence under a cascade; the format is of keys at cache positions. Pages
  // that the pending tokens and the step's would reach are taken, not written.
  void AddCascade(const CascadeShape& shape, int64_t identity = -1);

  // Sequences added from now on have pages of this format.
  void AddFormat(const PageFormat& format) { format_ = world_.AddFormat(format); }

  // The same sequence later: its body after `inserted` tokens, its tail from there
  // on, and the step about the `count` tokens from `base_length` on.
  void AdvanceCascade(size_t entry, int64_t inserted, int64_t base_length, int32_t count);

  // Writes the step's tokens, as an append would.
  void StoreStepTokens();

  // The step; entries count as if all its tokens had been added so.
  StepView View() const;
  PoolView pool() const { return world_.View(); }
  TestWorld& world() { return world_; }
  const TestWorld& world() const { return world_; }
  const std::vector<ViewEntry>& entries() const { return entries_; }
  uint16_t format() const { return format_; }
  const PageFormat& page_format() const { return world_.format(format_).page; }
  int32_t rows() const { return rows_; }

  // Gives every sequence an empty ring of `capacity` observation rows for `layer`,
  // and none for the other layers of a model of layer.layer + 2.
  void AddObservations(const LayerShape& layer, int32_t capacity);
  // The ring of an entry, and how it is laid out.
  const std::byte* Ring(size_t entry, const LayerShape& layer) const;
  ObservationLayout RingLayout(size_t entry, const LayerShape& layer) const;

  // Moves a sequence's step on: it is now about the `count` tokens from `base_length`
  // on, which are not written here. The whole step may move to a part of itself.
  void SetStep(size_t entry, int64_t base_length, int32_t count);

  // Random scores in every slot before the step, where there is score memory.
  void FillScores();

  // Largest |value| of a row of an entry, the step's tokens included.
  double LargestValue(size_t entry, int32_t row) const;

 private:
  void AddBodies(const SequenceShape& shape, ViewEntry* entry, int64_t identity);
  void AddBlocks(int64_t count, int32_t score_floats, uint64_t* block_list,
                 uint64_t* score_list);
  void AddCascadeBody(const CascadeShape& shape, ViewEntry* entry, int64_t identity);
  // Blocks for `tokens` tokens, with `score_floats` floats a slot where scores are kept.
  void AddTail(int64_t tokens, int32_t score_floats, ViewEntry* entry);
  void FillCascadeScores(size_t entry);
  void StoreTail(const ViewEntry& entry, int64_t identity, int64_t begin, int64_t end);

  TestWorld world_;
  uint16_t format_ = 0;
  int32_t rows_ = 0;
  int64_t seed_ = 0;
  FillOptions fill_;
  int64_t total_tokens_ = 0;
  std::vector<ViewEntry> entries_;
  std::vector<int64_t> identities_;
  std::vector<int32_t> score_sums_;  // of entries under a cascade
};

}  // namespace sluice::kernels_testing
