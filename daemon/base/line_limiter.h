// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sluice {

// Lets one line of a kind pass each second and counts the others, so that a
// client that repeats an error cannot fill a disk.
//
// Not thread-safe: owned by the logger, under its lock.
class LineLimiter {
 public:
  // How many lines of this kind were held back since the last one that passed,
  // or nullopt if this one is to be held back.
  std::optional<int64_t> Admit(absl::string_view kind, absl::Duration now);

 private:
  struct Kind {
    absl::Duration passed_at;
    int64_t held_back = 0;
  };

  absl::flat_hash_map<std::string, Kind> kinds_;
};

}  // namespace sluice
