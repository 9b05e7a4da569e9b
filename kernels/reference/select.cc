// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/number.h"
#include "kernels/reference/slot.h"

namespace sluice::reference {
namespace {

// A slot that competes for a place.
struct Candidate {
  int32_t row = 0;  // of the segment; 0 where the rows are combined
  int64_t slot = 0;
  double score = 0.0;
  bool is_protected = false;
};

bool ComesBefore(const Candidate& a, const Candidate& b) {
  if (a.is_protected != b.is_protected) return a.is_protected;
  if (std::isnan(a.score) != std::isnan(b.score)) return std::isnan(b.score);
  if (!std::isnan(a.score) && a.score != b.score) return a.score > b.score;
  if (a.row != b.row) return a.row < b.row;
  return a.slot < b.slot;
}

Row RowOf(const PoolView& pool, const RowSet& rows, int32_t row) {
  return MakeRow(pool, *rows.entry, rows.first_row + row, rows.entry->base_length);
}

double ScoreOf(const SelectArgs& args, int32_t row, int64_t slot) {
  return args.scores == nullptr ? 0.0 : double{args.scores[args.rows.row_offsets[row] + slot]};
}

double CombinedScore(const SelectArgs& args, const SelectSegment& segment, int64_t slot) {
  double sum = 0.0;
  double largest = std::numeric_limits<double>::quiet_NaN();
  for (int32_t r = 0; r < segment.row_count; ++r) {
    const double score = ScoreOf(args, segment.first_row + r, slot);
    sum += score;
    largest = std::fmax(largest, score);
  }
  return args.combine == RowCombine::kMax ? largest : sum / segment.row_count;
}

void AddCandidates(const PoolView& pool, const SelectArgs& args, const SelectSegment& segment,
                   int32_t r, std::vector<Candidate>* candidates) {
  const Row row = RowOf(pool, args.rows, segment.first_row + r);
  for (int64_t slot = 0; slot < row.slots; ++slot) {
    const int64_t position = PositionInRow(pool, row, slot);
    if (position < segment.drop_below_position) continue;
    Candidate candidate;
    candidate.row = r;
    candidate.slot = slot;
    candidate.score = args.combine == RowCombine::kNone ? ScoreOf(args, segment.first_row + r, slot)
                                                        : CombinedScore(args, segment, slot);
    candidate.is_protected =
        position < segment.protect_below_position || position >= segment.protect_from_position;
    candidates->push_back(candidate);
  }
}

// The candidates that stay, of candidates in the segment's order.
std::vector<Candidate> Kept(const SelectArgs& args, int32_t rows, int64_t k,
                            const std::vector<Candidate>& candidates) {
  std::vector<Candidate> kept;
  std::vector<Candidate> rest;
  std::vector<int64_t> held(static_cast<size_t>(rows));
  for (const Candidate& candidate : candidates) {
    const bool first = held[candidate.row] < std::min(args.at_least, args.at_most);
    if (first) ++held[candidate.row];
    (first ? kept : rest).push_back(candidate);
  }
  for (const Candidate& candidate : rest) {
    if (static_cast<int64_t>(kept.size()) >= k) break;
    if (held[candidate.row] >= args.at_most) continue;
    ++held[candidate.row];
    kept.push_back(candidate);
  }
  return kept;
}

void ClearMask(const PoolView& pool, const SelectArgs& args, int32_t row) {
  const int64_t words = RoundUp(RowOf(pool, args.rows, row).slots, 32) / 32;
  std::fill_n(args.masks + args.rows.row_offsets[row] / 32, words, 0u);
}

// One kept slot of row `row` of the RowSet.
void Keep(const SelectArgs& args, int32_t segment, int32_t row, int64_t slot) {
  if (args.masks != nullptr) {
    args.masks[(args.rows.row_offsets[row] + slot) / 32] |= 1u << (slot % 32);
  }
  if (args.counts != nullptr) ++args.counts[int64_t{segment} * args.rows.row_count + row];
}

void SelectSegmentRows(const PoolView& pool, const SelectArgs& args, int32_t index) {
  const SelectSegment& segment = args.segments[index];
  const bool combined = args.combine != RowCombine::kNone;
  const int32_t ranked_rows = combined ? 1 : segment.row_count;
  std::vector<Candidate> candidates;
  for (int32_t r = 0; r < ranked_rows; ++r) AddCandidates(pool, args, segment, r, &candidates);
  std::sort(candidates.begin(), candidates.end(), ComesBefore);
  for (int32_t r = 0; args.masks != nullptr && r < segment.row_count; ++r) {
    ClearMask(pool, args, segment.first_row + r);
  }
  for (const Candidate& kept : Kept(args, ranked_rows, segment.k, candidates)) {
    for (int32_t r = 0; r < (combined ? segment.row_count : 1); ++r) {
      Keep(args, index, segment.first_row + kept.row + r, kept.slot);
    }
  }
}

}  // namespace

void RunKeyNormScore(const PoolView& pool, const KeyNormScoreArgs& args) {
  for (int32_t r = 0; r < args.rows.row_count; ++r) {
    const Row row = RowOf(pool, args.rows, r);
    for (int64_t slot = 0; slot < row.slots; ++slot) {
      const float norm = ReadSlot(pool, PlaceInRow(row, slot)).key_norm;
      args.scores[args.rows.row_offsets[r] + slot] =
          IsFinite(norm) ? -norm : -std::numeric_limits<float>::infinity();
    }
  }
}

void RunSelect(const PoolView& pool, const SelectArgs& args) {
  if (args.counts != nullptr) {
    std::fill_n(args.counts, int64_t{args.segment_count} * args.rows.row_count, 0);
  }
  for (int32_t index = 0; index < args.segment_count; ++index) SelectSegmentRows(pool, args, index);
}

}  // namespace sluice::reference
