// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/failpoint.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

class FailpointTest : public ::testing::Test {
 protected:
  ~FailpointTest() override { DisarmFailpoints(); }
};

TEST_F(FailpointTest, IsOkUntilArmed) { EXPECT_TRUE(FailpointStatus("test.a").ok()); }

TEST_F(FailpointTest, FailsAsOftenAsArmed) {
  ArmFailpoint("test.a", absl::DataLossError("made up"), 2);
  EXPECT_EQ(FailpointStatus("test.a"), absl::DataLossError("made up"));
  EXPECT_TRUE(FailpointStatus("test.b").ok());
  EXPECT_FALSE(FailpointStatus("test.a").ok());
  EXPECT_TRUE(FailpointStatus("test.a").ok());
}

TEST_F(FailpointTest, DisarmMakesAllOk) {
  ArmFailpoint("test.a", absl::DataLossError("made up"), 5);
  DisarmFailpoints();
  EXPECT_TRUE(FailpointStatus("test.a").ok());
}

TEST_F(FailpointTest, TheMacroIsOkInBuildsWithoutFailpoints) {
  ArmFailpoint("test.a", absl::DataLossError("made up"));
#ifdef SLUICE_FAILPOINTS
  EXPECT_FALSE(SLUICE_FAILPOINT("test.a").ok());
#else
  EXPECT_TRUE(SLUICE_FAILPOINT("test.a").ok());
#endif
}

}  // namespace
}  // namespace sluice
