// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Attend of ops.h. REQUIRES: keys and values of all the call's entries are of one dtype, and
// FormatFault (attend_layouts.h) of their formats is empty on the launcher's device.
void LowerAttend(const AttendArgs& args, Launcher& launcher);

}  // namespace sluice::device
