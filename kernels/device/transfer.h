// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Export and Import of ops.h.
void LowerExport(const ExportArgs& args, Launcher& launcher);
void LowerImport(const ImportArgs& args, Launcher& launcher);

}  // namespace sluice::device
