// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Append of ops.h.
void LowerAppend(const AppendArgs& args, Launcher& launcher);

}  // namespace sluice::device
