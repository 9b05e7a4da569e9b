// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The list of all kernels: what a runtime must be able to launch.

#include <variant>

#include "kernels/device/append_kernels.h"
#include "kernels/device/attend_kernels.h"
#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/cascade_kernels.h"
#include "kernels/device/compact_kernels.h"
#include "kernels/device/copy_kernels.h"
#include "kernels/device/job_score_kernels.h"
#include "kernels/device/mass_kernels.h"
#include "kernels/device/observe_kernels.h"
#include "kernels/device/select_kernels.h"
#include "kernels/device/select_mark_kernel.h"
#include "kernels/device/table_kernels.h"
#include "kernels/device/tensor_attend_kernels.h"
#include "kernels/device/tensor_prefill_kernels.h"
#include "kernels/device/transfer_kernels.h"
#include "kernels/device/turns.h"
#include "kernels/device/window_kernels.h"

namespace sluice::device {

using DeviceKernel =
    std::variant<AppendKernel, TurnsKernel, FindPagesKernel, CompactKernel,
                 CopyPagesKernel, CopyScoresKernel, ExportKernel, ImportKernel,
                 KeyNormScoreKernel, SumScoresKernel, MoveScoresKernel, SelectLookKernel,
                 SelectStartKernel, SelectCountKernel, SelectDecideKernel, SelectCountsKernel,
                 SelectMarkKernel, AttendCountKernel, AttendCutKernel, AttendKernel<Dtype::kF32>,
                 AttendKernel<Dtype::kBf16>, AttendKernel<Dtype::kF16>,
                 TensorAttendKernel<Dtype::kBf16>, TensorAttendKernel<Dtype::kF16>,
                 TensorPrefillKernel<Dtype::kBf16>, TensorPrefillKernel<Dtype::kF16>,
                 KeyTurnsKernel, MassKernel<Dtype::kF32>, MassKernel<Dtype::kBf16>,
                 MassKernel<Dtype::kF16>, AddPendingKernel, DecideCascadeKernel,
                 TakeCascadeSlotsKernel, PutCascadeSlotsKernel, ObserveKernel,
                 CarryObservationsKernel, PackWindowKernel, SumWindowKernel, FoldWindowKernel,
                 ScoreWindowKernel, PoolWindowKernel, UpdateTablesKernel>;

}  // namespace sluice::device
