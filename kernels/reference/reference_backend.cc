// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/reference_backend.h"

#include <cstring>

#include "kernels/reference/append.h"
#include "kernels/reference/attend.h"
#include "kernels/reference/cascade.h"
#include "kernels/reference/compact.h"
#include "kernels/reference/observe.h"
#include "kernels/reference/select.h"
#include "kernels/reference/sum_scores.h"
#include "kernels/reference/transfer.h"
#include "kernels/reference/window_score.h"

namespace sluice {
namespace {

// Runs whichever operation it is given.
struct Runner {
  const PoolView& pool;

  void operator()(const AppendArgs& args) const { reference::RunAppend(pool, args); }
  void operator()(const AttendArgs& args) const { reference::RunAttend(pool, args); }
  void operator()(const KeyNormScoreArgs& args) const { reference::RunKeyNormScore(pool, args); }
  void operator()(const SelectArgs& args) const { reference::RunSelect(pool, args); }
  void operator()(const CompactArgs& args) const { reference::RunCompact(pool, args); }
  void operator()(const MoveScoresArgs& args) const { reference::RunMoveScores(pool, args); }
  void operator()(const CopyScoresArgs& args) const { reference::RunCopyScores(args); }
  void operator()(const CopyPagesArgs& args) const { reference::RunCopyPages(pool, args); }
  void operator()(const ExportArgs& args) const { reference::RunExport(pool, args); }
  void operator()(const ImportArgs& args) const { reference::RunImport(pool, args); }
  void operator()(const ObserveArgs& args) const { reference::RunObserve(pool, args); }
  void operator()(const CarryObservationsArgs& args) const {
    reference::RunCarryObservations(args);
  }
  void operator()(const WindowScoreArgs& args) const { reference::RunWindowScore(pool, args); }
  void operator()(const CascadeInsertArgs& args) const { reference::RunCascadeInsert(pool, args); }
  void operator()(const SumScoresArgs& args) const { reference::RunSumScores(pool, args); }
};

}  // namespace

ReferenceBackend::ReferenceBackend(const PoolView& pool, CompletionSignal* signal)
    : pool_(pool), signal_(signal) {}

Ticket ReferenceBackend::Submit(Lane lane, const Operation& operation) {
  std::visit(Runner{pool_}, operation);
  const Ticket ticket = passed_[static_cast<size_t>(lane)].fetch_add(1) + 1;
  if (signal_ != nullptr) signal_->Raise();
  return ticket;
}

// Whatever was submitted has passed, so there is nothing to wait for.
void ReferenceBackend::After(Lane, Ticket) {}

Ticket ReferenceBackend::Submitted(Lane lane) const {
  return passed_[static_cast<size_t>(lane)].load(std::memory_order_acquire);
}

Ticket ReferenceBackend::Completed(Lane lane) const { return Submitted(lane); }

void ReferenceBackend::WaitIdle() {}

void ReferenceBackend::Clear(std::byte* memory, int64_t bytes) {
  std::memset(memory, 0, static_cast<size_t>(bytes));
}

}  // namespace sluice
