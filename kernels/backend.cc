// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/backend.h"

namespace sluice {

void WaitUntilPassed(const Backend& backend, CompletionSignal& passed) {
  for (const Lane lane : {Lane::kForeground, Lane::kBackground}) {
    const Ticket last = backend.Submitted(lane);
    for (;;) {
      const uint32_t seen = passed.value();
      if (backend.Completed(lane) >= last) break;
      passed.Wait(seen, -1);
    }
  }
}

}  // namespace sluice
