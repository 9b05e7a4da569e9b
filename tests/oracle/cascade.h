// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// A layer of the Cascading KV cache from un-rotated tensors: core-methods.md, section 3(c), with
// the corrections of 3(h): exact probabilities, no score of sink columns, no factor (1 - beta).

#include <vector>

#include "tests/oracle/attention.h"
#include "tests/oracle/cascade_cache.h"
#include "tests/oracle/common.h"
#include "tests/oracle/mass.h"
#include "tests/oracle/rope.h"

namespace sluice::oracle {

struct CascadeLayerRule {
  CascadeRule cache;
  double beta = 0.9999;
  GroupReduce reduce = GroupReduce::kMax;  // mean, max or the lower median
  bool homogeneous = false;                // one score for all kv heads, over all query heads
  Rope rope;
  AttentionOptions attention;  // its window is not used
};

class CascadeLayer {
 public:
  // tensors: un-rotated; outlives the layer.
  CascadeLayer(const LayerTensors& tensors, const CascadeLayerRule& rule);

  // The next `tokens` tokens as one chunk: rotate, attend, score, insert.
  // Returns p [q_heads][rows][sinks | rings in cache order | chunk].
  std::vector<Rows> AttendChunk(int tokens);

  const CascadeCache& head(int kv_head) const { return heads_[kv_head]; }
  int seen() const { return seen_; }
  HeadSets Held() const;
  // Fights of all heads so far; `layer` is the ring, `head` the kv head.
  DecisionLog Fights() const;

 private:
  std::vector<Rows> AttendHead(int kv_head, int tokens) const;
  // Adds a chunk's mass to the rings; returns the scores of its tokens.
  Row Score(CascadeCache& cache, const std::vector<Rows>& p, int tokens) const;

  const LayerTensors& tensors_;
  CascadeLayerRule rule_;
  int seen_ = 0;
  std::vector<CascadeCache> heads_;
};

struct CascadeRun {
  TokenRun run;  // decisions as Fights() has them
  // [steps][kv_heads][held]: true positions in cache order, and the scores of those that have
  // one (the rings'), in the same order.
  std::vector<HeadSets> cache_order;
  std::vector<Rows> scores;
};

// Strided prefill of `prompt` tokens in chunks of `stride` counted from the start (c.3), then one
// token at a time (c.4). A step is recorded after the prompt and after every decoded token.
CascadeRun RunCascade(const LayerTensors& tensors, int prompt, int stride,
                      const CascadeLayerRule& rule);

}  // namespace sluice::oracle
