// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gpu/lowered_case.h"

#include <utility>
#include <vector>

#include "kernels/device/lower.h"

namespace sluice::bench {
namespace {

// All parts of the operation are one, since nothing of it is released.
device::Launcher::Options LauncherOptions(GpuPool& pool, int64_t scratch_bytes,
                                          const Ticket& ticket) {
  device::Launcher::Options options;
  options.pool = pool.view();
  options.pool_bytes = pool.bytes();
  options.scratch_bytes = scratch_bytes;
  options.arithmetic = Arithmetic::kBf16;  // the daemon's on a GPU, unless it is told otherwise
  options.await_delivered = [](const void*, int64_t) {};
  options.end_part = [&ticket](const std::vector<device::Delivery>&) { return ticket; };
  options.mirror = &pool.BringTables();
  return options;
}

}  // namespace

LoweredCase::LoweredCase(GpuPool& pool, Case made, int64_t bytes)
    : made_(std::move(made)),
      staging_(pool.device().runtime(), bytes),
      launcher_(LauncherOptions(pool, bytes, ticket_), pool.device().runtime(), staging_) {}

void LoweredCase::Launch() {
  launcher_.Begin(++ticket_);
  device::Lower(made_.operation, launcher_);
  launcher_.TakeDeliveries();
}

}  // namespace sluice::bench
