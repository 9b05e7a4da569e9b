// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <array>
#include <thread>

#include "tests/daemon/rpc/service_fixture.h"

namespace sluice {
namespace {

class AdminServiceTest : public ServiceFixture {
 protected:
  explicit AdminServiceTest(ListenerIdentity identity = {.tenant = 1}) : ServiceFixture(identity) {}

  // Calls `rpc` while `serve` plays the engine.
  template <class Request, class Response, class Serve>
  grpc::Status Call(grpc::Status (v1::Admin::Stub::*rpc)(grpc::ClientContext*, const Request&,
                                                         Response*),
                    const Request& request, Response* response, Serve serve) {
    grpc::Status status;
    std::thread client([&] {
      grpc::ClientContext context;
      status = (admin_.get()->*rpc)(&context, request, response);
    });
    serve();
    client.join();
    return status;
  }
};

void ExpectLooksOn(const Caller& caller, int32_t tenant, bool sees_every_tenant) {
  EXPECT_TRUE(caller.looks_on);
  EXPECT_EQ(caller.tenant, tenant);
  EXPECT_EQ(caller.sees_every_tenant, sees_every_tenant);
}

std::vector<SessionInfo> ThreeSessions() {
  std::vector<SessionInfo> sessions(3);
  for (size_t i = 0; i < sessions.size(); ++i) {
    sessions[i].session = std::array<uint64_t, 3>{30, 10, 20}[i];
    sessions[i].tenant = std::array<int32_t, 3>{1, 1, 0}[i];
  }
  return sessions;
}

TEST_F(AdminServiceTest, ListsTheTenantsClientsPageByPage) {
  v1::ListClientsRequest request;
  request.set_page_size(1);
  v1::ListClientsResponse response;
  const auto serve = [&] { engine_.Take<ListSessions>().done(ThreeSessions()); };
  ASSERT_TRUE(Call(&v1::Admin::Stub::ListClients, request, &response, serve).ok());
  ASSERT_EQ(response.clients_size(), 1);
  EXPECT_EQ(response.clients(0).session_id(), 10);
  EXPECT_EQ(response.clients(0).tenant(), "one");
  request.set_page_token(response.next_page_token());
  v1::ListClientsResponse last;
  ASSERT_TRUE(Call(&v1::Admin::Stub::ListClients, request, &last, serve).ok());
  EXPECT_EQ(last.clients(0).session_id(), 30);
  EXPECT_EQ(last.next_page_token(), "");
}

TEST_F(AdminServiceTest, AsksForOneSequenceMoreThanThePage) {
  v1::ListSequencesRequest request;
  request.set_page_size(2);
  v1::ListSequencesResponse response;
  const auto status = Call(&v1::Admin::Stub::ListSequences, request, &response, [&] {
    const ListSequences command = engine_.Take<ListSequences>();
    EXPECT_EQ(command.limit, 3);
    EXPECT_EQ(command.tenant, 1);
    command.done(std::vector<SequenceInfo>{});
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(response.next_page_token(), "");
}

TEST_F(AdminServiceTest, LooksOnAtOnesOwnSequences) {
  const auto inspect = Parse<v1::InspectSequenceRequest>("sequence_id: SEQ");
  v1::InspectSequenceResponse inspected;
  EXPECT_EQ(Call(&v1::Admin::Stub::InspectSequence, inspect, &inspected, [&] {
              const InspectSequence command = engine_.Take<InspectSequence>();
              ExpectLooksOn(command.caller, 1, false);
              command.done(absl::NotFoundError("none"));
            }).error_code(),
            grpc::StatusCode::NOT_FOUND);
  const auto explain = Parse<v1::ExplainSequenceRequest>("sequence_id: SEQ kv_head: 3");
  v1::ExplainSequenceResponse explained;
  ASSERT_TRUE(Call(&v1::Admin::Stub::InspectHeadCache, explain, &explained, [&] {
                const ExplainSequence command = engine_.Take<ExplainSequence>();
                ExpectLooksOn(command.caller, 1, false);
                EXPECT_EQ(command.kv_head, 3);
                Explained answer;
                answer.kept_positions = {2, 5};
                command.done(answer);
              }).ok());
  EXPECT_THAT(explained.kept_positions(), testing::ElementsAre(2, 5));
}

TEST_F(AdminServiceTest, InspectionsOfNothingAreRefused) {
  grpc::ClientContext context, other;
  v1::InspectSequenceResponse inspected;
  EXPECT_EQ(admin_->InspectSequence(&context, {}, &inspected).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::ExplainSequenceResponse explained;
  const auto request = Parse<v1::ExplainSequenceRequest>("sequence_id: SEQ layer: -1");
  EXPECT_EQ(admin_->InspectHeadCache(&other, request, &explained).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(AdminServiceTest, StatusShowsPoolAndState) {
  v1::GetStatusResponse response;
  context_->draining = true;
  const auto status = Call(&v1::Admin::Stub::GetStatus, {}, &response, [&] {
    EngineStatus answer;
    answer.pool.total = 100;
    answer.pool.free = 60;
    constexpr auto kCommitted = static_cast<size_t>(JobOutcome::kCommitted);
    answer.totals.jobs_by_trigger[static_cast<size_t>(Trigger::kEvery)][kCommitted] = 3;
    answer.totals.jobs_by_trigger[static_cast<size_t>(Trigger::kRequest)][kCommitted] = 1;
    engine_.Take<GetStatus>().done(answer);
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(response.pool().free_bytes(), 60);
  EXPECT_EQ(response.totals().committed_job_count(), 4);
  EXPECT_EQ(response.state(), v1::GetStatusResponse::STATE_DRAINING);
  EXPECT_EQ(response.start_time().seconds(), 100);
}

TEST_F(AdminServiceTest, OnlyTheAdminSocketSteers) {
  grpc::ClientContext drain;
  grpc::ClientContext reclaim;
  v1::DrainResponse drained;
  v1::ReclaimResponse reclaimed;
  EXPECT_EQ(admin_->Drain(&drain, {}, &drained).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(admin_->Reclaim(&reclaim, {}, &reclaimed).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(drained_, std::nullopt);
}

class AdminSocketTest : public AdminServiceTest {
 protected:
  AdminSocketTest() : AdminServiceTest({.admin = true}) {}
};

TEST_F(AdminSocketTest, DrainsWithItsTimeout) {
  grpc::ClientContext context;
  v1::DrainResponse response;
  EXPECT_TRUE(
      admin_->Drain(&context, Parse<v1::DrainRequest>("timeout { seconds: 3 }"), &response).ok());
  EXPECT_EQ(drained_, absl::Seconds(3));
}

TEST_F(AdminSocketTest, ShowsAllTenants) {
  v1::ListClientsResponse response;
  const auto serve = [&] { engine_.Take<ListSessions>().done(ThreeSessions()); };
  ASSERT_TRUE(Call(&v1::Admin::Stub::ListClients, {}, &response, serve).ok());
  EXPECT_EQ(response.clients_size(), 3);
}

TEST_F(AdminSocketTest, LooksOnAtEveryTenantsSequences) {
  const auto request = Parse<v1::ExplainSequenceRequest>("sequence_id: SEQ");
  v1::ExplainSequenceResponse response;
  EXPECT_TRUE(Call(&v1::Admin::Stub::InspectHeadCache, request, &response, [&] {
                const ExplainSequence command = engine_.Take<ExplainSequence>();
                ExpectLooksOn(command.caller, 0, true);
                command.done(Explained{});
              }).ok());
}

TEST_F(AdminSocketTest, ReclaimTellsWhoGivesHowMuch) {
  const auto request = Parse<v1::ReclaimRequest>("target_bytes: 500 dry_run: true");
  v1::ReclaimResponse response;
  EXPECT_TRUE(Call(&v1::Admin::Stub::Reclaim, request, &response, [&] {
                const ReclaimMemory command = engine_.Take<ReclaimMemory>();
                EXPECT_EQ(command.target_bytes, 500);
                EXPECT_TRUE(command.dry_run);
                command.done(std::vector<BudgetCut>{{7, 1, -3, "l2norm", 40, 300},
                                                    {9, 0, -3, "l2norm", 50, 250}});
              }).ok());
  EXPECT_EQ(response.freed_bytes(), 0);
  EXPECT_EQ(response.expected_bytes(), 550);
  ASSERT_EQ(response.cuts_size(), 2);
  EXPECT_EQ(response.cuts(0).sequence_id(), 7);
  EXPECT_EQ(response.cuts(0).tenant(), "one");
  EXPECT_EQ(response.cuts(0).priority(), -3);
  EXPECT_EQ(response.cuts(0).preset(), "l2norm");
  EXPECT_EQ(response.cuts(0).budget_tokens(), 40);
  EXPECT_EQ(response.cuts(0).expected_bytes(), 300);
}

TEST_F(AdminSocketTest, ANegativeReclaimIsRefused) {
  grpc::ClientContext context;
  v1::ReclaimResponse response;
  const auto request = Parse<v1::ReclaimRequest>("target_bytes: -1");
  EXPECT_EQ(admin_->Reclaim(&context, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace sluice
