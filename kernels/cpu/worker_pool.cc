// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/worker_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <new>
#include <utility>

namespace sluice::cpu {
namespace {

using Clock = std::chrono::steady_clock;

// About what falling asleep and being woken costs.
constexpr std::chrono::microseconds kSpin{50};

// What a helper waits for items in other hands, which take about as long.
constexpr std::chrono::microseconds kHelperSpin{20};

// How far the last lane may be behind its share, or ahead of it: about a slice of a
// background operation, which the first lane then waits for at most.
constexpr int64_t kMostOwedNs = 1'000'000;

// Looks at the lanes between two looks at the clock.
constexpr int kLooksPerRound = 16;

constexpr std::align_val_t kScratchAlignment{64};

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int32_t ThreadCount(int32_t wanted) {
  if (wanted > 0) return wanted;
  return std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

}  // namespace

void WorkerPool::AlignedDelete::operator()(std::byte* data) const {
  operator delete[](data, kScratchAlignment);
}

WorkerPool::WorkerPool(Options options) : options_(std::move(options)) {
  const int32_t count = ThreadCount(options_.threads);
  for (int32_t worker = 0; worker <= count; ++worker) {
    scratch_.emplace_back(new (kScratchAlignment) std::byte[kWorkerScratchBytes]);
  }
  searching_.store(count, std::memory_order_seq_cst);
  threads_.reserve(static_cast<size_t>(count));
  for (int32_t worker = 0; worker < count; ++worker) {
    threads_.emplace_back([this, worker] { RunWorker(worker); });
  }
}

WorkerPool::~WorkerPool() {
  stopping_.store(true, std::memory_order_seq_cst);
  Wake(threads());
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Notify() {
  if (searching_.load(std::memory_order_seq_cst) == 0) Wake(1);
}

void WorkerPool::NotifyIfNeeded() {
  if (AnyWork()) Notify();
}

void WorkerPool::Help() {
  LaneQueue& lane = *options_.lanes.front();
  WorkerScratch scratch = ScratchOf(threads());
  Clock::time_point idle_since = Clock::now();
  while (lane.passed() < lane.submitted()) {
    const Claim claim = lane.TryClaim();
    if (claim.kind == Claim::Kind::kNothing) {
      if (Clock::now() - idle_since > kHelperSpin) return;
      Pause();
      continue;
    }
    int64_t shared_items = 0;
    if (lane.Execute(claim, scratch, &shared_items)) {
      lane.Pass();
      options_.passed->Raise();
    }
    idle_since = Clock::now();
  }
}

WorkerScratch WorkerPool::ScratchOf(int32_t worker) {
  return {worker, scratch_[static_cast<size_t>(worker)].get(), kWorkerScratchBytes};
}

void WorkerPool::Wake(int64_t workers) {
  if (workers <= 0 || sleeping_.load(std::memory_order_seq_cst) == 0) return;
  wake_count_.fetch_add(1, std::memory_order_seq_cst);
  syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&wake_count_), FUTEX_WAKE_PRIVATE,
          static_cast<int>(std::min<int64_t>(workers, INT32_MAX)), nullptr, nullptr, 0);
}

void WorkerPool::RunWorker(int32_t worker) {
  char name[16];
  std::snprintf(name, sizeof(name), "sluice-cpu-%d", static_cast<int>(worker % 1000));
  pthread_setname_np(pthread_self(), name);
  WorkerScratch scratch = ScratchOf(worker);
  while (!stopping_.load(std::memory_order_acquire)) {
    if (RunOne(scratch)) continue;
    if (!SpinUntilWork()) SleepUntilWork();
  }
}

bool WorkerPool::RunOne(WorkerScratch& scratch) {
  LaneQueue* const last = options_.lanes.back();
  const bool is_owed = owed_of_each_.load(std::memory_order_relaxed) > 0 &&
                       owed_ns_.load(std::memory_order_relaxed) > 0;
  if (is_owed && RunOneOf(*last, scratch)) return true;
  return std::any_of(options_.lanes.begin(), options_.lanes.end(),
                     [&](LaneQueue* lane) { return RunOneOf(*lane, scratch); });
}

bool WorkerPool::RunOneOf(LaneQueue& lane, WorkerScratch& scratch) {
  const Claim claim = lane.TryClaim();
  if (claim.kind == Claim::Kind::kNothing) return false;
  if (owed_of_each_.load(std::memory_order_relaxed) == 0) {
    Execute(lane, claim, scratch);
    return true;
  }
  const int64_t start_ns = Now();
  Execute(lane, claim, scratch);
  Account(&lane == options_.lanes.back(), Now() - start_ns);
  return true;
}

int64_t WorkerPool::Now() const {
  if (options_.now_ns) return options_.now_ns();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

void WorkerPool::Account(bool last_lane, int64_t elapsed_ns) {
  const double of_each = owed_of_each_.load(std::memory_order_relaxed);
  const int64_t more_ns =
      last_lane ? -elapsed_ns : static_cast<int64_t>(of_each * static_cast<double>(elapsed_ns));
  int64_t owed_ns = owed_ns_.load(std::memory_order_relaxed);
  while (!owed_ns_.compare_exchange_weak(
      owed_ns, std::clamp(owed_ns + more_ns, -kMostOwedNs, kMostOwedNs),
      std::memory_order_relaxed)) {
  }
}

void WorkerPool::SetLastLaneShare(double share) {
  owed_of_each_.store(share / (1 - share), std::memory_order_relaxed);
  owed_ns_.store(0, std::memory_order_relaxed);
}

void WorkerPool::Execute(LaneQueue& lane, const Claim& claim, WorkerScratch& scratch) {
  // The last one that was looking hands the look-out on.
  if (searching_.fetch_sub(1, std::memory_order_seq_cst) == 1 && AnyPlan()) Wake(1);
  int64_t shared_items = 0;
  const bool done = lane.Execute(claim, scratch, &shared_items);
  if (shared_items > 1) {
    Wake(shared_items - 1 - searching_.load(std::memory_order_seq_cst));
  }
  searching_.fetch_add(1, std::memory_order_seq_cst);
  if (!done) return;
  lane.Pass();
  options_.passed->Raise();
  if (options_.signal != nullptr) options_.signal->Raise();
}

bool WorkerPool::SpinUntilWork() const {
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kLooksPerRound; ++i) {
      if (AnyWork()) return true;
      Pause();
    }
    // Who has work for us may be waiting for this very core.
    sched_yield();
  } while (Clock::now() < end && !stopping_.load(std::memory_order_relaxed));
  return false;
}

void WorkerPool::SleepUntilWork() {
  const uint32_t seen = wake_count_.load(std::memory_order_seq_cst);
  sleeping_.fetch_add(1, std::memory_order_seq_cst);
  searching_.fetch_sub(1, std::memory_order_seq_cst);
  if (!AnyWork() && !stopping_.load(std::memory_order_seq_cst)) {
    syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&wake_count_), FUTEX_WAIT_PRIVATE, seen,
            nullptr, nullptr, 0);
  }
  searching_.fetch_add(1, std::memory_order_seq_cst);
  sleeping_.fetch_sub(1, std::memory_order_seq_cst);
}

bool WorkerPool::AnyWork() const {
  for (const LaneQueue* lane : options_.lanes) {
    if (lane->HasWork()) return true;
  }
  return false;
}

bool WorkerPool::AnyPlan() const {
  for (const LaneQueue* lane : options_.lanes) {
    if (lane->CanPlan()) return true;
  }
  return false;
}

}  // namespace sluice::cpu
