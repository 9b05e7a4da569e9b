// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_backend.h"

#include <cstring>

#include "kernels/cpu/simd_target.h"

namespace sluice {
namespace {

std::string Describe(int32_t threads) {
  return std::string("fp32, ") + cpu::SimdTargetName(cpu::CurrentSimdTarget()) + ", " +
         std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

cpu::WorkerPool::Options PoolOptions(int32_t threads, cpu::LaneQueue* foreground,
                                     cpu::LaneQueue* background, CompletionSignal* passed,
                                     CompletionSignal* signal) {
  foreground->SetOther(background);
  background->SetOther(foreground);
  cpu::WorkerPool::Options options;
  options.threads = threads;
  options.lanes = {foreground, background};
  options.passed = passed;
  options.signal = signal;
  return options;
}

}  // namespace

CpuBackend::CpuBackend(const Options& options)
    : pool_(options.pool),
      foreground_(pool_),
      background_(pool_),
      workers_(PoolOptions(options.threads, &foreground_.queue, &background_.queue, &passed_,
                           options.signal)),
      description_(Describe(workers_.threads())) {}

Ticket CpuBackend::Submit(Lane lane, const Operation& operation) {
  const Ticket ticket = QueueOf(lane).Push(operation);
  if (!quiet_) workers_.Notify();
  return ticket;
}

void CpuBackend::SetQuiet(bool quiet) {
  quiet_ = quiet;
  if (!quiet) workers_.NotifyIfNeeded();
}

void CpuBackend::Help() { workers_.Help(); }

void CpuBackend::After(Lane lane, Ticket ticket) { QueueOf(lane).SetAfter(ticket); }

Ticket CpuBackend::Submitted(Lane lane) const { return QueueOf(lane).submitted(); }

Ticket CpuBackend::Completed(Lane lane) const { return QueueOf(lane).passed(); }

void CpuBackend::WaitIdle() { WaitUntilPassed(*this, passed_); }

void CpuBackend::Clear(std::byte* memory, int64_t bytes) {
  std::memset(memory, 0, static_cast<size_t>(bytes));
}

}  // namespace sluice
