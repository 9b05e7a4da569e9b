// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/tenant_ledger.h"

#include <gtest/gtest.h>

#include "daemon/base/reason.h"

namespace sluice {
namespace {

TEST(TenantLedgerTest, MissesWhatExceedsTheMaximum) {
  TenantLedger ledger;
  const TenantId tenant = ledger.Add({.max_bytes = 100});
  ledger.ChargeBytes(tenant, 70);
  EXPECT_EQ(ledger.MissingBytes(tenant, 30), 0);
  EXPECT_EQ(ledger.MissingBytes(tenant, 31), 1);
}

TEST(TenantLedgerTest, AJobMayExceedTheMaximumAndNothingMoreFitsThen) {
  TenantLedger ledger;
  const TenantId tenant = ledger.Add({.max_bytes = 100});
  ledger.ChargeBytes(tenant, 120);
  EXPECT_EQ(ledger.MissingBytes(tenant, 0), 0);
  EXPECT_EQ(ledger.MissingBytes(tenant, 1), 21);
  ledger.ChargeBytes(tenant, -50);
  EXPECT_EQ(ledger.MissingBytes(tenant, 30), 0);
}

TEST(TenantLedgerTest, RefusesASequenceBeyondTheNumber) {
  TenantLedger ledger;
  const TenantId tenant = ledger.Add({.max_sequences = 1});
  EXPECT_TRUE(ledger.AddSequence(tenant).ok());
  const absl::Status refused = ledger.AddSequence(tenant);
  ASSERT_TRUE(RefusalOf(refused).has_value());
  EXPECT_EQ(RefusalOf(refused)->reason, Reason::kTenantQuota);
  ledger.RemoveSequence(tenant);
  EXPECT_TRUE(ledger.AddSequence(tenant).ok());
}

TEST(TenantLedgerTest, NewLimitsLeaveWhatIsHeld) {
  TenantLedger ledger;
  const TenantId tenant = ledger.Add({});
  ledger.ChargeBytes(tenant, 500);
  ledger.SetLimits(tenant, {.max_bytes = 400});
  EXPECT_EQ(ledger.usage(tenant).bytes, 500);
  EXPECT_EQ(ledger.MissingBytes(tenant, 10), 110);
}

}  // namespace
}  // namespace sluice
