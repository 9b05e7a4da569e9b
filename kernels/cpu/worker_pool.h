// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "kernels/completion_signal.h"
#include "kernels/cpu/lane_queue.h"
#include "kernels/cpu/work.h"

namespace sluice::cpu {

// Memory of one worker's scratch.
inline constexpr int64_t kWorkerScratchBytes = int64_t{1} << 20;

// The threads that run lanes.
//
// A worker takes items of the first lane before those of the second, unless the
// last lane is owed some of its share of the workers' time. One that finds nothing
// looks again for some tens of microseconds, then sleeps on a futex. Started by the
// constructor, joined by the destructor. Notify, Help and SetLastLaneShare: the
// thread that pushes into the lanes; the rest is the workers'.
class WorkerPool {
 public:
  struct Options {
    int32_t threads = 0;                  // 0: one a core
    std::vector<LaneQueue*> lanes;        // by priority; they outlive the pool
    // Raised after every operation; they outlive the pool.
    CompletionSignal* passed = nullptr;
    CompletionSignal* signal = nullptr;  // not by Help; may be null
    // What time it is, in nanoseconds; empty: the steady clock's. For tests.
    std::function<int64_t()> now_ns;
  };

  explicit WorkerPool(Options options);

  // Waits for the items under way; operations not yet started stay undone.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // To be called after every Push: wakes a worker unless one is looking.
  void Notify();

  // The same for several, if there is anything to do.
  void NotifyIfNeeded();

  // Runs operations of the first lane on the calling thread until it is empty, or
  // nothing of it could be claimed for some microseconds. Wakes nobody: call
  // NotifyIfNeeded afterwards. One caller at a time.
  void Help();

  // Of the time that workers run items the last lane gets at least `share`, in
  // [0, 1), while there is something to claim in it.
  void SetLastLaneShare(double share);

  int32_t threads() const { return static_cast<int32_t>(threads_.size()); }

 private:
  struct AlignedDelete {
    void operator()(std::byte* data) const;
  };

  WorkerScratch ScratchOf(int32_t worker);
  void RunWorker(int32_t worker);
  bool RunOne(WorkerScratch& scratch);
  bool RunOneOf(LaneQueue& lane, WorkerScratch& scratch);
  int64_t Now() const;
  void Account(bool last_lane, int64_t elapsed_ns);
  void Execute(LaneQueue& lane, const Claim& claim, WorkerScratch& scratch);
  bool SpinUntilWork() const;
  void SleepUntilWork();
  bool AnyWork() const;
  bool AnyPlan() const;
  void Wake(int64_t workers);

  const Options options_;
  std::vector<std::unique_ptr<std::byte, AlignedDelete>> scratch_;  // the last is Help's

  // Workers that are awake and will look at every lane before they sleep. Who
  // makes work visible and then reads 0 here has to wake somebody; who stops
  // looking decrements first and then looks a last time.
  alignas(64) std::atomic<int32_t> searching_{0};
  alignas(64) std::atomic<int32_t> sleeping_{0};
  std::atomic<uint32_t> wake_count_{0};  // the futex
  std::atomic<bool> stopping_{false};

  // What a nanosecond of another lane owes the last one; 0: nothing.
  std::atomic<double> owed_of_each_{0};
  std::atomic<int64_t> owed_ns_{0};  // to the last lane; negative: it is ahead

  std::vector<std::thread> threads_;
};

}  // namespace sluice::cpu
