// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/cpp/admin.h"

namespace sluice::client {

// What `top` knows at one time.
struct TopSnapshot {
  absl::Time time;
  DaemonStatus status;
  SequenceList sequences;
};

// The pool as a bar of `width` characters between brackets, one letter a state:
// '#' in use, 'c' cached, 'r' reserved, 'x' retired, '.' free. A state with any
// bytes has at least one character if there is room.
std::string PoolBar(const PoolStatus& pool, size_t width);

// The screen, at most `rows` lines of at most `columns` characters, largest
// sequences first. Rates are from `before` to `now`; without `before`, or after a
// restart of the daemon, they are not shown. Pure and thread-safe.
std::vector<std::string> TopView(const TopSnapshot& now, const TopSnapshot* before, size_t rows,
                                 size_t columns);

}  // namespace sluice::client
