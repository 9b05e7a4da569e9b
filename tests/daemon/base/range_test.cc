// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/range.h"

#include "daemon/base/reason.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(RefuseRangeTest, BytesAreAlsoSaidInBinaryUnits) {
  EXPECT_EQ(RefuseRange("pool.bytes", 12, 16 << 20, int64_t{1} << 40).message(),
            "pool.bytes: must be in [16777216, 1099511627776] bytes (16 MiB to 1 TiB), got 12");
  EXPECT_EQ(RefuseRange("job_reserve_bytes", -1, 0, 1536).message(),
            "job_reserve_bytes: must be in [0, 1536] bytes (0 bytes to 1.5 KiB), got -1");
}

TEST(RefuseRangeTest, TokensAreSaidToBeTokens) {
  EXPECT_EQ(RefuseRange("entries[2].token_count", 0, 1, 8).message(),
            "entries[2].token_count: must be in [1, 8] tokens, got 0");
  EXPECT_EQ(RefuseRange("draft_tokens", 9, 0, 8).message(),
            "draft_tokens: must be in [0, 8] tokens, got 9");
}

TEST(RefuseRangeTest, OtherFieldsAreNumbers) {
  const absl::Status status = RefuseRange("layer", 8, 0, 7);
  EXPECT_EQ(status.message(), "layer: must be in [0, 7], got 8");
  ASSERT_TRUE(RefusalOf(status));
  EXPECT_EQ(RefusalOf(status)->reason, Reason::kFieldInvalid);
  EXPECT_EQ(RefusalOf(status)->field, "layer");
}

}  // namespace
}  // namespace sluice
