// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/text_format.h>

#include <string>

#include "daemon/base/reason.h"
#include "daemon/rpc/validate_common.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {

// A request that is to be refused, written as a message in protobuf's text form;
// SEQ, STEP and MODEL stand for ids of this life of the daemon.
struct BadRequest {
  const char* name;
  std::string text;
  const char* field;
  Reason reason = Reason::kFieldInvalid;
};

inline void PrintTo(const BadRequest& request, std::ostream* out) { *out << request.text; }

inline RequestRules TestRules() {
  return {.epoch = 7, .inline_tensor_bytes = 4096, .step_entries = 4, .sequence_tokens = 1000};
}

inline uint64_t TestId(uint32_t number) { return (uint64_t{7} << 32) | number; }

// The message that `text` describes; fails the test if it describes none.
template <class Request>
Request Parse(std::string text) {
  for (const auto& [word, number] : {std::pair{"SEQ", 1}, {"STEP", 2}, {"MODEL", 3}}) {
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word)) {
      text.replace(at, std::string(word).size(), std::to_string(TestId(number)));
    }
  }
  Request request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

// Checks code, reason, field and that the message begins with the field.
inline void ExpectRefused(const BadRequest& bad, const absl::Status& status) {
  const auto refusal = RefusalOf(status);
  ASSERT_TRUE(refusal.has_value()) << status;
  EXPECT_EQ(refusal->field, bad.field) << status;
  EXPECT_EQ(refusal->reason, bad.reason) << status;
  EXPECT_EQ(status.code(), bad.reason == Reason::kStaleEpoch
                               ? absl::StatusCode::kFailedPrecondition
                               : absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), ::testing::StartsWith(std::string(bad.field) + ": "));
}

}  // namespace sluice
