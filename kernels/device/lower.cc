// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/lower.h"

#include <variant>

#include "kernels/device/append.h"
#include "kernels/device/attend.h"
#include "kernels/device/cascade_insert.h"
#include "kernels/device/compact.h"
#include "kernels/device/copy.h"
#include "kernels/device/job_score.h"
#include "kernels/device/observe.h"
#include "kernels/device/select.h"
#include "kernels/device/transfer.h"
#include "kernels/device/window_score.h"

namespace sluice::device {
namespace {

struct Lowerer {
  Launcher& launcher;

  void operator()(const AppendArgs& args) const { LowerAppend(args, launcher); }
  void operator()(const CompactArgs& args) const { LowerCompact(args, launcher); }
  void operator()(const CopyPagesArgs& args) const { LowerCopyPages(args, launcher); }
  void operator()(const CopyScoresArgs& args) const { LowerCopyScores(args, launcher); }
  void operator()(const ExportArgs& args) const { LowerExport(args, launcher); }
  void operator()(const ImportArgs& args) const { LowerImport(args, launcher); }
  void operator()(const KeyNormScoreArgs& args) const { LowerKeyNormScore(args, launcher); }
  void operator()(const SelectArgs& args) const { LowerSelect(args, launcher); }
  void operator()(const SumScoresArgs& args) const { LowerSumScores(args, launcher); }
  void operator()(const MoveScoresArgs& args) const { LowerMoveScores(args, launcher); }
  void operator()(const AttendArgs& args) const { LowerAttend(args, launcher); }
  void operator()(const CascadeInsertArgs& args) const { LowerCascadeInsert(args, launcher); }
  void operator()(const ObserveArgs& args) const { LowerObserve(args, launcher); }
  void operator()(const CarryObservationsArgs& args) const {
    LowerCarryObservations(args, launcher);
  }
  void operator()(const WindowScoreArgs& args) const { LowerWindowScore(args, launcher); }
};

}  // namespace

void Lower(const Operation& operation, Launcher& launcher) {
  std::visit(Lowerer{launcher}, operation);
}

}  // namespace sluice::device
