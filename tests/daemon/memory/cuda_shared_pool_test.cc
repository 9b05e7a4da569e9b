// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/daemon/memory/shared_pool_test.h"

namespace sluice {
namespace {

INSTANTIATE_TEST_SUITE_P(GpuPools, SharedPoolTest,
                         testing::Values(PoolKind{"gpu", PoolPlace::kGpu, true,
                                                  MakeCudaPoolAccess}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sluice
