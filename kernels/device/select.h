// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Select of ops.h.
void LowerSelect(const SelectArgs& args, Launcher& launcher);

}  // namespace sluice::device
