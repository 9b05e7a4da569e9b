// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Gives the lane's Work object for an operation. Owned by a backend, one a
// lane; called by one worker at a time, never while an operation of its lane
// is under way.
class WorkSource {
 public:
  virtual ~WorkSource() = default;

  // The object that does `operation`, set to it; valid until the next call.
  virtual Work* Prepare(const Operation& operation) = 0;
};

// What a worker took from a lane and now has to run.
struct Claim {
  enum class Kind : uint8_t { kNothing, kPlan, kItem };
  Kind kind = Kind::kNothing;
  int64_t item = 0;
};

// One lane: a ring of operations, run strictly one after the other, each cut
// into items that several workers take.
//
// Push and SetAfter: one thread. TryClaim, Execute and Pass: any worker, in the
// order of their comments. The rest: any thread. Nothing blocks or allocates.
class LaneQueue {
 public:
  // `source` outlives the queue.
  explicit LaneQueue(WorkSource* source) : source_(source) {}

  LaneQueue(const LaneQueue&) = delete;
  LaneQueue& operator=(const LaneQueue&) = delete;

  // The lane whose tickets SetAfter names. Before the first Push.
  void SetOther(const LaneQueue* other) { other_ = other; }

  // Appends an operation; returns its ticket. Stops the process if the ring is full.
  Ticket Push(const Operation& operation);

  // Operations pushed from now on start after `ticket` of the other lane.
  void SetAfter(Ticket ticket) { after_ = ticket > after_ ? ticket : after_; }

  // Takes the right to plan the next operation, or an item of the current one.
  Claim TryClaim();

  // Whether TryClaim would find something, as far as one can tell.
  bool HasWork() const;

  // Whether an operation waits to be planned and may start.
  bool CanPlan() const;

  // Runs what was claimed; a phase with one item is run at once. True: the
  // operation is done, and the caller must call Pass. `shared_items` receives
  // how many items were left for whoever claims them.
  bool Execute(const Claim& claim, WorkerScratch& scratch, int64_t* shared_items);

  // Counts the current operation as passed and lets the next one start.
  void Pass();

  Ticket submitted() const { return submitted_.load(std::memory_order_acquire); }
  Ticket passed() const { return passed_.load(std::memory_order_acquire); }

 private:
  struct Entry {
    Operation operation;
    // Atomic because CanPlan may look at an entry that is being replaced; what
    // it then concludes is checked again by who takes `busy_`.
    std::atomic<Ticket> after{0};
  };

  bool NextMayStart() const;
  bool RunPhases(int64_t items, WorkerScratch& scratch, int64_t* shared_items);
  void Share(int64_t items);
  Entry& EntryOf(Ticket ticket) { return ring_[ticket % kCapacity]; }
  const Entry& EntryOf(Ticket ticket) const { return ring_[ticket % kCapacity]; }

  static constexpr size_t kCapacity = static_cast<size_t>(Backend::kLaneCapacity);

  WorkSource* const source_;
  const LaneQueue* other_ = nullptr;
  Ticket after_ = 0;  // the pushing thread's

  alignas(64) std::atomic<Ticket> submitted_{0};
  alignas(64) std::atomic<Ticket> passed_{0};

  // True from the start of a plan to Pass; who plans or ends a phase alone
  // writes work_, item_count_ and claim_'s phase.
  alignas(64) std::atomic<bool> busy_{false};
  Work* work_ = nullptr;
  int64_t item_count_ = 0;

  // Phase number in the upper half, items not yet taken in the lower one: an
  // item is taken by counting down, and a late worker's exchange fails because
  // the phase has changed.
  alignas(64) std::atomic<uint64_t> claim_{0};
  alignas(64) std::atomic<int64_t> unfinished_{0};

  std::array<Entry, kCapacity> ring_;
};

}  // namespace sluice::cpu
