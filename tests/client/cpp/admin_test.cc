// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cpp/fake_daemon.h"

namespace sluice::client {
namespace {

using testing::HasSubstr;

class AdminTest : public testing::Test {
 protected:
  FakeDaemon daemon_;
  std::unique_ptr<Admin> admin_ = *Admin::Create({.address = daemon_.address()});
};

TEST_F(AdminTest, StatusComesOver) {
  v1::GetStatusResponse wire;
  wire.set_epoch(UINT64_MAX);
  wire.set_state(v1::GetStatusResponse::STATE_DRAINING);
  wire.mutable_uptime()->set_seconds(90);
  wire.mutable_pool()->set_in_use_bytes(7);
  wire.mutable_totals()->set_token_count(11);
  daemon_.SetStatus(wire);
  const auto status = admin_->GetStatus();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_TRUE(status->draining);
  EXPECT_EQ(status->uptime, absl::Seconds(90));
  EXPECT_EQ(status->pool.in_use_bytes, 7);
  EXPECT_EQ(status->totals.token_count, 11);
  EXPECT_THAT(status->json, HasSubstr("\"epoch\": \"18446744073709551615\""));
}

TEST_F(AdminTest, SequencesAreListedOverPages) {
  std::vector<v1::SequenceSummary> wire(2500);
  for (size_t i = 0; i < wire.size(); ++i) wire[i].set_sequence_id(i + 1);
  daemon_.SetSequences(wire);
  const auto all = admin_->ListSequences(5000);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->sequences.size(), 2500u);
  EXPECT_EQ(all->sequences.back().sequence_id, 2500u);
  EXPECT_TRUE(all->is_complete);
  const auto some = admin_->ListSequences(1200);
  EXPECT_EQ(some->sequences.size(), 1200u);
  EXPECT_FALSE(some->is_complete);
}

TEST_F(AdminTest, HealthFollowsTheDaemon) {
  EXPECT_TRUE(admin_->CheckHealth().ok());
  daemon_.SetServing(false);
  const absl::Status status = admin_->CheckHealth();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("not serving"));
  daemon_.Stop();
  EXPECT_THAT(std::string(admin_->CheckHealth().message()), HasSubstr("cannot reach"));
}

}  // namespace
}  // namespace sluice::client
