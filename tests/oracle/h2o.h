// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// H2O: related-methods.md, section 2(c), the layer-wise form that really drops.

#include <vector>

#include "tests/oracle/attention.h"
#include "tests/oracle/common.h"
#include "tests/oracle/mass.h"

namespace sluice::oracle {

struct H2oRule {
  int heavy = 4;
  int recent = 512;
  bool mean = false;     // at selection, over the query rows that saw the slot
  bool squared = false;  // adds p^2 (KV-Compress)
  GroupReduce reduce = GroupReduce::kMean;
};

// One kv head of one layer.
class H2oHead {
 public:
  explicit H2oHead(H2oRule rule) : rule_(rule) {}

  // Step 1. p: [group][rows][held, then one new slot a row]; every row is a new token, which
  // sees what is held and the new tokens up to itself.
  void Attend(const std::vector<Rows>& p);

  // Step 2; what does not exceed heavy + recent stays.
  Decision Evict();

  const Indices& held() const { return held_; }            // true positions
  const Row& accumulated() const { return accumulated_; }  // of each held slot
  Row Scores() const;                                      // as the selection sees them

 private:
  H2oRule rule_;
  int seen_ = 0;
  Indices held_;
  Row accumulated_;
  Indices rows_seen_;
};

// A layer over a sequence: the first `prompt` tokens at once and an eviction, then one token at
// a time with an eviction when `trigger` says so.
TokenRun RunH2o(const LayerTensors& tensors, int prompt, const Trigger& trigger,
                const H2oRule& rule, const AttentionOptions& options = {});

}  // namespace sluice::oracle
