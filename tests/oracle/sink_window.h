// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// StreamingLLM: related-methods.md, section 1.

#include "tests/oracle/common.h"

namespace sluice::oracle {

struct SinkWindowRule {
  int sinks = 4;
  int recent = 512;
};

// Step 1: the slots that stay of `slots`.
Indices KeepSinkWindow(int slots, const SinkWindowRule& rule);

// Step 2: the slots that stay of `slots` so that `coming` more bring it to sinks + recent.
Indices MakeRoom(int slots, int coming, const SinkWindowRule& rule);

// The paper's cache over a stream: true positions held. What is at index i of them stands, with
// the paper's rolled positions (step 3), at position i, and the next query behind the last.
class StreamingCache {
 public:
  explicit StreamingCache(SinkWindowRule rule) : rule_(rule) {}

  void Prefill(int tokens);  // the first call
  void Append(int tokens);

  const Indices& held() const { return held_; }

 private:
  void Add(int tokens);

  SinkWindowRule rule_;
  int seen_ = 0;
  Indices held_;
};

}  // namespace sluice::oracle
