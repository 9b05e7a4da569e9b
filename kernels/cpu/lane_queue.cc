// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/lane_queue.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::cpu {
namespace {

constexpr int kPhaseShift = 32;
constexpr uint64_t kItemMask = 0xffffffffu;

}  // namespace

Ticket LaneQueue::Push(const Operation& operation) {
  const Ticket ticket = submitted_.load(std::memory_order_relaxed) + 1;
  if (ticket - passed() > static_cast<Ticket>(kCapacity)) {
    std::fputs("cpu backend: more operations under way than a lane holds\n", stderr);
    std::abort();
  }
  Entry& entry = EntryOf(ticket);
  entry.operation = operation;
  entry.after.store(after_, std::memory_order_relaxed);
  // Sequentially consistent with the sleep protocol of WorkerPool.
  submitted_.store(ticket, std::memory_order_seq_cst);
  return ticket;
}

bool LaneQueue::NextMayStart() const {
  const Ticket next = passed_.load(std::memory_order_seq_cst) + 1;
  if (next > submitted_.load(std::memory_order_seq_cst)) return false;
  if (other_ == nullptr) return true;
  const Ticket after = EntryOf(next).after.load(std::memory_order_relaxed);
  return other_->passed_.load(std::memory_order_seq_cst) >= after;
}

bool LaneQueue::CanPlan() const {
  return !busy_.load(std::memory_order_seq_cst) && NextMayStart();
}

bool LaneQueue::HasWork() const {
  return (claim_.load(std::memory_order_seq_cst) & kItemMask) != 0 || CanPlan();
}

Claim LaneQueue::TryClaim() {
  uint64_t claim = claim_.load(std::memory_order_acquire);
  while ((claim & kItemMask) != 0) {
    if (claim_.compare_exchange_weak(claim, claim - 1, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      return {Claim::Kind::kItem, item_count_ - static_cast<int64_t>(claim & kItemMask)};
    }
  }
  if (!CanPlan() || busy_.exchange(true, std::memory_order_acq_rel)) return {};
  if (NextMayStart()) return {Claim::Kind::kPlan, 0};
  busy_.store(false, std::memory_order_seq_cst);
  return {};
}

bool LaneQueue::Execute(const Claim& claim, WorkerScratch& scratch, int64_t* shared_items) {
  if (claim.kind == Claim::Kind::kPlan) {
    work_ = source_->Prepare(EntryOf(passed() + 1).operation);
    const int64_t items = work_->Plan();
    return items == 0 || RunPhases(items, scratch, shared_items);
  }
  work_->Run(claim.item, scratch);
  if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  const int64_t items = work_->NextPhase();
  if (items != 0) return RunPhases(items, scratch, shared_items);
  work_->Finish();
  return true;
}

bool LaneQueue::RunPhases(int64_t items, WorkerScratch& scratch, int64_t* shared_items) {
  while (items == 1) {
    work_->Run(0, scratch);
    items = work_->NextPhase();
  }
  if (items == 0) {
    work_->Finish();
    return true;
  }
  Share(items);
  *shared_items = items;
  return false;
}

void LaneQueue::Share(int64_t items) {
  const uint64_t phase = (claim_.load(std::memory_order_relaxed) >> kPhaseShift) + 1;
  item_count_ = items;
  unfinished_.store(items, std::memory_order_relaxed);
  claim_.store((phase << kPhaseShift) | static_cast<uint64_t>(items), std::memory_order_seq_cst);
}

void LaneQueue::Pass() {
  passed_.store(passed_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
  busy_.store(false, std::memory_order_seq_cst);
}

}  // namespace sluice::cpu
