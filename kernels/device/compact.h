// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Compact of ops.h.
void LowerCompact(const CompactArgs& args, Launcher& launcher);

}  // namespace sluice::device
