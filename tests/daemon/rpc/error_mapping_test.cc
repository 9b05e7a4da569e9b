// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/error_mapping.h"

#include "daemon/base/reason.h"
#include "daemon/engine/refusal_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(ErrorMappingTest, CarriesReasonFieldAndNumbers) {
  RefusalDetails details;
  details.open_step_id = 5;
  details.length = 0;
  details.room = Room{.free_bytes = 1, .block_bytes = 2, .missing_bytes = 3};
  v1::Error error;
  FillError(WithDetails(Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull,
                               "entries[1]", "no room", /*retry_after_ms=*/40),
                        details),
            &error);
  EXPECT_EQ(error.code(), 8);
  EXPECT_EQ(error.reason(), v1::REASON_POOL_FULL);
  EXPECT_EQ(error.field(), "entries[1]");
  EXPECT_EQ(error.message(), "entries[1]: no room");
  EXPECT_EQ(error.retry_after_ms(), 40);
  EXPECT_EQ(error.open_step_id(), 5);
  EXPECT_TRUE(error.has_length());
  EXPECT_FALSE(error.has_rollback_floor());
  EXPECT_EQ(error.room().missing_bytes(), 3);
}

TEST(ErrorMappingTest, InternalErrorsKeepTheirTextForTheLog) {
  for (const auto& status : {absl::InternalError("/secret"), absl::UnknownError("/secret")}) {
    EXPECT_THAT(WireMessage(status), ::testing::Not(::testing::HasSubstr("secret")));
  }
  EXPECT_EQ(WireMessage(absl::NotFoundError("sequence 3")), "sequence 3");
}

TEST(ErrorMappingTest, AFieldCanBeNamedFromItsParent) {
  const absl::Status status = UnderField("geometry", RefuseField("k_dim", "must be 16, got 3"));
  EXPECT_EQ(status.message(), "geometry.k_dim: must be 16, got 3");
  EXPECT_EQ(RefusalOf(status)->field, "geometry.k_dim");
  EXPECT_EQ(UnderField("geometry", absl::AbortedError("a")), absl::AbortedError("a"));
}

}  // namespace
}  // namespace sluice
