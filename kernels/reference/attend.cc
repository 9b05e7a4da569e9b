// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/attend.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/core/number.h"
#include "kernels/reference/logits.h"
#include "kernels/reference/mass.h"
#include "kernels/reference/step_tokens.h"

namespace sluice::reference {
namespace {

// What one query row gives.
struct Answer {
  std::vector<double> out;      // [v_dim]
  std::vector<double> weights;  // [slots]: the softmax
  double lse = -kInfinity;
};

Answer AttendRow(const LayerShape& layer, const std::vector<Key>& keys, const Numbers& q,
                 int64_t position, int32_t head) {
  Answer answer;
  answer.out.resize(static_cast<size_t>(layer.v_dim));
  answer.weights.resize(keys.size());
  const bool finite = std::all_of(q.begin(), q.end(), [](double x) { return std::isfinite(x); });
  if (keys.empty() || !finite) return answer;
  const std::vector<double> logits = Logits(layer, keys, q, position);
  answer.lse = LogSumExp(logits, SinkLogit(layer, head));
  if (answer.lse == -kInfinity) return answer;
  for (size_t i = 0; i < keys.size(); ++i) {
    answer.weights[i] = std::exp(logits[i] - answer.lse);
    for (int32_t dim = 0; dim < layer.v_dim; ++dim) {
      answer.out[dim] += answer.weights[i] * double{keys[i].content.v[dim]};
    }
  }
  return answer;
}

// The query of a token as it stands among its entry's keys.
Numbers QueryInPlace(const PoolView& pool, const LayerShape& layer, const EntryToken& token,
                     const Vector& q) {
  const ViewEntry& entry = *token.entry;
  if (pool.formats[entry.tail_format].page.key_space != KeySpace::kCachePosition) return Plain(q);
  const int64_t position = entry.base_length + token.index;
  return TurnedQuery(layer.rope, q, position, RowPosition(pool, entry, position));
}

// Writes what the query row `query_row` of the call gave.
void StoreAnswer(const AttendArgs& args, int64_t query_row, const Answer& answer) {
  const int32_t v_dim = args.layer->v_dim;
  for (int32_t dim = 0; dim < v_dim; ++dim) {
    StoreFloat(args.out, args.dtype, query_row * v_dim + dim, static_cast<float>(answer.out[dim]));
  }
  if (args.lse != nullptr) args.lse[query_row] = static_cast<float>(answer.lse);
}

// The tokens of one entry against one kv head.
void AttendHead(const PoolView& pool, const AttendArgs& args, const std::vector<EntryToken>& tokens,
                int32_t kv_head) {
  const LayerShape& layer = *args.layer;
  const ViewEntry& entry = *tokens.front().entry;
  const int32_t group = layer.q_heads / layer.kv_heads;
  const Row row =
      MakeRow(pool, entry, layer.first_row + kv_head, entry.base_length + tokens.back().index + 1);
  const std::vector<Key> keys = ReadRow(pool, row, layer.rope);
  MassSums mass(args.mass, group, row.slots);
  for (const EntryToken& token : tokens) {
    for (int32_t g = 0; g < group; ++g) {
      const int32_t head = kv_head * group + g;
      const int64_t query_row = (token.step_token - args.first_token) * layer.q_heads + head;
      const Vector q = LoadVector(args.q, args.dtype, query_row * layer.k_dim, layer.k_dim);
      const Answer answer =
          AttendRow(layer, keys, QueryInPlace(pool, layer, token, q),
                    RowPosition(pool, entry, entry.base_length + token.index), head);
      StoreAnswer(args, query_row, answer);
      mass.Add(g, answer.weights);
      const bool finite = std::all_of(q.begin(), q.end(), IsFinite);
      if (!finite && args.non_finite_count != nullptr) ++*args.non_finite_count;
    }
  }
  if (args.accumulate_mass) {
    const int64_t first = RowPosition(pool, entry, entry.base_length + tokens.front().index);
    AddToScores(pool, entry, row, mass, static_cast<int64_t>(tokens.size()), first);
  }
}

}  // namespace

void RunAttend(const PoolView& pool, const AttendArgs& args) {
  for (int32_t e = 0; e < args.view->entry_count; ++e) {
    const StepView one{args.view->entries + e, 1, args.view->total_tokens};
    const std::vector<EntryToken> tokens = TokensOf(one, args.first_token, args.token_count);
    if (tokens.empty()) continue;
    for (int32_t head = 0; head < args.layer->kv_heads; ++head) {
      AttendHead(pool, args, tokens, head);
    }
  }
}

}  // namespace sluice::reference
