// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// One plain struct per batch operation: pointers and shapes, nothing owned.
//
// Everything a struct points to must stay as it is until the ticket of its
// operation has passed; outputs are valid from then on. Operations trust their
// inputs. Tensors are dense and row-major. "Row" is a (layer, kv head) of the
// model; a layer's rows are `first_row .. first_row + kv_heads`.

#include <cstdint>
#include <variant>

#include "kernels/core/observation.h"
#include "kernels/core/view.h"
#include "kernels/dtype.h"

namespace sluice {

// Angles of a layer's rotary embedding, as the engine computed them.
struct RopeTable {
  const float* inv_freq = nullptr;  // [rotary_dim / 2]; null: none
  int32_t rotary_dim = 0;
  RopePairing pairing = RopePairing::kNone;
  float attention_factor = 1.0f;  // multiplies cos and sin
  bool arrives_rotated = true;    // keys and queries come rotated at their true positions
};

// What attention of one layer looks like. Owned by the model, immutable.
struct LayerShape {
  int32_t first_row = 0;  // of the layer whose cache is read
  int32_t kv_heads = 0;
  int32_t q_heads = 0;  // a multiple of kv_heads, at most 16 a kv head; a kv head's are adjacent
  int32_t k_dim = 0;
  int32_t v_dim = 0;
  float scale = 1.0f;
  float soft_cap = 0.0f;              // 0: none; else logits become cap * tanh(logit / cap)
  int32_t window = 0;                 // 0: none; a row at p sees p - window + 1 .. p
  const float* sink_logits = nullptr;  // [q_heads]: an extra term of the softmax's sum; null: none
  RopeTable rope;
  int32_t layer = 0;  // its number in the model
};

// Writes k and v of a range of a step's tokens into the layer's tail pages.
//
// A key or value that is not finite in the stored dtype stores zeros, log_mass
// -inf and key_norm +inf for its slot. A finite key whose norm is beyond fp32
// stays, with key_norm +inf. A page whose first slot is written is
// cleared beyond what the call writes.
//
// Keys at cache positions are stored un-rotated: as they come, or turned back in
// fp32 where they come rotated (core/rope.h). Any others are stored as they come.
struct AppendArgs {
  const StepView* view = nullptr;
  const LayerShape* layer = nullptr;
  const void* k = nullptr;  // [token_count, kv_heads, k_dim]
  const void* v = nullptr;  // [token_count, kv_heads, v_dim]
  Dtype k_dtype = Dtype::kF32;
  Dtype v_dtype = Dtype::kF32;
  int64_t first_token = 0;  // of the step's tokens
  int64_t token_count = 0;
  int64_t* non_finite_count = nullptr;  // += (token, kv head) pairs stored as zeros; null: not wanted
};

// How the query heads of a kv head become one number.
enum class GroupReduce : uint8_t { kMean = 0, kMax = 1, kSum = 2, kMedian = 3 };

// Accumulated attention mass (compute: "Mass"). With q rows in the call,
//   score[t] <- decay^q * score[t] + reduce_g(sum_j decay^(q-1-j) * f(p[g, j, t]))
// where p is the softmax over everything row j sees, f(p) is p or p^2, q counts
// the entry's rows in the call and decay^0 is 1. A slot at or beyond the
// position of the entry's first row in the call starts from 0, whatever its
// score memory held. Entries without score memory are passed over.
//
// Of entries under a cascade the call adds to the pending sums, decayed likewise,
// of every slot but the sinks' (core/mass.h); CascadeInsert makes scores of them.
struct MassRule {
  float decay = 1.0f;    // 1: sum (H2O); 0 < decay < 1: moving average; 0: the last row (TOVA)
  bool squared = false;  // f(p) = p^2
  // kMean or kSum; all entries under a cascade: any. The median is the lower one.
  GroupReduce reduce = GroupReduce::kMean;
};

// softmax(q k^T * scale + log_mass) v for the query rows of a range of a
// step's tokens, each at its own true position, causal, GQA.
//
// The query row of token j of an entry stands at base_length + j and sees
// every slot of its row with a position up to its own (and within the window).
// Under a cascade positions are cache positions, and keys and queries are turned
// by them.
// A query row with a non-finite element, or with nothing to see (no slot, or
// only slots whose log_mass is -inf), is answered with 0 and log-sum-exp -inf,
// sink logits or not, and adds no mass.
struct AttendArgs {
  const StepView* view = nullptr;
  const LayerShape* layer = nullptr;
  const void* q = nullptr;  // [token_count, q_heads, k_dim]
  void* out = nullptr;      // [token_count, q_heads, v_dim], of q's dtype
  float* lse = nullptr;     // [token_count, q_heads], natural, with log_mass and sinks; null: not wanted
  Dtype dtype = Dtype::kF32;
  int64_t first_token = 0;  // of the step's tokens
  int64_t token_count = 0;
  bool accumulate_mass = false;  // into the entries' scores, by `mass`
  MassRule mass;
  int64_t* non_finite_count = nullptr;  // += query rows that were not finite; null: not wanted
};

// Moves the pending chunk of entries under a cascade into their bodies
// (core/ring.h): the tokens of the tail, [tail_first_position, base_length +
// token_count). Entries without a cascade, or with an empty tail, are passed over.
//
// First score[t] <- decay^q * score[t] + reduce_g(pending sums of t) for every slot
// but the sinks', q being the chunk's tokens, whose own scores start from 0; then
// the chunk's tokens are inserted one by one. Entries without score memory insert
// as if all scores were equal. A page of the body is cleared when its first slot
// is reached; slots take the bytes, the side arrays and the score of what moves
// there, and pending sums of 0.
struct CascadeInsertArgs {
  const StepView* view = nullptr;  // first_token and total_tokens are not read
  const LayerShape* layer = nullptr;
  MassRule mass;  // as of the Attends
};

// Keeps the newest query rows of a range of a step's tokens as observation rows.
//
// Of each entry with a ring for the layer, the rows among the last
// `observation_capacity` of all the entry's tokens in the step, converted to the
// dtype of its tail. A row of a query head that is not finite there is kept as
// zeros with lse -inf: as one that saw nothing. How a step's tokens are divided
// into calls does not show in a ring.
struct ObserveArgs {
  const StepView* view = nullptr;
  const LayerShape* layer = nullptr;
  const void* q = nullptr;     // [token_count, q_heads, k_dim], rotated
  const float* lse = nullptr;  // [token_count, q_heads], as Attend gives it; null: not known
  Dtype dtype = Dtype::kF32;
  int64_t first_token = 0;  // of the step's tokens
  int64_t token_count = 0;
};

// A ring of observation rows, and the one that it is to hold the rows of.
struct RingCarry {
  const std::byte* source = nullptr;  // null: none; may be `ring` itself
  std::byte* ring = nullptr;
};

// Makes rings ready for a step that starts at `length`: each holds what its source
// holds of the positions below, and nothing else. For fresh memory, copy on write
// and rollback.
struct CarryObservationsArgs {
  const RingCarry* rings = nullptr;  // [ring_count]; no ring is another's source
  int64_t ring_count = 0;
  ObservationLayout layout;  // of all of them
  int64_t length = 0;
};

// A set of rows of one sequence whose slots lie below a snapshot.
//
// Used by the background operations. `entry.base_length` is the snapshot: rows
// hold the slots with a true position below it; `row_offsets[r]` is where row
// `first_row + r` starts in dense arrays of one value a slot, in slots.
struct RowSet {
  const ViewEntry* entry = nullptr;
  int32_t first_row = 0;
  int32_t row_count = 0;
  const int64_t* row_offsets = nullptr;  // [row_count + 1], each row rounded up to 32 slots
};

// Minus the key norm of every slot; -inf where the norm is not finite.
struct KeyNormScoreArgs {
  RowSet rows;
  float* scores = nullptr;  // [row_offsets[row_count]]
};

// How scores are pooled along the slots of a row (core/pooling.h).
enum class WindowPool : uint8_t { kNone = 0, kAverage = 1, kMax = 2 };

// Scores slots by the attention that the last `window` query rows paid to them
// (SnapKV, Li et al. 2024; compute: "Score").
//
// The rows used are those that the ring holds of the positions [length - window,
// length). For each query head the softmax of every row, over all slots below
// `length` that it sees (as in Attend, sink logits and log_mass included), is
// summed over the rows; then reduced over the query heads of the kv head; then
// pooled along the slots below the snapshot. The softmax's log-sum-exp is the one
// kept with the row, or where that is not known, computed here. Rows of -inf add
// nothing; without rows every score is 0. Slots that round a row up are not
// written.
struct WindowScoreArgs {
  RowSet rows;  // kv heads of the layer; entry->base_length, the snapshot, is at most `length`
  const LayerShape* layer = nullptr;
  int64_t length = 0;                      // keys below it are seen
  const std::byte* observation = nullptr;  // the layer's ring
  ObservationLayout layout;
  int32_t window = 0;  // 1 .. layout.capacity
  GroupReduce reduce = GroupReduce::kMean;  // kMean, kMax or kSum
  WindowPool pool = WindowPool::kNone;
  int32_t pool_width = 1;   // odd
  float* scores = nullptr;  // [row_offsets[row_count]]
};

// One ranking: the slots of a run of rows compete for `k` places.
struct SelectSegment {
  int32_t first_row = 0;  // within the RowSet
  int32_t row_count = 0;
  int64_t k = 0;  // slots kept, protected ones included; >= the slots: all are kept
  int64_t protect_below_position = 0;           // slots with position < this come first
  int64_t protect_from_position = INT64_MAX;    // slots with position >= this come first
  int64_t drop_below_position = 0;              // slots with position < this never stay (sliding window)
};

enum class RowCombine : uint8_t {
  kNone = 0,  // the rows of a segment compete with each other
  kMean = 1,  // the rows of a segment share one mask: scores are the mean, or the
  kMax = 2,   // maximum, over the rows (all of one length); k counts slots of one row
};

// Chooses the slots that stay.
//
// Order within a segment: protected slots, then score descending, NaN last;
// ties (among protected slots too, and everywhere without scores) by row order,
// then by position. Every row keeps its own first min(at_least, at_most, slots)
// slots in that order, even beyond k; the places left go down the segment's
// order to rows that hold fewer than at_most. Slots dropped by position count
// nowhere. Combined rows take the first row's positions; a mean with a NaN is
// NaN, a maximum passes over NaN.
struct SelectArgs {
  RowSet rows;
  const float* scores = nullptr;             // [row_offsets[row_count]]; null: all equal
  const SelectSegment* segments = nullptr;   // [segment_count], disjoint unless only counts are wanted
  int32_t segment_count = 0;
  RowCombine combine = RowCombine::kNone;
  int64_t at_least = 0;
  int64_t at_most = INT64_MAX;
  // [row_offsets[row_count] / 32], bit i of a row: slot i stays. Rows of no segment
  // are left as they are. Null: not wanted.
  uint32_t* masks = nullptr;
  int32_t* counts = nullptr;   // [segment_count, row_count of the RowSet]; rows outside a segment: 0; null: not wanted
};

// Adds up the scores of rows: of all their slots, and of those that a mask keeps. What is
// not finite adds nothing.
struct SumScoresArgs {
  RowSet rows;
  const float* scores = nullptr;    // [row_offsets[row_count]]
  const uint32_t* masks = nullptr;  // as Select wrote them
  double* sums = nullptr;           // [row_count, 2]: all, kept
};

// Copies the kept slots of rows, in order, into fresh pages with side arrays.
//
// A destination page whose content would be exactly one full source page,
// wholly kept, in the same format, is not written: `reused` names the source.
struct CompactArgs {
  RowSet rows;
  const uint32_t* masks = nullptr;              // as Select wrote them
  const uint32_t* destination_pages = nullptr;  // page ids, row by row
  const int64_t* destination_offsets = nullptr; // [row_count + 1], in pages
  uint16_t destination_format = 0;
  uint32_t* reused = nullptr;  // [destination_offsets[row_count]]: source page id, or kNoPage
};

// Gathers accumulated scores of rows: the slots of a mask, or all.
struct MoveScoresArgs {
  RowSet rows;
  const uint32_t* masks = nullptr;              // null: all slots
  const int64_t* destination_offsets = nullptr; // [row_count + 1], in slots
  float* destination = nullptr;                 // [destination_offsets[row_count]]
  // > 0: each score is divided by the query rows that saw its slot: those from its position
  // on to before this, at most `window` of them where that is not 0.
  int64_t seen_below = 0;
  int32_t window = 0;
};

// Scores of one place to be copied to another.
struct ScoreCopy {
  const float* source = nullptr;
  float* destination = nullptr;
  int64_t count = 0;
};

// Copies accumulated scores: for who writes those of a fork first.
struct CopyScoresArgs {
  const ScoreCopy* copies = nullptr;  // [copy_count]; none overlaps another
  int64_t copy_count = 0;
};

// One page copied to another of the same format.
struct PageCopy {
  uint32_t source = kNoPage;
  uint32_t destination = kNoPage;
};

// Copies the first `slots` slots of pages with their side arrays; slots beyond
// become zero bytes. Copy-on-write.
struct CopyPagesArgs {
  const PageCopy* pages = nullptr;  // [page_count]
  int64_t page_count = 0;
  int32_t slots = 0;  // the same for all
  uint16_t format = 0;
};

// Canonical form of slots of one row: [slots, dim] and the side arrays.
struct ExportArgs {
  RowSet rows;             // one row
  int64_t first_slot = 0;  // of the row
  int64_t slots = 0;
  void* k = nullptr;           // [slots, k_dim] in the stored dtype; each output may be null
  void* v = nullptr;           // [slots, v_dim]
  int32_t* positions = nullptr;
  float* log_mass = nullptr;
  float* key_norms = nullptr;
};

// The inverse of Export: writes slots of given pages, whole rows of a body or
// of a tail, with their side arrays. Pages are cleared first. A slot whose key
// or value is not finite, or whose log_mass is -inf, is stored as Append stores
// a non-finite one.
struct ImportArgs {
  const uint32_t* page_ids = nullptr;  // [ceil(slots / page_size)]
  int64_t slots = 0;
  uint16_t format = 0;
  const void* k = nullptr;             // [slots, k_dim] in the stored dtype
  const void* v = nullptr;             // [slots, v_dim]
  const int32_t* positions = nullptr;  // [slots]
  const float* log_mass = nullptr;     // [slots]; null: 0
};

using Operation = std::variant<AppendArgs, AttendArgs, KeyNormScoreArgs, SelectArgs, CompactArgs,
                               MoveScoresArgs, CopyScoresArgs, CopyPagesArgs, ExportArgs, ImportArgs,
                               ObserveArgs, CarryObservationsArgs, WindowScoreArgs,
                               CascadeInsertArgs, SumScoresArgs>;

}  // namespace sluice
