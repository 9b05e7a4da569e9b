// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/errors.h"

#include <gtest/gtest.h>

namespace sluice::client {
namespace {

TEST(ErrorsTest, ARefusalKeepsAllItsDetails) {
  v1::Error error;
  error.set_code(9);
  error.set_reason(v1::REASON_LENGTH_MISMATCH);
  error.set_message("length is 7");
  error.set_field("entries[1].base_length");
  error.set_retry_after_ms(20);
  error.set_length(7);
  error.set_rollback_floor(0);
  error.mutable_room()->set_missing_bytes(5);
  const absl::Status status = FromWire(error);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(status.message(), "length is 7");
  const ErrorInfo info = ErrorInfoOf(status);
  EXPECT_EQ(info.reason, Reason::kLengthMismatch);
  EXPECT_EQ(info.field, "entries[1].base_length");
  EXPECT_EQ(info.retry_after_ms, 20);
  EXPECT_EQ(info.length, 7);
  EXPECT_EQ(info.rollback_floor, 0);
  EXPECT_EQ(info.room->missing_bytes, 5);
}

TEST(ErrorsTest, AStatusOfOthersCarriesNothing) {
  const ErrorInfo info = ErrorInfoOf(absl::UnavailableError("gone"));
  EXPECT_EQ(info.reason, Reason::kNone);
  EXPECT_FALSE(info.length || info.room || info.open_step_id != 0);
}

TEST(ErrorsTest, CodesAndReasonsThatDoNotExistAreSurvived) {
  v1::Error error;
  error.set_code(0);
  EXPECT_TRUE(absl::IsInternal(FromWire(error)));
  error.set_code(99);
  error.set_reason(static_cast<v1::Reason>(4711));
  EXPECT_TRUE(absl::IsUnknown(FromWire(error)));
  EXPECT_EQ(ErrorInfoOf(FromWire(error)).reason, Reason::kNone);
}

TEST(ErrorsTest, MetadataOfUnaryCallsIsReadByName) {
  v1::Error error;
  AddMetadata("sluice-reason", "STEP_OPEN", &error);
  AddMetadata("sluice-open-step-id", "18446744073709551615", &error);
  AddMetadata("sluice-rollback-floor", "3", &error);
  AddMetadata("sluice-free-bytes", "4096", &error);
  EXPECT_EQ(error.reason(), v1::REASON_STEP_OPEN);
  EXPECT_EQ(error.open_step_id(), UINT64_MAX);
  EXPECT_EQ(error.rollback_floor(), 3);
  EXPECT_EQ(error.room().free_bytes(), 4096);
}

TEST(ErrorsTest, MetadataThatMakesNoSenseIsIgnored) {
  v1::Error error;
  AddMetadata("sluice-reason", "NO_SUCH_REASON", &error);
  AddMetadata("sluice-length", "seven", &error);
  AddMetadata("grpc-server-stats-bin", "1", &error);
  EXPECT_EQ(error.SerializeAsString(), "");
}

TEST(ErrorsTest, EveryReasonHasItsNameOnTheWire) {
  for (int value = v1::Reason_MIN + 1; value <= v1::Reason_MAX; ++value) {
    const Reason reason = FromWire(static_cast<v1::Reason>(value));
    EXPECT_EQ("REASON_" + std::string(ReasonName(reason)),
              v1::Reason_Name(static_cast<v1::Reason>(value)));
  }
}

}  // namespace
}  // namespace sluice::client
