// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// RunOnSim, for the files that instantiate it.

#include "tests/kernels/sim/sim_grid.h"

namespace sluice::sim {

template <class Kernel>
void RunOnSim(const Kernel& kernel, const device::LaunchShape& shape, SimGrid& grid) {
  grid.Run(kernel, shape);
}

}  // namespace sluice::sim
