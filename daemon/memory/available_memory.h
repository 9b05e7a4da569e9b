// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sluice {

// The most memory that this process could take now without pushing others out:
// what the kernel counts as available, and no more than any control group above the
// process leaves below its limit. nullopt where the kernel does not say. Thread-safe.
std::optional<int64_t> AvailableMemoryBytes();

// The same, read from files below `root`: "proc" and "sys" lie there.
std::optional<int64_t> AvailableMemoryBytesUnder(const std::string& root);

}  // namespace sluice
