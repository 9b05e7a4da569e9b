// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "daemon/engine/core.h"
#include "daemon/engine/sequences.h"
#include "daemon/engine/steps.h"

namespace sluice {

// Sessions, leases, and what an operator asks.
//
// Not thread-safe: owned by the engine thread. Nothing waits.
class Sessions {
 public:
  Sessions(Core& core, Steps& steps, Sequences& sequences, Jobs& jobs)
      : core_(core), steps_(steps), sequences_(sequences), jobs_(jobs) {}

  void Open(OpenSession command);
  void Close(CloseSession command);
  void List(ListSessions command);
  void Status(GetStatus command, int64_t queued_commands, const PressureStatus& pressure);
  void Drain(struct Drain command);

  // Undoes steps and frees sequences whose time is over. True if there were any.
  bool ExpireLeases(absl::Duration now);

  // Answers a Drain once no step is open.
  bool PumpDrain();

 private:
  Core& core_;
  Steps& steps_;
  Sequences& sequences_;
  Jobs& jobs_;
  std::vector<Done<Empty>> drain_answers_;
};

}  // namespace sluice
