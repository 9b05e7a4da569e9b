// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/attend_kernels.h"
#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/mass_kernels.h"
#include "kernels/device/turns.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

using device::AttendKernel;
using device::LaunchShape;
using device::MassKernel;

template void RunOnSim(const device::AttendCountKernel&, const LaunchShape&, SimGrid&);
template void RunOnSim(const device::AttendCutKernel&, const LaunchShape&, SimGrid&);
template void RunOnSim(const device::KeyTurnsKernel&, const LaunchShape&, SimGrid&);
template void RunOnSim(const AttendKernel<Dtype::kF32>&, const LaunchShape&, SimGrid&);
template void RunOnSim(const AttendKernel<Dtype::kBf16>&, const LaunchShape&, SimGrid&);
template void RunOnSim(const AttendKernel<Dtype::kF16>&, const LaunchShape&, SimGrid&);
template void RunOnSim(const MassKernel<Dtype::kF32>&, const LaunchShape&, SimGrid&);
template void RunOnSim(const MassKernel<Dtype::kBf16>&, const LaunchShape&, SimGrid&);
template void RunOnSim(const MassKernel<Dtype::kF16>&, const LaunchShape&, SimGrid&);

}  // namespace sluice::sim
