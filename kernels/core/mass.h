// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Accumulated attention mass: where scores lie and how a call adds to them.
//
// The rule is MassRule's: it covers H2O (Zhang et al. 2023, sum of attention
// over steps), exponential averages, and TOVA (Oren et al. 2024, the last row
// only). Stateless, thread-safe.

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/core/rows.h"
#include "kernels/ops.h"

namespace sluice {

// Scores of a row's body, slot by slot; null if the entry keeps none.
// REQUIRES: the entry has a body.
SLUICE_HD inline float* BodyScores(const PoolView& pool, const ViewEntry& entry, int32_t row) {
  if (entry.body_scores_offset == kNoOffset) return nullptr;
  const auto* bodies = reinterpret_cast<const BodiesRecord*>(pool.tables + entry.bodies_offset);
  const auto* rows = reinterpret_cast<const BodyRow*>(bodies + 1);
  const int64_t page_size = pool.formats[entry.body_format].page.page_size;
  return reinterpret_cast<float*>(pool.pool + entry.body_scores_offset) +
         int64_t{rows[row].first_page} * page_size;
}

// Scores of one block of a row's tail, [page_size]; null if the entry keeps none.
SLUICE_HD inline float* TailScores(const PoolView& pool, const ViewEntry& entry, int32_t row,
                                   int64_t block) {
  if (entry.score_list_offset == kNoOffset) return nullptr;
  const auto* offsets = reinterpret_cast<const uint64_t*>(pool.tables + entry.score_list_offset);
  const int64_t page_size = pool.formats[entry.tail_format].page.page_size;
  return reinterpret_cast<float*>(pool.pool + offsets[block]) + int64_t{row} * page_size;
}

// Under a cascade a slot has the score, and beside it what the pending chunk has
// paid to it: the sum over the chunk's rows so far of each query head, or of all
// where the reduction over the heads commutes with that sum. CascadeInsert adds
// them to the score. The scores of a page are planes [1 + sums, page_size].
SLUICE_HD inline int32_t PendingSums(GroupReduce reduce, int32_t group) {
  return reduce == GroupReduce::kMax || reduce == GroupReduce::kMedian ? group : 1;
}

// In tables, the list of where the scores of a span's blocks lie: of the tail's, or of a
// cascade's body; kNoOffset: none are kept. REQUIRES: the span is a list of blocks.
SLUICE_HD inline uint64_t ScoreListOf(const PoolView& pool, const ViewEntry& entry,
                                      const Span& span) {
  const bool is_tail = span.block_list == reinterpret_cast<const uint32_t*>(
                                              pool.tables + entry.block_list_offset);
  return is_tail ? entry.score_list_offset : entry.body_score_list_offset;
}

// The planes of page `page` of a cascade's span, [1 + sums, page_size]; null if
// the entry keeps no scores there.
SLUICE_HD inline float* CascadeScores(const PoolView& pool, const ViewEntry& entry,
                                      const Span& span, int64_t page, int32_t sums) {
  const int64_t page_floats = int64_t{span.format->page.page_size} * (1 + sums);
  const uint64_t list = ScoreListOf(pool, entry, span);
  if (list == kNoOffset) return nullptr;
  const auto* offsets = reinterpret_cast<const uint64_t*>(pool.tables + list);
  return reinterpret_cast<float*>(pool.pool + offsets[page]) + span.row * page_floats;
}

// reduce_g of a slot's pending sums, `stride` floats apart. A mean's factor is in
// the sum (GroupFactor). The median is the lower one.
SLUICE_HD inline float ReducePending(const float* pending, int64_t stride, int32_t sums,
                                     GroupReduce reduce) {
  if (sums == 1) return pending[0];
  if (reduce == GroupReduce::kMax) {
    float largest = pending[0];
    for (int32_t i = 1; i < sums; ++i) {
      if (pending[i * stride] > largest) largest = pending[i * stride];
    }
    return largest;
  }
  const int32_t wanted = (sums - 1) / 2;
  for (int32_t i = 0; i < sums; ++i) {
    int32_t below = 0;
    int32_t equal_before = 0;
    for (int32_t j = 0; j < sums; ++j) {
      if (pending[j * stride] < pending[i * stride]) ++below;
      if (j < i && pending[j * stride] == pending[i * stride]) ++equal_before;
    }
    if (below + equal_before == wanted) return pending[i * stride];
  }
  return pending[0];
}

// Of `rows_from` query rows from a slot's position on, how many saw it.
SLUICE_HD inline int64_t RowsThatSaw(int64_t rows_from, int32_t window) {
  return window > 0 && window < rows_from ? window : rows_from;
}

// decay^exponent in fp32 by repeated squaring; 0^0 is 1.
SLUICE_HD inline float DecayPower(float decay, int64_t exponent) {
  float result = 1.0f;
  for (float base = decay; exponent > 0; exponent >>= 1, base *= base) {
    if ((exponent & 1) != 0) result *= base;
  }
  return result;
}

// What query row `row` of the `row_count` in a call counts: decay^(q - 1 - row).
SLUICE_HD inline float MassWeight(const MassRule& rule, int64_t row, int64_t row_count) {
  return DecayPower(rule.decay, row_count - 1 - row);
}

// f(p) of the rule.
SLUICE_HD inline float MassTerm(const MassRule& rule, float probability) {
  return rule.squared ? probability * probability : probability;
}

// What the sum over a kv head's query heads is multiplied by.
SLUICE_HD inline float GroupFactor(const MassRule& rule, int32_t group) {
  return rule.reduce == GroupReduce::kMean ? 1.0f / static_cast<float>(group) : 1.0f;
}

}  // namespace sluice
