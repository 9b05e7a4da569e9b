// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/job_score.h"

#include <vector>

#include "kernels/device/job_rows_of.h"
#include "kernels/device/job_score_kernels.h"

namespace sluice::device {

void LowerKeyNormScore(const KeyNormScoreArgs& args, Launcher& launcher) {
  const std::vector<JobRow> rows = JobRowsOf(launcher.host_pool(), args.rows);
  KeyNormScoreKernel kernel{launcher.pool(), args};
  kernel.args.rows = launcher.Rows(args.rows);
  kernel.args.scores = launcher.InOut(args.scores, args.rows.row_offsets[args.rows.row_count]);
  kernel.job_rows = JobRowsIn(rows, launcher);
  kernel.tiles_per_row = RoundUp(LongestRow(rows), KeyNormScoreKernel::kTileSlots) /
                         KeyNormScoreKernel::kTileSlots;
  launcher.Launch(kernel, {args.rows.row_count * kernel.tiles_per_row, 128, 0});
}

void LowerSumScores(const SumScoresArgs& args, Launcher& launcher) {
  const std::vector<JobRow> rows = JobRowsOf(launcher.host_pool(), args.rows);
  const int64_t slots = args.rows.row_offsets[args.rows.row_count];
  SumScoresKernel kernel{args};
  kernel.args.rows = launcher.Rows(args.rows);
  kernel.args.scores = launcher.In(args.scores, slots);
  kernel.args.masks = launcher.In(args.masks, slots / 32);
  kernel.args.sums = launcher.Out(args.sums, int64_t{2} * args.rows.row_count);
  kernel.job_rows = JobRowsIn(rows, launcher);
  launcher.Launch(kernel, {args.rows.row_count, SumScoresKernel::kThreads,
                           SumScoresKernel::SharedBytes()});
}

void LowerMoveScores(const MoveScoresArgs& args, Launcher& launcher) {
  const std::vector<JobRow> rows = JobRowsOf(launcher.host_pool(), args.rows);
  const int32_t row_count = args.rows.row_count;
  MoveScoresKernel kernel{launcher.pool(), args};
  kernel.args.rows = launcher.Rows(args.rows);
  kernel.args.masks = launcher.In(args.masks, args.rows.row_offsets[row_count] / 32);
  kernel.args.destination_offsets = launcher.In(args.destination_offsets, row_count + 1);
  kernel.args.destination =
      launcher.InOut(args.destination, args.destination_offsets[row_count]);
  kernel.job_rows = JobRowsIn(rows, launcher);
  launcher.Launch(kernel, {row_count, MoveScoresKernel::kThreads, MoveScoresKernel::SharedBytes()});
}

}  // namespace sluice::device
