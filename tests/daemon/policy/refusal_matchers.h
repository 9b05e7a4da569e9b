// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "daemon/base/reason.h"
#include "gtest/gtest.h"

namespace sluice {

// Expects a refusal for `reason` that names `field`.
inline void ExpectRefused(const absl::Status& status, const std::string& field,
                          Reason reason = Reason::kFieldInvalid) {
  const auto refusal = RefusalOf(status);
  ASSERT_TRUE(refusal) << "not refused: " << status;
  EXPECT_EQ(refusal->field, field) << status;
  EXPECT_EQ(refusal->reason, reason) << status;
}

}  // namespace sluice
