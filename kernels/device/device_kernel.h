// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The list of all kernels: what a runtime must be able to launch.

#include <variant>

#include "kernels/device/append_kernels.h"
#include "kernels/device/compact_kernels.h"
#include "kernels/device/copy_kernels.h"
#include "kernels/device/job_score_kernels.h"
#include "kernels/device/select_kernels.h"
#include "kernels/device/select_mark_kernel.h"
#include "kernels/device/transfer_kernels.h"

namespace sluice::device {

using DeviceKernel =
    std::variant<AppendKernel, TurnsKernel, FindPagesKernel, CompactKernel, CopyPagesKernel,
                 CopyScoresKernel, ExportKernel, ImportKernel, KeyNormScoreKernel,
                 SumScoresKernel, MoveScoresKernel, SelectLookKernel, SelectStartKernel,
                 SelectCountKernel, SelectDecideKernel, SelectCountsKernel, SelectMarkKernel>;

}  // namespace sluice::device
