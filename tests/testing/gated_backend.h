// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/backend.h"
#include "kernels/make_backend.h"
#include "kernels/reference/reference_backend.h"

namespace sluice {

// What a test sees and says of a GatedBackend, while it runs and after it.
// Thread-safe.
class BackendGate {
 public:
  // Operations that have not begun wait from now on, until Open or WaitIdle.
  void Hold(Lane lane);
  void Open(Lane lane);

  // Returns when `lane` holds at least `count` operations that have not passed.
  void AwaitWaiting(Lane lane, int64_t count);
  // Returns when nothing is under way in `lane`.
  void AwaitIdle(Lane lane);
  // Operations of a kind (index in Operation) that were submitted so far.
  int64_t SubmittedOfKind(size_t kind) const;
  // As SetBackgroundShare said last.
  double BackgroundShare() const;
  // The most operations that were under way in a lane at a time.
  int64_t MostUnderWay(Lane lane) const;

 private:
  friend class GatedBackend;

  struct Queued {
    Operation operation;
    Ticket after = 0;  // of the other lane
  };
  struct LaneState {
    std::deque<Queued> queue;
    bool held = false;
    bool running = false;
    Ticket after = 0;
    Ticket submitted = 0;
    int64_t most = 0;
    std::atomic<Ticket> passed{0};
  };

  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::array<LaneState, 2> lanes_;
  std::array<int64_t, std::variant_size_v<Operation>> kinds_{};
  double background_share_ = 0;
  bool stopping_ = false;
};

// The reference backend behind one thread a lane, so that operations are under
// way for a while, and as long as a test wants.
class GatedBackend final : public Backend {
 public:
  GatedBackend(const BackendOptions& options, std::shared_ptr<BackendGate> gate);
  ~GatedBackend() override;

  Ticket Submit(Lane lane, const Operation& operation) override;
  void After(Lane lane, Ticket ticket) override;
  Ticket Submitted(Lane lane) const override;
  Ticket Completed(Lane lane) const override;
  void SetBackgroundShare(double share) override;
  // Opens both lanes.
  void WaitIdle() override;

  const char* name() const override { return "gated"; }
  PageLayout page_layout() const override { return inner_.page_layout(); }
  void Clear(std::byte* memory, int64_t bytes) override { inner_.Clear(memory, bytes); }
  const char* description() const override { return inner_.description(); }

 private:
  void Run(Lane lane);

  const std::shared_ptr<BackendGate> gate_;
  CompletionSignal* const signal_;
  ReferenceBackend inner_;
  std::vector<std::thread> threads_;
};

}  // namespace sluice
