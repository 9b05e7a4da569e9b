// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/job_score.h"

#include <vector>

#include "kernels/device/job_rows_of.h"
#include "kernels/device/job_score_kernels.h"
#include "kernels/device/parts.h"
#include "kernels/device/row_parts.h"

namespace sluice::device {
namespace {

int64_t SlotsOf(const RowSet& rows, int64_t row) {
  return rows.row_offsets[row + 1] - rows.row_offsets[row];
}

void LaunchKeyNorms(const RowPart& part, float* scores, Launcher& launcher) {
  const std::vector<JobRow> rows = JobRowsOf(launcher.host_pool(), part.rows);
  KeyNormScoreKernel kernel{launcher.pool(), {}};
  kernel.args.rows = launcher.Rows(part.rows);
  kernel.args.scores = launcher.InOut(scores, part.slots);
  kernel.job_rows = JobRowsIn(rows, launcher);
  kernel.tiles_per_row = RoundUp(LongestRow(rows), KeyNormScoreKernel::kTileSlots) /
                         KeyNormScoreKernel::kTileSlots;
  launcher.Launch(kernel, {part.count * kernel.tiles_per_row, 128, 0});
}

void LaunchSums(const RowPart& part, const SumScoresArgs& args, Launcher& launcher) {
  const std::vector<JobRow> rows = JobRowsOf(launcher.host_pool(), part.rows);
  SumScoresKernel kernel{args};
  kernel.args.rows = launcher.Rows(part.rows);
  kernel.args.scores = launcher.In(From(args.scores, part.first_slot), part.slots);
  kernel.args.masks = launcher.In(From(args.masks, part.first_slot / 32), part.slots / 32);
  kernel.args.sums = launcher.Out(From(args.sums, 2 * part.first), 2 * part.count);
  kernel.job_rows = JobRowsIn(rows, launcher);
  launcher.Launch(kernel,
                  {part.count, SumScoresKernel::kThreads, SumScoresKernel::SharedBytes()});
}

void LaunchMoves(const RowPart& part, const MoveScoresArgs& args, Launcher& launcher) {
  const std::vector<JobRow> rows = JobRowsOf(launcher.host_pool(), part.rows);
  const std::vector<int64_t> offsets =
      OffsetsFrom(args.destination_offsets, part.first, part.count);
  MoveScoresKernel kernel{launcher.pool(), args};
  kernel.args.rows = launcher.Rows(part.rows);
  kernel.args.masks = launcher.In(From(args.masks, part.first_slot / 32), part.slots / 32);
  kernel.args.destination_offsets = launcher.In(offsets.data(), part.count + 1);
  kernel.args.destination = launcher.InOut(
      From(args.destination, args.destination_offsets[part.first]), offsets.back());
  kernel.job_rows = JobRowsIn(rows, launcher);
  launcher.Launch(kernel,
                  {part.count, MoveScoresKernel::kThreads, MoveScoresKernel::SharedBytes()});
}

}  // namespace

void LowerKeyNormScore(const KeyNormScoreArgs& args, Launcher& launcher) {
  const auto bytes_of = [&](int64_t row) {
    return launcher.StagedBytes(args.scores, SlotsOf(args.rows, row) * 4);
  };
  ForEachRowPart(args.rows, launcher, bytes_of, [&](const RowPart& part) {
    LaunchKeyNorms(part, From(args.scores, part.first_slot), launcher);
  });
}

void LowerSumScores(const SumScoresArgs& args, Launcher& launcher) {
  const auto bytes_of = [&](int64_t row) {
    const int64_t slots = SlotsOf(args.rows, row);
    return launcher.StagedBytes(args.scores, slots * 4) +
           launcher.StagedBytes(args.masks, slots / 8) +
           2 * static_cast<int64_t>(sizeof(double));
  };
  ForEachRowPart(args.rows, launcher, bytes_of,
                 [&](const RowPart& part) { LaunchSums(part, args, launcher); });
}

void LowerMoveScores(const MoveScoresArgs& args, Launcher& launcher) {
  const auto bytes_of = [&](int64_t row) {
    const int64_t moved = args.destination_offsets[row + 1] - args.destination_offsets[row];
    return launcher.StagedBytes(args.masks, SlotsOf(args.rows, row) / 8) +
           launcher.StagedBytes(args.destination, moved * 4) +
           static_cast<int64_t>(sizeof(int64_t));
  };
  ForEachRowPart(args.rows, launcher, bytes_of,
                 [&](const RowPart& part) { LaunchMoves(part, args, launcher); });
}

}  // namespace sluice::device
