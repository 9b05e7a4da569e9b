// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/copy.h"

#include <algorithm>
#include <vector>

#include "kernels/device/copy_kernels.h"
#include "kernels/device/parts.h"

namespace sluice::device {
namespace {

// The copies, each in pieces that a block copies.
std::vector<ScoreCopy> PiecesOf(const CopyScoresArgs& args) {
  constexpr int64_t kPiece = CopyScoresKernel::kPieceScores;
  std::vector<ScoreCopy> pieces;
  for (int64_t i = 0; i < args.copy_count; ++i) {
    const ScoreCopy& copy = args.copies[i];
    for (int64_t first = 0; first < copy.count; first += kPiece) {
      pieces.push_back({copy.source + first, copy.destination + first,
                        std::min(kPiece, copy.count - first)});
    }
  }
  return pieces;
}

}  // namespace

void LowerCopyPages(const CopyPagesArgs& args, Launcher& launcher) {
  const int64_t most =
      std::max<int64_t>(1, launcher.part_bytes() / static_cast<int64_t>(sizeof(PageCopy)));
  for (int64_t first = 0; first < args.page_count; first += most) {
    if (first > 0) launcher.NextPart();
    const int64_t count = std::min(most, args.page_count - first);
    CopyPagesKernel kernel{launcher.pool(), args};
    kernel.args.pages = launcher.In(args.pages + first, count);
    kernel.args.page_count = count;
    launcher.Launch(kernel, {count, 128, 0});
  }
}

void LowerCopyScores(const CopyScoresArgs& args, Launcher& launcher) {
  const std::vector<ScoreCopy> pieces = PiecesOf(args);
  const auto bytes_of = [&](int64_t i) {
    const ScoreCopy& piece = pieces[static_cast<size_t>(i)];
    const int64_t bytes = RoundUp(piece.count * static_cast<int64_t>(sizeof(float)),
                                  Staging::kAlignment);
    return static_cast<int64_t>(sizeof(ScoreCopy)) + launcher.StagedBytes(piece.source, bytes) +
           launcher.StagedBytes(piece.destination, bytes);
  };
  const auto piece_count = static_cast<int64_t>(pieces.size());
  int64_t count = 0;
  for (int64_t first = 0; first < piece_count; first += count) {
    if (first > 0) launcher.NextPart();
    count = ItemsWithin(first, piece_count, launcher.part_bytes(), bytes_of);
    const auto begin = pieces.begin() + first;
    std::vector<ScoreCopy> reached(begin, begin + count);
    for (ScoreCopy& piece : reached) {
      piece.source = launcher.In(piece.source, piece.count);
      piece.destination = launcher.Out(piece.destination, piece.count);
    }
    CopyScoresKernel kernel;
    kernel.args = {launcher.In(reached.data(), count), count};
    launcher.Launch(kernel, {count, 128, 0});
  }
}

}  // namespace sluice::device
