// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "client/cpp/client.h"
#include "tests/client/cpp/fake_daemon.h"

namespace sluice::client {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = v1::SessionRequest::RequestCase;

constexpr int kLastLayer = 9;  // the fake closes the step with it

class SessionTest : public testing::Test {
 protected:
  void SetUp() override { Open({}); }

  void Open(FakeOptions options, absl::Duration call_timeout = absl::Seconds(10)) {
    session_.reset();
    daemon_.Stop();
    daemon_.Start(options);
    client_ = *Client::Connect({.address = daemon_.address(),
                                .call_timeout = call_timeout,
                                .wait_for_daemon = absl::Seconds(10)});
    session_ = *client_->OpenSession();
  }

  Step BeginStep() {
    const StepEntry entry{.sequence_id = 77, .token_count = 3};
    auto step = session_->BeginStep({&entry, 1});
    EXPECT_TRUE(step.ok()) << step.status();
    return *std::move(step);
  }

  // `rows` rows of 2 heads of 4 values: 32 bytes a row.
  TensorView Rows(int64_t rows) const { return TensorView::Fp32(values_.data(), rows, 2, 4); }

  const std::vector<float> values_ = std::vector<float>(8 * 1024, 1.5f);
  FakeDaemon daemon_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Session> session_;
};

TEST_F(SessionTest, OpensWithTheClientsName) {
  EXPECT_NE(session_->id(), 0u);
  EXPECT_EQ(session_->epoch(), 1u);
  const auto requests = daemon_.Requests(Kind::kOpen);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].open().client_name(), "sluice-cpp");
}

TEST_F(SessionTest, AttendReturnsBuffersOfItsOwn) {
  Step step = BeginStep();
  EXPECT_EQ(step.state().entries.at(0).sequence_id, 77u);
  const auto result = step.Attend({.layer = 1, .q = Rows(3)}, {.want_lse = true});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->out.rows, 3);
  EXPECT_EQ(result->out.heads, 2);
  EXPECT_EQ(result->out.dim, 4);
  EXPECT_EQ(result->out.As<float>().size(), 24u);
  EXPECT_THAT(result->out.As<float>(), Each(3.0f));
  EXPECT_THAT(result->lse, ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_FALSE(step.closed());
}

TEST_F(SessionTest, AttendWritesIntoTheCallersMemory) {
  Step step = BeginStep();
  std::vector<float> out(24), lse(6, -1);
  const auto result = step.Attend({.layer = 1, .first_token = 2, .q = Rows(3)},
                                  {.out = std::as_writable_bytes(std::span(out)), .lse = lse});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(out, Each(3.0f));
  EXPECT_THAT(lse, Each(2.0f));
  EXPECT_TRUE(result->out.bytes.empty() && result->lse.empty());
}

TEST_F(SessionTest, AttendAboveTheLimitIsSplitByTokens) {
  Open({.inline_tensor_bytes = 3 * 32 * 2 + 31});  // room for two rows of q, k and v
  Step step = BeginStep();
  std::vector<float> lse(10);
  const auto result = step.Attend(
      {.layer = kLastLayer, .first_token = 10, .q = Rows(5), .k = Rows(5), .v = Rows(5)},
      {.lse = lse});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->out.As<float>(), Each(3.0f));
  EXPECT_EQ(result->out.rows, 5);
  EXPECT_THAT(lse, ElementsAre(10, 10, 10, 10, 12, 12, 12, 12, 14, 14));
  const auto requests = daemon_.Requests(Kind::kAttend);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_THAT(requests[2].attend().k().shape(), ElementsAre(1, 2, 4));
}

TEST_F(SessionTest, AppendAboveTheLimitIsSplitByLayerThenByTokens) {
  Open({.inline_tensor_bytes = 2 * 32 * 4});  // room for four rows of k and v
  Step step = BeginStep();
  const std::vector<AppendLayer> layers = {
      {.layer = 0, .k = Rows(2), .v = Rows(2)},
      {.layer = 1, .k = Rows(2), .v = Rows(2)},
      {.layer = 2, .k = Rows(6), .v = Rows(6), .observation_queries = Rows(2)}};
  const auto result = step.Append(layers, 100);
  ASSERT_TRUE(result.ok()) << result.status();
  const auto requests = daemon_.Requests(Kind::kAppend);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].append().layers_size(), 2);
  EXPECT_EQ(requests[1].append().first_token(), 100);
  EXPECT_FALSE(requests[1].append().layers(0).has_observation_queries());
  EXPECT_EQ(requests[2].append().first_token(), 103);
  EXPECT_TRUE(requests[2].append().layers(0).has_observation_queries());
  EXPECT_EQ(result->non_finite.key_value_row_count, 3);  // the fake says 1 a request
}

TEST_F(SessionTest, AppendOfAnEntryIsOneRequestWhereItFits) {
  const std::vector<AppendLayer> layers = {{.layer = kLastLayer, .k = Rows(3), .v = Rows(3)}};
  const auto result = session_->Append({.sequence_id = 5, .token_count = 3}, layers);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->step_closed);
  EXPECT_EQ(daemon_.Requests(Kind::kAppend).at(0).append().entry().sequence_id(), 5u);
  EXPECT_TRUE(daemon_.Requests(Kind::kBeginStep).empty());
}

TEST_F(SessionTest, AppendOfAnEntryAboveTheLimitIsAStepThatIsUndoneOnErrors) {
  Open({.inline_tensor_bytes = 2 * 32 * 2});
  const std::vector<AppendLayer> layers = {{.layer = kLastLayer, .k = Rows(4), .v = Rows(4)}};
  EXPECT_TRUE(session_->Append({.sequence_id = 5, .token_count = 4}, layers)->step_closed);
  EXPECT_TRUE(daemon_.Requests(Kind::kBeginStep).at(0).begin_step().append_only());
  EXPECT_TRUE(daemon_.Requests(Kind::kEndStep).empty());
  v1::Error error;
  error.set_code(3);
  daemon_.Refuse(Kind::kAppend, error);
  const auto refused = session_->Append({.sequence_id = 5, .token_count = 4}, layers);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_TRUE(daemon_.Requests(Kind::kEndStep).at(0).end_step().abort());
}

TEST_F(SessionTest, ShapesThatDoNotFitAreRefusedBeforeTheyAreSent) {
  Step step = BeginStep();
  std::vector<float> small(5);
  const auto field = [](const auto& result) { return ErrorInfoOf(result.status()).field; };
  EXPECT_EQ(field(step.Attend({.q = Rows(0)})), "q.shape");
  EXPECT_EQ(field(step.Attend({.q = TensorView::Fp32(nullptr, 1, 1, 1)})), "q");
  EXPECT_EQ(field(step.Attend({.q = TensorView::Fp32(small.data(), 1 << 30, 1 << 30, 1 << 30)})),
            "q.shape");
  EXPECT_EQ(field(step.Attend({.q = Rows(2), .k = Rows(2)})), "v");
  EXPECT_EQ(field(step.Attend({.q = Rows(2), .k = Rows(1), .v = Rows(2)})), "k.shape");
  EXPECT_EQ(field(step.Attend({.q = Rows(2)}, {.lse = small})), "lse");
  EXPECT_EQ(field(step.Attend({.q = Rows(2)}, {.out = std::as_writable_bytes(std::span(small))})),
            "out");
  const AppendLayer layer{.k = Rows(2), .v = Rows(1)};
  EXPECT_EQ(field(step.Append({&layer, 1})), "layers[0].v.shape");
  EXPECT_EQ(field(step.Append({})), "layers");
  EXPECT_TRUE(daemon_.Requests(Kind::kAttend).empty() && daemon_.Requests(Kind::kAppend).empty());
}

TEST_F(SessionTest, ARowLargerThanARequestMayBeIsRefused) {
  Open({.inline_tensor_bytes = 40});
  Step step = BeginStep();
  const auto result = step.Attend({.q = Rows(1), .k = Rows(1), .v = Rows(1)});
  EXPECT_EQ(ErrorInfoOf(result.status()).reason, Reason::kFieldInvalid);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("96 bytes"));
}

TEST_F(SessionTest, ALargeAttendOverSequencesIsCutBetweenThem) {
  Open({.inline_tensor_bytes = 5 * 32});
  const std::vector<SequenceRows> sequences = {{7, 2}, {8, 3}, {9, 1}};
  const auto result = session_->Attend(sequences, {.q = Rows(6)}, {.want_lse = true});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->out.As<float>(), Each(3.0f));
  EXPECT_EQ(result->out.As<float>().size(), 6u * 8);
  EXPECT_EQ(result->lse.size(), 6u * 2);
  const auto requests = daemon_.Requests(Kind::kAttend);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].attend().sequences().sequences_size(), 2);
  EXPECT_EQ(requests[0].attend().q().shape(0), 5);
  EXPECT_EQ(requests[1].attend().sequences().sequences(0).sequence_id(), 9u);
  EXPECT_EQ(requests[1].attend().q().shape(0), 1);
}

TEST_F(SessionTest, ALargeAttendOverSequencesThatCannotBeCutIsRefused) {
  Open({.inline_tensor_bytes = 4 * 32});
  const auto refusal = [this](std::vector<SequenceRows> sequences) {
    const absl::Status status = session_->Attend(sequences, {.q = Rows(6)}).status();
    EXPECT_EQ(ErrorInfoOf(status).reason, Reason::kFieldInvalid) << status;
    return ErrorInfoOf(status).field;
  };
  EXPECT_EQ(refusal({{7, 1}, {8, 5}}), "q");
  EXPECT_EQ(refusal({}), "sequences");
  EXPECT_EQ(refusal({{7, 3}, {8, 2}}), "sequences");
  EXPECT_EQ(refusal({{7, 3}, {8, 4}}), "sequences");
  EXPECT_EQ(refusal({{7, 3}, {8, 3}, {9, 0}}), "sequences");
  EXPECT_TRUE(daemon_.Requests(Kind::kAttend).empty());
}

TEST_F(SessionTest, ARefusalLeavesTheStreamAndTheStepOpen) {
  Step step = BeginStep();
  v1::Error error;
  error.set_code(9);
  error.set_reason(v1::REASON_POLICY_NEEDS);
  error.set_field("q");
  daemon_.Refuse(Kind::kAttend, error);
  const auto refused = step.Attend({.q = Rows(1)});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_EQ(ErrorInfoOf(refused.status()).reason, Reason::kPolicyNeeds);
  EXPECT_TRUE(step.Attend({.q = Rows(1)}).ok());
  EXPECT_TRUE(session_->status().ok());
}

TEST_F(SessionTest, AnOpenStepIsUndoneWithItsObject) {
  uint64_t id = 0;
  {
    Step step = BeginStep();
    id = step.id();
    Step moved = std::move(step);
  }
  const auto requests = daemon_.Requests(Kind::kEndStep);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].end_step().step_id(), id);
  EXPECT_TRUE(requests[0].end_step().abort());
}

TEST_F(SessionTest, AClosedStepIsNotUndone) {
  {
    Step step = BeginStep();
    ASSERT_TRUE(step.Attend({.layer = kLastLayer, .q = Rows(1)}).ok());
    EXPECT_TRUE(step.closed());
    EXPECT_TRUE(absl::IsFailedPrecondition(step.Attend({.q = Rows(1)}).status()));
    EXPECT_TRUE(step.Abort().ok());
  }
  EXPECT_TRUE(daemon_.Requests(Kind::kEndStep).empty());
}

TEST_F(SessionTest, AnAnswerThatDoesNotComeEndsTheCallOnly) {
  Open({}, absl::Milliseconds(50));
  Step step = BeginStep();
  daemon_.Refuse(Kind::kAttend, v1::Error());  // code 0: the fake stays silent
  EXPECT_TRUE(absl::IsDeadlineExceeded(step.Attend({.q = Rows(1)}).status()));
  EXPECT_TRUE(step.Attend({.q = Rows(1)}).ok());
}

TEST_F(SessionTest, AnswersThatMakeNoSenseAreErrors) {
  const std::vector<std::function<void(v1::SessionResponse*)>> spoilers = {
      [](auto* answer) { answer->mutable_attend()->mutable_out()->clear_shape(); },
      [](auto* answer) { answer->mutable_attend()->mutable_out()->set_shape(2, -4); },
      [](auto* answer) { answer->mutable_attend()->mutable_out()->set_shape(2, int64_t{1} << 62); },
      [](auto* answer) { answer->mutable_attend()->mutable_out()->mutable_inline_()->pop_back(); },
      [](auto* answer) { answer->mutable_attend()->clear_lse(); },
      [](auto* answer) { answer->mutable_attend()->mutable_out()->set_dtype(v1::DTYPE_BF16); },
      [](auto* answer) { answer->mutable_heartbeat(); },
      [](auto* answer) { answer->clear_response(); }};
  Step step = BeginStep();
  for (const auto& spoil : spoilers) {
    daemon_.SpoilAnswers(spoil);
    const auto result = step.Attend({.q = Rows(2)}, {.want_lse = true});
    EXPECT_TRUE(absl::IsInternal(result.status())) << result.status();
  }
  daemon_.SpoilAnswers(nullptr);
  EXPECT_TRUE(step.Attend({.q = Rows(2)}, {.want_lse = true}).ok());
}

TEST_F(SessionTest, HeartbeatsComeByThemselves) {
  Open({.heartbeat_limit = absl::Milliseconds(15)});
  EXPECT_TRUE(daemon_.WaitForRequests(Kind::kHeartbeat, 3));
}

TEST_F(SessionTest, ADaemonThatShutsDownIsNoticedByHeartbeats) {
  daemon_.SpoilAnswers([](v1::SessionResponse* answer) {
    if (answer->has_heartbeat()) answer->mutable_heartbeat()->set_draining(true);
  });
  Open({.heartbeat_limit = absl::Milliseconds(15)});
  EXPECT_TRUE(daemon_.WaitForRequests(Kind::kHeartbeat, 2));
  for (int i = 0; i < 1000 && !session_->draining(); ++i) BeginStep();
  EXPECT_TRUE(session_->draining());
}

TEST_F(SessionTest, ThreadsShareTheStream) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Step step = BeginStep();
      for (int i = 0; i < 50; ++i) {
        const auto result = step.Attend({.layer = 1, .first_token = t * 100 + i, .q = Rows(t + 1)},
                                        {.want_lse = true});
        good += result.ok() && result->out.rows == t + 1 &&
                result->lse.at(0) == static_cast<float>(t * 100 + i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
}

TEST_F(SessionTest, ARestartOfTheDaemonFailsCallsUntilReconnect) {
  Step step = BeginStep();
  const uint64_t id = session_->id();
  daemon_.Stop();
  EXPECT_TRUE(absl::IsUnavailable(step.Attend({.q = Rows(1)}).status()));
  const absl::Status status = session_->BeginStep({}).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("open a new one"));
  daemon_.Start({.epoch = 2, .inline_tensor_bytes = 32});
  ASSERT_TRUE(session_->Reconnect().ok());
  EXPECT_EQ(session_->epoch(), 2u);
  EXPECT_NE(session_->id(), id);
  EXPECT_FALSE(step.Attend({.q = Rows(1)}).ok());
  EXPECT_TRUE(BeginStep().Attend({.q = Rows(4)}).ok());
  EXPECT_EQ(daemon_.Requests(Kind::kAttend).size(), 4u);  // the new limits hold
}

TEST_F(SessionTest, ReconnectKeepsASessionThatLives) {
  const uint64_t id = session_->id();
  EXPECT_TRUE(session_->Reconnect().ok());
  EXPECT_EQ(session_->id(), id);
}

TEST_F(SessionTest, ThreadsThatReconnectAtOnceShareTheNewSession) {
  daemon_.Stop();
  daemon_.Start({.epoch = 2});
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { good += session_->Reconnect().ok(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 4);
  EXPECT_EQ(daemon_.Requests(Kind::kOpen).size(), 1u);
  EXPECT_TRUE(session_->status().ok());
}

TEST_F(SessionTest, ADaemonThatIsNotThereLeavesTheSessionEnded) {
  auto client = Client::Connect({.address = daemon_.address()});
  auto session = (*client)->OpenSession();
  daemon_.Stop();
  EXPECT_TRUE(absl::IsUnavailable((*session)->Reconnect()));
  EXPECT_FALSE((*session)->status().ok());
}

TEST_F(SessionTest, AStaleIdIsSaidToBeOne) {
  v1::Error error;
  error.set_code(9);
  error.set_reason(v1::REASON_STALE_EPOCH);
  daemon_.Refuse(Kind::kBeginStep, error);
  const StepEntry entry{.sequence_id = 1};
  const auto step = session_->BeginStep({&entry, 1});
  EXPECT_TRUE(absl::IsFailedPrecondition(step.status()));
  EXPECT_EQ(ErrorInfoOf(step.status()).reason, Reason::kStaleEpoch);
}

TEST_F(SessionTest, ARefusedSessionSaysWhy) {
  v1::Error error;
  error.set_code(8);
  error.set_reason(v1::REASON_TENANT_QUOTA);
  daemon_.Refuse(Kind::kOpen, error);
  const auto session = client_->OpenSession();
  EXPECT_TRUE(absl::IsResourceExhausted(session.status()));
  EXPECT_EQ(ErrorInfoOf(session.status()).reason, Reason::kTenantQuota);
}

TEST_F(SessionTest, StepsOutliveTheirSessionWithoutHarm) {
  Step step = BeginStep();
  session_.reset();
  const absl::Status status = step.Attend({.q = Rows(1)}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(SessionTest, SequencesAreAttendedWithoutAStep) {
  const std::vector<SequenceRows> rows = {{5, 2}, {6, 1}};
  const auto result = session_->Attend(rows, {.layer = 1, .q = Rows(3)});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->out.rows, 3);
  const auto request = daemon_.Requests(Kind::kAttend).at(0).attend();
  EXPECT_EQ(request.sequences().sequences(1).sequence_id(), 6u);
  EXPECT_FALSE(request.has_k());
}

}  // namespace
}  // namespace sluice::client
