// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/reason.h"

#include <set>

#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(ReasonTest, NamesAreDistinctAndLeadBack) {
  std::set<absl::string_view> names;
  for (int i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_EQ(ReasonFromName(ReasonName(reason)), reason);
    names.insert(ReasonName(reason));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kReasonCount));
  EXPECT_EQ(ReasonName(Reason::kFieldInvalid), "FIELD_INVALID");
  EXPECT_EQ(ReasonName(Reason::kFingerprintMismatch), "FINGERPRINT_MISMATCH");
  EXPECT_EQ(ReasonName(Reason::kDeviceLost), "DEVICE_LOST");
}

TEST(ReasonTest, AnUnknownNameIsNone) { EXPECT_EQ(ReasonFromName("NO_SUCH"), std::nullopt); }

TEST(RefuseTest, CarriesAllItWasGiven) {
  const absl::Status status = Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull,
                                     "new_tokens", "needs 4 pages, 3 are free", 50);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "new_tokens: needs 4 pages, 3 are free");
  const std::optional<Refusal> refusal = RefusalOf(status);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, Reason::kPoolFull);
  EXPECT_EQ(refusal->field, "new_tokens");
  EXPECT_EQ(refusal->retry_after_ms, 50);
}

TEST(RefuseTest, FieldAndHintAreOptional) {
  const absl::Status status =
      Refuse(absl::StatusCode::kUnavailable, Reason::kDraining, "", "the daemon stops");
  EXPECT_EQ(status.message(), "the daemon stops");
  const std::optional<Refusal> refusal = RefusalOf(status);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->field, "");
  EXPECT_EQ(refusal->retry_after_ms, 0);
}

TEST(RefuseTest, FieldRefusalsAreInvalidArguments) {
  const absl::Status status = RefuseField("head_dim", "must be in [1, 256], got 0");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(RefusalOf(status));
  EXPECT_EQ(RefusalOf(status)->reason, Reason::kFieldInvalid);
}

TEST(RefuseTest, OtherStatusesCarryNoRefusal) {
  EXPECT_EQ(RefusalOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(RefusalOf(absl::InternalError("x")), std::nullopt);
}

TEST(RefuseDeathTest, OkIsNoRefusal) {
  EXPECT_DEATH((void)Refuse(absl::StatusCode::kOk, Reason::kPoolFull, "", "x"), "code OK");
}

}  // namespace
}  // namespace sluice
