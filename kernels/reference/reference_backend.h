// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>

#include "kernels/backend.h"

namespace sluice {

// The oracle: every operation in double precision, written to be obvious and
// never optimised. Other backends are held against it.
//
// Submit runs the operation on the calling thread, in the order of the calls
// whatever the lane, and returns when it has passed. Thread-safety: as Backend.
class ReferenceBackend : public Backend {
 public:
  // `signal` is raised after every operation; null: nobody waits. Not owned.
  ReferenceBackend(const PoolView& pool, CompletionSignal* signal);

  Ticket Submit(Lane lane, const Operation& operation) override;
  void After(Lane lane, Ticket ticket) override;
  Ticket Submitted(Lane lane) const override;
  Ticket Completed(Lane lane) const override;
  void WaitIdle() override;
  void Clear(std::byte* memory, int64_t bytes) override;

  const char* name() const override { return "reference"; }
  PageLayout page_layout() const override { return PageLayout::kGroup16; }
  const char* description() const override { return "fp64, scalar, 1 thread"; }

 private:
  const PoolView pool_;
  CompletionSignal* const signal_;
  std::array<std::atomic<Ticket>, 2> passed_{};  // newest ticket, by lane
};

}  // namespace sluice
