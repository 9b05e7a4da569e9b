// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The rings of the Cascading KV cache: core-methods.md, sections 3(b) and 3(c.2). Movement and
// scores only; cascade.h attends.

#include <string>
#include <vector>

#include "tests/oracle/common.h"

namespace sluice::oracle {

struct CascadeRule {
  int total = 256;               // C, over all rings
  int rings = 4;                 // N, divides C
  int sinks = 64;                // S
  bool eager = true;             // until C tokens have been seen, everything is accepted
  std::string periods = "pow2";  // e_i: see AcceptancePeriods

  int ring_size() const { return total / rings; }  // W
};

// pow2, pow3, pow4: that to the i; iplus1; 1-then-2; pow2-1: 1 but 2^(N-1) for the last;
// pow2-1-4, pow2-2-4, pow2-3-4: 1 for the first 3/4, 1/2, 1/4 of the rings, then 2^i.
Indices AcceptancePeriods(const std::string& name, int rings);

// The rings with which a decode step sees sinks + recent keys, its own included (compute.md,
// section 8, streaming_llm).
inline CascadeRule StreamingRing(int sinks, int recent) {
  return {.total = recent - 1, .rings = 1, .sinks = sinks};
}

// One kv head of one layer. Every list is oldest first; a ring's oldest is the one at `start`.
class CascadeCache {
 public:
  struct Entry {
    int position = 0;  // true position in the stream
    double score = 0;
  };

  explicit CascadeCache(const CascadeRule& rule);

  // The next stream token. Equal scores are won by the challenger; NaN counts as -infinity.
  void Insert(double score);

  const Indices& sinks() const { return sinks_; }
  const std::vector<std::vector<Entry>>& rings() const { return rings_; }
  std::vector<std::vector<Entry>>& rings() { return rings_; }
  int seen() const { return seen_; }

  // True positions in the order of their cache positions (the sinks, then ring N-1 .. 0): what is
  // at index i of it stands at position i.
  Indices InCacheOrder() const;
  // The same, ascending; sorting changes nothing as age orders both.
  Indices Kept() const;
  // Every fight; `step` is the true position of the inserted token, `head` the ring.
  const DecisionLog& fights() const { return fights_; }

 private:
  // The newest entry of `ring` and `challenger`: one of them is lost.
  void Fight(int ring, const Entry& challenger);

  CascadeRule rule_;
  Indices periods_;
  int seen_ = 0;
  Indices sinks_;
  std::vector<std::vector<Entry>> rings_;
  DecisionLog fights_;
};

}  // namespace sluice::oracle
