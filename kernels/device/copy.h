// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// CopyPages and CopyScores of ops.h.
void LowerCopyPages(const CopyPagesArgs& args, Launcher& launcher);
void LowerCopyScores(const CopyScoresArgs& args, Launcher& launcher);

}  // namespace sluice::device
