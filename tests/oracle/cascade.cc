// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/cascade.h"

#include <algorithm>

namespace sluice::oracle {
namespace {

// The columns [first, first + count) of p. [heads][rows][count]
std::vector<Rows> Columns(const std::vector<Rows>& p, int first, int count) {
  std::vector<Rows> columns = p;
  for (Rows& head : columns) {
    for (Row& row : head) row = Row(row.begin() + first, row.begin() + first + count);
  }
  return columns;
}

// Every row sees what was cached before, and of the chunk what does not come after it.
std::vector<std::vector<bool>> ChunkVisibility(int cached, int tokens) {
  std::vector<std::vector<bool>> visible;
  for (int row = 0; row < tokens; ++row) {
    std::vector<bool> sees(cached + tokens, true);
    std::fill(sees.begin() + cached + row + 1, sees.end(), false);
    visible.push_back(sees);
  }
  return visible;
}

Row RingScores(const CascadeCache& cache) {
  Row scores;
  for (auto ring = cache.rings().rbegin(); ring != cache.rings().rend(); ++ring) {
    for (const CascadeCache::Entry& entry : *ring) scores.push_back(entry.score);
  }
  return scores;
}

void SetRingScores(CascadeCache& cache, const Row& scores) {
  int next = 0;
  for (auto ring = cache.rings().rbegin(); ring != cache.rings().rend(); ++ring) {
    for (CascadeCache::Entry& entry : *ring) entry.score = scores[next++];
  }
}

}  // namespace

CascadeLayer::CascadeLayer(const LayerTensors& tensors, const CascadeLayerRule& rule)
    : tensors_(tensors), rule_(rule), heads_(tensors.kv_heads(), CascadeCache(rule.cache)) {}

std::vector<Rows> CascadeLayer::AttendHead(int kv_head, int tokens) const {
  Indices order = heads_[kv_head].InCacheOrder();
  const int cached = Size(order);
  for (int token = 0; token < tokens; ++token) order.push_back(seen_ + token);
  Rows keys;
  for (int position = 0; position < Size(order); ++position) {
    keys.push_back(Rotate(tensors_.k[kv_head][order[position]], position, rule_.rope));
  }
  std::vector<Rows> p;
  for (int g = 0; g < tensors_.group(); ++g) {
    Rows queries;
    for (int row = 0; row < tokens; ++row) {
      const Row& query = tensors_.q[kv_head * tensors_.group() + g][seen_ + row];
      queries.push_back(Rotate(query, cached + row, rule_.rope));
    }
    p.push_back(AttentionRows(queries, keys, ChunkVisibility(cached, tokens), {}, rule_.attention));
  }
  return p;
}

Row CascadeLayer::Score(CascadeCache& cache, const std::vector<Rows>& p, int tokens) const {
  const int sinks = Size(cache.sinks());
  const Row ring_scores = RingScores(cache);
  const int in_rings = Size(ring_scores);
  const std::vector<Rows> scored = Columns(p, sinks, in_rings + tokens);
  // What the chunk's own tokens get from rows before them is 0.
  const Row updated = UpdateMass(ring_scores, scored, {rule_.beta, false, rule_.reduce});
  SetRingScores(cache, updated);
  return Row(updated.begin() + in_rings, updated.end());
}

std::vector<Rows> CascadeLayer::AttendChunk(int tokens) {
  std::vector<Rows> all;
  std::vector<std::vector<Rows>> by_head;
  for (int head = 0; head < tensors_.kv_heads(); ++head) {
    by_head.push_back(AttendHead(head, tokens));
    all.insert(all.end(), by_head.back().begin(), by_head.back().end());
  }
  for (int head = 0; head < tensors_.kv_heads(); ++head) {
    const Row scores = Score(heads_[head], rule_.homogeneous ? all : by_head[head], tokens);
    for (double score : scores) heads_[head].Insert(score);
  }
  seen_ += tokens;
  return all;
}

HeadSets CascadeLayer::Held() const {
  HeadSets held;
  for (const CascadeCache& head : heads_) held.push_back(head.Kept());
  return held;
}

DecisionLog CascadeLayer::Fights() const {
  DecisionLog log;
  for (int head = 0; head < Size(heads_); ++head) {
    for (Decision fight : heads_[head].fights()) {
      fight.layer = fight.head;
      fight.head = head;
      log.push_back(fight);
    }
  }
  return log;
}

CascadeRun RunCascade(const LayerTensors& tensors, int prompt, int stride,
                      const CascadeLayerRule& rule) {
  CascadeRun result;
  CascadeLayer layer(tensors, rule);
  while (layer.seen() < tensors.tokens()) {
    const bool is_prompt = layer.seen() < prompt;
    layer.AttendChunk(is_prompt ? std::min(stride, prompt - layer.seen()) : 1);
    if (layer.seen() < prompt) continue;
    result.run.steps.push_back({layer.seen(), layer.Held()});
    HeadSets orders;
    Rows scores;
    for (int head = 0; head < tensors.kv_heads(); ++head) {
      orders.push_back(layer.head(head).InCacheOrder());
      scores.push_back(RingScores(layer.head(head)));
    }
    result.cache_order.push_back(orders);
    result.scores.push_back(scores);
  }
  result.run.decisions = layer.Fights();
  return result;
}

}  // namespace sluice::oracle
