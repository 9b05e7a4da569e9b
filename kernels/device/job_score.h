// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// KeyNormScore, SumScores and MoveScores of ops.h.
void LowerKeyNormScore(const KeyNormScoreArgs& args, Launcher& launcher);
void LowerSumScores(const SumScoresArgs& args, Launcher& launcher);
void LowerMoveScores(const MoveScoresArgs& args, Launcher& launcher);

}  // namespace sluice::device
