// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/append_work.h"
#include "kernels/cpu/attend_work.h"
#include "kernels/cpu/cascade_insert_work.h"
#include "kernels/cpu/compact_work.h"
#include "kernels/cpu/lane_queue.h"
#include "kernels/cpu/observe_work.h"
#include "kernels/cpu/score_work.h"
#include "kernels/cpu/select_work.h"
#include "kernels/cpu/sum_scores_work.h"
#include "kernels/cpu/transfer_work.h"
#include "kernels/cpu/window_score_work.h"

namespace sluice::cpu {

// One Work of each kind, for one lane. Thread-safety: as WorkSource.
class LaneWorks : public WorkSource {
 public:
  // `pool` outlives the object.
  explicit LaneWorks(const PoolView& pool);

  Work* Prepare(const Operation& operation) override;

 private:
  AppendWork append_;
  AttendWork attend_;
  KeyNormScoreWork key_norm_score_;
  SelectWork select_;
  CompactWork compact_;
  MoveScoresWork move_scores_;
  CopyScoresWork copy_scores_;
  CopyPagesWork copy_pages_;
  ExportWork export_;
  ImportWork import_;
  ObserveWork observe_;
  CarryObservationsWork carry_observations_;
  WindowScoreWork window_score_;
  CascadeInsertWork cascade_insert_;
  SumScoresWork sum_scores_;
};

}  // namespace sluice::cpu
