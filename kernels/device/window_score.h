// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// WindowScore of ops.h. REQUIRES: the entry has no cascade.
void LowerWindowScore(const WindowScoreArgs& args, Launcher& launcher);

}  // namespace sluice::device
