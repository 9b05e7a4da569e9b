// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/daemon/memory/shared_pool_test.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

INSTANTIATE_TEST_SUITE_P(Pools, SharedPoolTest,
                         testing::Values(PoolKind{"host", PoolPlace::kHost, false,
                                                  MakeHostPoolAccess}),
                         [](const auto& info) { return info.param.name; });

TEST_P(SharedPoolTest, EachSeesWhatTheOtherWrites) {
  const int64_t last = exporter_.bytes() - 1;
  EXPECT_TRUE(importer_.Holds(last, 0));
  EXPECT_TRUE(exporter_.Write(last, 7));
  EXPECT_TRUE(importer_.Holds(last, 7));
  if (GetParam().shared_writable) {
    EXPECT_TRUE(importer_.Write(0, 9));
    EXPECT_TRUE(exporter_.Holds(0, 9));
  } else {
    EXPECT_FALSE(importer_.Map(exporter_, /*writable=*/true));
  }
}

TEST_P(SharedPoolTest, TheMappingOutlivesAnExporterThatIsKilled) {
  EXPECT_TRUE(exporter_.Write(5, 7));
  exporter_.Kill();
  EXPECT_TRUE(importer_.Holds(5, 7));
  if (GetParam().shared_writable) {
    EXPECT_TRUE(importer_.Write(6, 8));
    EXPECT_TRUE(importer_.Holds(6, 8));
  }
}

TEST_P(SharedPoolTest, TheMappingOutlivesTheExportersOwn) {
  EXPECT_TRUE(exporter_.Write(5, 7));
  EXPECT_TRUE(exporter_.Free());
  EXPECT_TRUE(importer_.Holds(5, 7));
  EXPECT_TRUE(exporter_.Create(int64_t{2} << 20));
  EXPECT_TRUE(exporter_.Write(5, 8));
  EXPECT_TRUE(importer_.Holds(5, 7));
}

TEST_P(SharedPoolTest, TheExporterGoesOnAfterAnImporterThatIsKilled) {
  EXPECT_TRUE(exporter_.Write(5, 7));
  importer_.Kill();
  EXPECT_TRUE(exporter_.Holds(5, 7));
  EXPECT_TRUE(exporter_.Write(5, 8));
  EXPECT_TRUE(exporter_.Holds(5, 8));
  const int64_t free_before = exporter_.FreeBytes();
  EXPECT_TRUE(exporter_.Free());
  if (free_before >= 0) {
    EXPECT_GE(exporter_.FreeBytes(), free_before + exporter_.bytes());
  }
  EXPECT_TRUE(exporter_.Create(int64_t{2} << 20));
  EXPECT_TRUE(exporter_.Holds(5, 0));
}

}  // namespace
}  // namespace sluice
