// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/dispatcher.h"

#include <utility>

namespace sluice {
namespace {

// What may lie in the lane before another piece is put behind it: many small
// ones, so that the lane does not run dry between them, or a large one alone. A
// quarter of a millisecond of reading.
constexpr int64_t kBytesInFlight = int64_t{8} << 20;
// The lane's ring has other users (jobs), who find room beyond these.
constexpr size_t kMostInFlight = Backend::kLaneCapacity / 2;
constexpr size_t kMostCopiesInFlight = Backend::kLaneCapacity / 4;
// What calls that begin may cost before one that has begun gets a turn.
constexpr int64_t kFreshBytes = int64_t{256} << 20;
// A tenant's turn: about what the lane reads in half a millisecond.
constexpr int64_t kQuantumBytes = int64_t{16} << 20;

}  // namespace

Dispatcher::Dispatcher(Backend& backend, int32_t tenant_count)
    : backend_(backend), tenants_(static_cast<size_t>(tenant_count)) {}

void Dispatcher::Add(int32_t tenant, std::unique_ptr<Call> call) {
  tenants_[static_cast<size_t>(tenant)].fresh.push_back(std::move(call));
  ++waiting_;
}

void Dispatcher::SubmitCopy(std::vector<PageCopy> pages, int32_t slots, uint16_t format) {
  CopyPagesArgs copy;
  copy.pages = pages.data();
  copy.page_count = static_cast<int64_t>(pages.size());
  copy.slots = slots;
  copy.format = format;
  SubmitCopy({std::move(pages), {}, {}, copy});
}

void Dispatcher::SubmitScoreCopies(std::vector<ScoreCopy> scores) {
  const CopyScoresArgs copy{scores.data(), static_cast<int64_t>(scores.size())};
  SubmitCopy({{}, {}, std::move(scores), copy});
}

void Dispatcher::SubmitCarry(std::vector<RingCarry> rings, const ObservationLayout& layout,
                             int64_t length) {
  CarryObservationsArgs carry;
  carry.rings = rings.data();
  carry.ring_count = static_cast<int64_t>(rings.size());
  carry.layout = layout;
  carry.length = length;
  SubmitCopy({{}, std::move(rings), {}, carry});
}

void Dispatcher::SubmitCopy(Copy copy) {
  waiting_copies_.push_back(std::move(copy));
  SubmitCopies();
}

bool Dispatcher::SubmitCopies() {
  bool worked = false;
  while (!waiting_copies_.empty() && copies_.size() < kMostCopiesInFlight) {
    Copy next = std::move(waiting_copies_.front());
    waiting_copies_.pop_front();
    const Ticket ticket = backend_.Submit(Lane::kForeground, next.operation);
    copies_.emplace_back(ticket, std::move(next));
    worked = true;
  }
  return worked;
}

bool Dispatcher::Pump() {
  bool worked = FinishPassed();
  worked = SubmitCopies() || worked;
  while (waiting_ > 0 && !copies_wait() && HasRoom()) worked = SubmitNext() || worked;
  return worked;
}

bool Dispatcher::HasRoom() const {
  if (in_flight_.empty()) return true;
  return in_flight_.size() < kMostInFlight && in_flight_bytes_ < kBytesInFlight;
}

bool Dispatcher::FinishPassed() {
  const Ticket completed = backend_.Completed(Lane::kForeground);
  while (!copies_.empty() && copies_.front().first <= completed) copies_.pop_front();
  bool worked = false;
  while (!in_flight_.empty() && in_flight_.front().ticket <= completed) {
    const InFlight passed = std::move(in_flight_.front());
    in_flight_.pop_front();
    in_flight_bytes_ -= passed.cost_bytes;
    // The queue holds a call until its last piece is submitted; from then on
    // its pieces in flight do.
    if (passed.call != nullptr && passed.call.use_count() == 1) passed.call->Finished();
    worked = true;
  }
  return worked;
}

bool Dispatcher::SubmitNext() {
  while (true) {
    Tenant& tenant = tenants_[next_tenant_];
    if (!tenant.empty() && tenant.deficit_bytes > 0) {
      SubmitPieceOf(tenant);
      return true;
    }
    if (tenant.empty()) tenant.deficit_bytes = 0;
    next_tenant_ = (next_tenant_ + 1) % tenants_.size();
    Tenant& next = tenants_[next_tenant_];
    if (!next.empty()) next.deficit_bytes += kQuantumBytes;
  }
}

std::shared_ptr<Call> Dispatcher::TakeNext(Tenant& tenant) {
  const bool begun_is_next =
      tenant.fresh.empty() || (!tenant.started.empty() && tenant.fresh_bytes >= kFreshBytes);
  if (begun_is_next) tenant.fresh_bytes = 0;
  std::deque<std::shared_ptr<Call>>& calls = begun_is_next ? tenant.started : tenant.fresh;
  std::shared_ptr<Call> call = std::move(calls.front());
  calls.pop_front();
  return call;
}

void Dispatcher::SubmitPieceOf(Tenant& tenant) {
  const size_t fresh_before = tenant.fresh.size();
  std::shared_ptr<Call> call = TakeNext(tenant);
  const bool was_fresh = tenant.fresh.size() < fresh_before;
  Operation operation;
  int64_t cost_bytes = 0;
  if (call->Next(operation, cost_bytes)) {
    const Ticket ticket = backend_.Submit(Lane::kForeground, operation);
    tenant.deficit_bytes -= cost_bytes;
    in_flight_bytes_ += cost_bytes;
    // What it was preferred to.
    if (was_fresh && !tenant.started.empty()) tenant.fresh_bytes += cost_bytes;
    if (!call->trails()) {
      tenant.started.push_back(call);
      in_flight_.push_back({ticket, cost_bytes, std::move(call)});
      return;
    }
    // It was the last: asking for another could wait until it has passed.
    in_flight_.push_back({ticket, cost_bytes, nullptr});
  }
  --waiting_;
  // Nothing of it is in flight any more: FinishPassed will not see it again.
  if (call.use_count() == 1) call->Finished();
}

}  // namespace sluice
