// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/copy.h"

#include <algorithm>
#include <vector>

#include "kernels/device/copy_kernels.h"

namespace sluice::device {

void LowerCopyPages(const CopyPagesArgs& args, Launcher& launcher) {
  CopyPagesKernel kernel{launcher.pool(), args};
  kernel.args.pages = launcher.In(args.pages, args.page_count);
  launcher.Launch(kernel, {args.page_count, 128, 0});
}

void LowerCopyScores(const CopyScoresArgs& args, Launcher& launcher) {
  constexpr int64_t kPiece = CopyScoresKernel::kPieceScores;
  std::vector<ScoreCopy> pieces;
  for (int64_t i = 0; i < args.copy_count; ++i) {
    const ScoreCopy& copy = args.copies[i];
    const float* const source = launcher.In(copy.source, copy.count);
    float* const destination = launcher.Out(copy.destination, copy.count);
    for (int64_t first = 0; first < copy.count; first += kPiece) {
      pieces.push_back(
          {source + first, destination + first, std::min(kPiece, copy.count - first)});
    }
  }
  const auto piece_count = static_cast<int64_t>(pieces.size());
  CopyScoresKernel kernel;
  kernel.args = {launcher.In(pieces.data(), piece_count), piece_count};
  launcher.Launch(kernel, {piece_count, 128, 0});
}

}  // namespace sluice::device
