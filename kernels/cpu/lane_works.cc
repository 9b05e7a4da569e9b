// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/lane_works.h"

#include <variant>

#include "kernels/cpu/worker_pool.h"

namespace sluice::cpu {
namespace {

template <class W, class Args>
Work* Set(W& work, const Args& args) {
  work.Set(args);
  return &work;
}

// A visitor made of one function per alternative.
template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

LaneWorks::LaneWorks(const PoolView& pool)
    : append_(pool),
      attend_(pool, kWorkerScratchBytes),
      key_norm_score_(pool),
      select_(pool),
      compact_(pool),
      move_scores_(pool),
      copy_scores_(pool),
      copy_pages_(pool),
      export_(pool),
      import_(pool),
      observe_(pool),
      carry_observations_(pool),
      window_score_(pool),
      cascade_insert_(pool),
      sum_scores_(pool) {}

Work* LaneWorks::Prepare(const Operation& operation) {
  return std::visit(
      Overloaded{
          [&](const AppendArgs& args) { return Set(append_, args); },
          [&](const AttendArgs& args) { return Set(attend_, args); },
          [&](const KeyNormScoreArgs& args) { return Set(key_norm_score_, args); },
          [&](const SelectArgs& args) { return Set(select_, args); },
          [&](const CompactArgs& args) { return Set(compact_, args); },
          [&](const MoveScoresArgs& args) { return Set(move_scores_, args); },
          [&](const CopyScoresArgs& args) { return Set(copy_scores_, args); },
          [&](const CopyPagesArgs& args) { return Set(copy_pages_, args); },
          [&](const ExportArgs& args) { return Set(export_, args); },
          [&](const ImportArgs& args) { return Set(import_, args); },
          [&](const ObserveArgs& args) { return Set(observe_, args); },
          [&](const CarryObservationsArgs& args) { return Set(carry_observations_, args); },
          [&](const WindowScoreArgs& args) { return Set(window_score_, args); },
          [&](const CascadeInsertArgs& args) { return Set(cascade_insert_, args); },
          [&](const SumScoresArgs& args) { return Set(sum_scores_, args); },
      },
      operation);
}

}  // namespace sluice::cpu
