// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The rows that background operations work on. Stateless, thread-safe.
//
// Those of a cascade are not among them, so a row has at most two spans; a Row (rows.h)
// would take kilobytes of every thread.

#include <cstdint>

#include "kernels/core/rows.h"

namespace sluice::device {

// Body, then tail; empty spans are left out.
struct JobRow {
  Span spans[2];
  int32_t span_count = 0;
  int64_t slots = 0;
};

// A slot of a row by its span, and its number there.
struct JobSlot {
  const Span* span = nullptr;
  int64_t slot = 0;
};

// REQUIRES: slot < row.slots.
SLUICE_HD inline JobSlot JobSlotAt(const JobRow& row, int64_t slot) {
  if (slot < row.spans[0].slots) return {&row.spans[0], slot};
  return {&row.spans[1], slot - row.spans[0].slots};
}

}  // namespace sluice::device
