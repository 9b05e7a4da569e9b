// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/dispatcher.h"

#include <utility>

namespace sluice {
namespace {

// What may lie in the lane at a time: two pieces, so that the lane never runs
// dry between them, or many small ones. A quarter of a millisecond of reading.
constexpr size_t kPiecesInFlight = 2;
constexpr int64_t kBytesInFlight = int64_t{8} << 20;
// The lane's ring has other users (copies, jobs), who find room beyond this.
constexpr size_t kMostInFlight = Backend::kLaneCapacity / 2;
// A tenant's turn: about what the lane reads in half a millisecond.
constexpr int64_t kQuantumBytes = int64_t{16} << 20;

}  // namespace

Dispatcher::Dispatcher(Backend& backend, int32_t tenant_count)
    : backend_(backend), tenants_(static_cast<size_t>(tenant_count)) {}

void Dispatcher::Add(int32_t tenant, std::unique_ptr<Call> call) {
  tenants_[static_cast<size_t>(tenant)].calls.push_back(std::move(call));
  ++waiting_;
}

void Dispatcher::SubmitCopy(std::vector<PageCopy> pages, int32_t slots, uint16_t format) {
  CopyPagesArgs copy;
  copy.pages = pages.data();
  copy.page_count = static_cast<int64_t>(pages.size());
  copy.slots = slots;
  copy.format = format;
  const Ticket ticket = backend_.Submit(Lane::kForeground, copy);
  copies_.emplace_back(ticket, std::move(pages));
}

bool Dispatcher::Pump() {
  bool worked = FinishPassed();
  while (waiting_ > 0 && HasRoom()) worked = SubmitNext() || worked;
  return worked;
}

bool Dispatcher::HasRoom() const {
  if (in_flight_.size() < kPiecesInFlight) return true;
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
    if (passed.call.use_count() == 1) passed.call->Finished();
    worked = true;
  }
  return worked;
}

bool Dispatcher::SubmitNext() {
  while (true) {
    Tenant& tenant = tenants_[next_tenant_];
    if (!tenant.calls.empty() && tenant.deficit_bytes > 0) {
      SubmitPieceOf(tenant);
      return true;
    }
    if (tenant.calls.empty()) tenant.deficit_bytes = 0;
    next_tenant_ = (next_tenant_ + 1) % tenants_.size();
    Tenant& next = tenants_[next_tenant_];
    if (!next.calls.empty()) next.deficit_bytes += kQuantumBytes;
  }
}

void Dispatcher::SubmitPieceOf(Tenant& tenant) {
  std::shared_ptr<Call> call = std::move(tenant.calls.front());
  tenant.calls.pop_front();
  Operation operation;
  int64_t cost_bytes = 0;
  if (call->Next(operation, cost_bytes)) {
    const Ticket ticket = backend_.Submit(Lane::kForeground, operation);
    tenant.deficit_bytes -= cost_bytes;
    in_flight_bytes_ += cost_bytes;
    tenant.calls.push_back(call);
    in_flight_.push_back({ticket, cost_bytes, std::move(call)});
    return;
  }
  --waiting_;
  // Nothing of it is in flight any more: FinishPassed will not see it again.
  if (call.use_count() == 1) call->Finished();
}

}  // namespace sluice
