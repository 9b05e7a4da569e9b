// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/window_kernels.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

template void RunOnSim(const device::PackWindowKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::SumWindowKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::FoldWindowKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::ScoreWindowKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::PoolWindowKernel&, const device::LaunchShape&, SimGrid&);

}  // namespace sluice::sim
