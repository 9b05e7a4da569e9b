// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/sink_window.h"

namespace sluice::oracle {

Indices KeepSinkWindow(int slots, const SinkWindowRule& rule) { return MakeRoom(slots, 0, rule); }

Indices MakeRoom(int slots, int coming, const SinkWindowRule& rule) {
  const bool fits = slots + coming <= rule.sinks + rule.recent;
  Indices kept;
  for (int slot = 0; slot < slots; ++slot) {
    if (fits || slot < rule.sinks || slot >= slots - rule.recent + coming) kept.push_back(slot);
  }
  return kept;
}

void StreamingCache::Prefill(int tokens) {
  Add(tokens);
  held_ = Gather(held_, KeepSinkWindow(Size(held_), rule_));
}

void StreamingCache::Append(int tokens) {
  held_ = Gather(held_, MakeRoom(Size(held_), tokens, rule_));
  Add(tokens);
}

void StreamingCache::Add(int tokens) {
  for (int i = 0; i < tokens; ++i) held_.push_back(seen_++);
}

}  // namespace sluice::oracle
