// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/copy_kernels.h"
#include "kernels/device/table_kernels.h"
#include "tests/kernels/sim/sim_launch-inl.h"

namespace sluice::sim {

template void RunOnSim(const device::CopyPagesKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::CopyScoresKernel&, const device::LaunchShape&, SimGrid&);
template void RunOnSim(const device::UpdateTablesKernel&, const device::LaunchShape&, SimGrid&);

}  // namespace sluice::sim
