// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/h2o.h"

#include "tests/oracle/select.h"

namespace sluice::oracle {

void H2oHead::Attend(const std::vector<Rows>& p) {
  const int rows = Size(p[0]);
  accumulated_ = UpdateMass(accumulated_, p, {1, rule_.squared, rule_.reduce});
  for (int& count : rows_seen_) count += rows;
  for (int row = 0; row < rows; ++row) {
    held_.push_back(seen_++);
    rows_seen_.push_back(rows - row);
  }
}

Row H2oHead::Scores() const {
  Row scores = accumulated_;
  for (int slot = 0; rule_.mean && slot < Size(scores); ++slot) scores[slot] /= rows_seen_[slot];
  return scores;
}

Decision H2oHead::Evict() {
  const int slots = Size(held_);
  if (slots <= rule_.heavy + rule_.recent) return Judge({.step = seen_}, {}, {});
  Row candidates = Scores();
  candidates.resize(slots - rule_.recent);
  const Selection heavy = SelectTop(candidates, rule_.heavy);
  Indices kept = heavy.chosen[0];
  for (int slot = slots - rule_.recent; slot < slots; ++slot) kept.push_back(slot);
  held_ = Gather(held_, kept);
  accumulated_ = Gather(accumulated_, kept);
  rows_seen_ = Gather(rows_seen_, kept);
  Decision decision = heavy.decisions.back();
  decision.step = seen_;
  return decision;
}

TokenRun RunH2o(const LayerTensors& tensors, int prompt, const Trigger& trigger,
                const H2oRule& rule, const AttentionOptions& options) {
  TokenRun run;
  std::vector<H2oHead> heads(tensors.kv_heads(), H2oHead(rule));
  int acted = prompt;
  for (int first = 0, end = prompt; end <= tensors.tokens(); first = end, ++end) {
    HeldStep step{end, {}};
    const int held = Size(heads[0].held()) + end - first;  // all heads hold as many
    const bool acts =
        end == prompt || trigger.IsDue(end - acted, held, rule.heavy + rule.recent);
    if (acts) acted = end;
    for (int head = 0; head < tensors.kv_heads(); ++head) {
      Indices slots = heads[head].held();
      for (int token = first; token < end; ++token) slots.push_back(token);
      heads[head].Attend(GroupAttention(tensors, head, first, end, slots, options));
      if (acts) {
        run.decisions.push_back(heads[head].Evict());
        run.decisions.back().head = head;
      }
      step.held.push_back(heads[head].held());
    }
    run.steps.push_back(step);
  }
  return run;
}

}  // namespace sluice::oracle
