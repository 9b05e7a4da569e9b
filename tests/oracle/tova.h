// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// TOVA: related-methods.md, section 5.

#include <vector>

#include "tests/oracle/attention.h"
#include "tests/oracle/common.h"

namespace sluice::oracle {

struct TovaRule {
  int capacity = 512;    // C
  int protect_last = 0;  // newest slots that stay whatever they score
};

// The slots that stay. last_row: [q_heads][slots], the newest query's probabilities.
struct TovaChoice {
  Indices kept;
  Decision decision;
};
TovaChoice KeepByLastRow(const Rows& last_row, const TovaRule& rule);

// A layer over a sequence: the first `prompt` tokens at once and an eviction, then one token at
// a time with an eviction when `trigger` says so. All kv heads hold the same.
TokenRun RunTova(const LayerTensors& tensors, int prompt, const Trigger& trigger,
                 const TovaRule& rule, const AttentionOptions& options = {});

}  // namespace sluice::oracle
