// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <ostream>

#include "tests/daemon/memory/pool_process.h"

namespace sluice {

inline void PrintTo(const PoolKind& kind, std::ostream* out) { *out << kind.name; }

// Two processes that share a pool, beside this one. Skipped where there can be none.
class SharedPoolTest : public testing::TestWithParam<PoolKind> {
 protected:
  void SetUp() override {
    if (!exporter_.Create(int64_t{8} << 20)) GTEST_SKIP() << exporter_.fault();
    ASSERT_TRUE(importer_.Map(exporter_, GetParam().shared_writable));
  }

  PoolProcess exporter_{GetParam()};
  PoolProcess importer_{GetParam()};
};

}  // namespace sluice
