// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice {

// How many slots one row keeps, by how many it has. Immutable, thread-safe.
class Budget {
 public:
  virtual ~Budget() = default;

  // The slots that a row of `slots` keeps, protected ones included: from 0 to
  // `slots`.
  virtual int64_t TargetSlots(int64_t slots) const = 0;

  // The fewest slots at which a job is worth its work, where a row may exceed
  // its budget by less than `hysteresis_tokens`; 0: as soon as it evicts.
  virtual int64_t ActsFromSlots(int64_t hysteresis_tokens) const = 0;
};

}  // namespace sluice
