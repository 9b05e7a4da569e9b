// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "client/cpp/admin.h"

namespace sluice::client {

// What the commands print: texts of whole lines, with units in all numbers. All
// are pure and thread-safe.

std::string StatusReport(const DaemonStatus& status, const std::string& address);

// A table with a head; a sentence where there are none.
std::string SequencesReport(const SequenceList& list);

// What came back, or would, and from which sequences.
std::string ReclaimReport(const ReclaimResult& result, bool dry_run);

// The table's lines, head first, cut to `width` columns; 0: not cut.
std::vector<std::string> SequenceTable(const std::vector<SequenceSummary>& sequences, size_t width);

}  // namespace sluice::client
