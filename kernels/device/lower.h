// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Makes the launches of an operation of ops.h, each kind in the file named after it.
void Lower(const Operation& operation, Launcher& launcher);

}  // namespace sluice::device
