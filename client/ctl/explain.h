// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "client/cpp/admin.h"

namespace sluice::client {

// What `sluicectl explain` prints: the sequence, its policy, its last job, and a
// table with a line a layer. Whole lines, with units in all numbers. Pure and
// thread-safe.
//
// A layer's budget is what its policy would keep of each kv head if it ran now;
// "-" where the policy has none for the layer, or where that cannot be told.
std::string ExplainReport(const SequenceInspection& inspection);

}  // namespace sluice::client
