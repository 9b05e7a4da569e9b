// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/command_queue.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

// Commands without a caller are the daemon's own; they queue with tenant 0.
int32_t TenantOf(const Command& command) {
  return std::visit(
      [](const auto& request) -> int32_t {
        if constexpr (requires { request.caller; }) return request.caller.tenant;
        return 0;
      },
      command);
}

}  // namespace

CommandQueue::CommandQueue(int32_t tenant_count, int64_t capacity, CompletionSignal& signal)
    : capacity_(capacity), signal_(signal), by_tenant_(static_cast<size_t>(tenant_count)) {}

absl::Status CommandQueue::Push(Command command) {
  SLUICE_RETURN_IF_ERROR(PushQuietly(std::move(command)));
  signal_.Raise();
  return absl::OkStatus();
}

absl::Status CommandQueue::PushQuietly(Command command) {
  const auto tenant = static_cast<size_t>(TenantOf(command));
  const bool refusable = !std::holds_alternative<CloseSession>(command) &&
                         !std::holds_alternative<Wake>(command);
  {
    MutexLock lock(&mu_);
    SLUICE_CHECK(tenant < by_tenant_.size()) << "tenant " << tenant;
    if (refusable && closed_) {
      return Refuse(absl::StatusCode::kUnavailable, Reason::kDraining, "",
                    "the daemon is shutting down");
    }
    if (refusable && size_ >= capacity_) {
      return Refuse(absl::StatusCode::kResourceExhausted, Reason::kQueueFull, "",
                    absl::StrCat(size_, " calls wait already"), kQueueRetryAfterMs);
    }
    by_tenant_[tenant].push_back(std::move(command));
    ++size_;
  }
  return absl::OkStatus();
}

std::optional<Command> CommandQueue::Pop() {
  MutexLock lock(&mu_);
  if (size_ == 0) return std::nullopt;
  while (by_tenant_[next_tenant_].empty()) next_tenant_ = (next_tenant_ + 1) % by_tenant_.size();
  std::deque<Command>& queue = by_tenant_[next_tenant_];
  std::optional<Command> command(std::move(queue.front()));
  queue.pop_front();
  --size_;
  next_tenant_ = (next_tenant_ + 1) % by_tenant_.size();
  return command;
}

void CommandQueue::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
}

int64_t CommandQueue::size() const {
  MutexLock lock(&mu_);
  return size_;
}

}  // namespace sluice
