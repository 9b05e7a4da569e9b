// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/copy.h"

#include <vector>

#include "kernels/device/copy_kernels.h"

namespace sluice::device {

void LowerCopyPages(const CopyPagesArgs& args, Launcher& launcher) {
  CopyPagesKernel kernel{launcher.pool(), args};
  kernel.args.pages = launcher.In(args.pages, args.page_count);
  launcher.Launch(kernel, {args.page_count, 128, 0});
}

void LowerCopyScores(const CopyScoresArgs& args, Launcher& launcher) {
  std::vector<ScoreCopy> copies(args.copies, args.copies + args.copy_count);
  for (ScoreCopy& copy : copies) {
    copy.source = launcher.In(copy.source, copy.count);
    copy.destination = launcher.Out(copy.destination, copy.count);
  }
  CopyScoresKernel kernel{args};
  kernel.args.copies = launcher.In(copies.data(), args.copy_count);
  launcher.Launch(kernel, {args.copy_count, 128, 0});
}

}  // namespace sluice::device
