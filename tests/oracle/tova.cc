// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/tova.h"

#include "tests/oracle/select.h"

namespace sluice::oracle {

TovaChoice KeepByLastRow(const Rows& last_row, const TovaRule& rule) {
  const int slots = Size(last_row[0]);
  SelectRequest request;
  request.scores = last_row;
  request.k = rule.capacity;
  request.combine = Combine::kMean;
  std::vector<bool> is_protected;
  for (int slot = 0; slot < slots; ++slot) {
    is_protected.push_back(slot >= slots - rule.protect_last);
  }
  request.is_protected.assign(last_row.size(), is_protected);
  const Selection selection = Select(request);
  return {selection.chosen[0], selection.decisions.back()};
}

TokenRun RunTova(const LayerTensors& tensors, int prompt, const Trigger& trigger,
                 const TovaRule& rule, const AttentionOptions& options) {
  TokenRun run;
  Indices held;
  int acted = prompt;
  for (int first = 0, end = prompt; end <= tensors.tokens(); first = end, ++end) {
    for (int token = first; token < end; ++token) held.push_back(token);
    if (end == prompt || trigger.IsDue(end - acted, Size(held), rule.capacity)) {
      acted = end;
      Rows last_row;
      for (int head = 0; head < tensors.kv_heads(); ++head) {
        for (const Rows& p : GroupAttention(tensors, head, end - 1, end, held, options)) {
          last_row.push_back(p[0]);
        }
      }
      TovaChoice choice = KeepByLastRow(last_row, rule);
      held = Gather(held, choice.kept);
      choice.decision.step = end;
      run.decisions.push_back(choice.decision);
    }
    run.steps.push_back({end, HeadSets(tensors.kv_heads(), held)});
  }
  return run;
}

}  // namespace sluice::oracle
