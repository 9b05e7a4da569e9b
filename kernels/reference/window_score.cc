// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/window_score.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/core/number.h"
#include "kernels/core/observation.h"
#include "kernels/reference/logits.h"

namespace sluice::reference {
namespace {

using Scores = std::vector<double>;  // one a slot

// The softmax of query head `head`'s row of `position`; zeros if it saw nothing.
Scores RowWeights(const WindowScoreArgs& args, const std::vector<Key>& keys, int32_t head,
                  int64_t position) {
  const ObservationLayout& layout = args.layout;
  const std::byte* kept = args.observation + ObservedQueryOffset(layout, position, head);
  const Vector q = LoadVector(kept, layout.dtype, 0, layout.k_dim);
  const Scores logits = Logits(*args.layer, keys, Plain(q), position);
  double lse = double{reinterpret_cast<const float*>(
      args.observation + ObservedLseOffset(layout, position))[head]};
  if (std::isnan(lse)) lse = LogSumExp(logits, SinkLogit(*args.layer, head));
  Scores weights(keys.size());
  if (lse == -kInfinity) return weights;
  for (size_t i = 0; i < keys.size(); ++i) weights[i] = std::exp(logits[i] - lse);
  return weights;
}

// The attention that all rows of the window paid through one query head.
Scores HeadScores(const WindowScoreArgs& args, const std::vector<Key>& keys, int32_t head) {
  Scores sums(keys.size());
  for (int64_t p = std::max<int64_t>(0, args.length - args.window); p < args.length; ++p) {
    if (!HoldsObservation(args.observation, args.layout, p)) continue;
    const Scores weights = RowWeights(args, keys, head, p);
    for (size_t i = 0; i < keys.size(); ++i) sums[i] += weights[i];
  }
  return sums;
}

Scores GroupScores(const WindowScoreArgs& args, const std::vector<Key>& keys, int32_t kv_head) {
  const int32_t group = args.layer->q_heads / args.layer->kv_heads;
  Scores reduced(keys.size());
  for (int32_t g = 0; g < group; ++g) {
    const Scores scores = HeadScores(args, keys, kv_head * group + g);
    for (size_t i = 0; i < keys.size(); ++i) {
      reduced[i] = args.reduce == GroupReduce::kMax ? std::max(reduced[i], scores[i])
                                                    : reduced[i] + scores[i];
    }
  }
  for (double& score : reduced) {
    if (args.reduce == GroupReduce::kMean) score /= group;
  }
  return reduced;
}

double Pooled(const WindowScoreArgs& args, const Scores& scores, int64_t slot) {
  if (args.pool == WindowPool::kNone) return scores[slot];
  double sum = 0.0;
  double largest = 0.0;
  for (int64_t i = slot - args.pool_width / 2; i <= slot + args.pool_width / 2; ++i) {
    if (i < 0 || i >= static_cast<int64_t>(scores.size())) continue;
    sum += scores[i];
    largest = std::max(largest, scores[i]);
  }
  return args.pool == WindowPool::kMax ? largest : sum / args.pool_width;
}

}  // namespace

void RunWindowScore(const PoolView& pool, const WindowScoreArgs& args) {
  const ViewEntry& entry = *args.rows.entry;
  for (int32_t r = 0; r < args.rows.row_count; ++r) {
    const int32_t model_row = args.rows.first_row + r;
    const std::vector<Key> keys =
        ReadRow(pool, MakeRow(pool, entry, model_row, args.length), args.layer->rope);
    Scores scores = GroupScores(args, keys, model_row - args.layer->first_row);
    scores.resize(
        static_cast<size_t>(MakeRow(pool, entry, model_row, entry.base_length).slots));
    for (int64_t slot = 0; slot < static_cast<int64_t>(scores.size()); ++slot) {
      args.scores[args.rows.row_offsets[r] + slot] =
          static_cast<float>(Pooled(args, scores, slot));
    }
  }
}

}  // namespace sluice::reference
