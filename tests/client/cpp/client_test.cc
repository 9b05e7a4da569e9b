// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tuple>

#include "tests/client/cpp/fake_daemon.h"

namespace sluice::client {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    auto client = Client::Connect({.address = daemon_.address()});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  FakeDaemon daemon_;
  std::unique_ptr<Client> client_;
};

v1::Error MakeError(absl::StatusCode code, v1::Reason reason) {
  v1::Error error;
  error.set_code(static_cast<int>(code));
  error.set_reason(reason);
  error.set_message("the fake refuses");
  return error;
}

TEST(ConnectTest, WithoutADaemonItSaysWhereItLooked) {
  const auto client = Client::Connect({.address = "unix:/tmp/no-sluice-here.sock"});
  EXPECT_TRUE(absl::IsUnavailable(client.status())) << client.status();
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("/tmp/no-sluice-here.sock"));
}

TEST(ConnectTest, WaitsForADaemonNoLongerThanAsked) {
  const auto client = Client::Connect(
      {.address = "unix:/tmp/no-sluice-here.sock", .wait_for_daemon = absl::Milliseconds(50)});
  EXPECT_TRUE(absl::IsUnavailable(client.status())) << client.status();
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("within 50ms"));
}

TEST(ConnectTest, OptionsAreChecked) {
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Connect({.address = "nowhere"}).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(Client::Connect({.client_name = std::string(65, 'a')}).status()));
  const auto client = Client::Connect({.call_timeout = absl::ZeroDuration()});
  EXPECT_EQ(ErrorInfoOf(client.status()).field, "call_timeout");
}

TEST_F(ClientTest, CapabilitiesComeOver) {
  const auto capabilities = client_->GetCapabilities();
  ASSERT_TRUE(capabilities.ok());
  EXPECT_EQ(capabilities->version, "1.2.3");
  EXPECT_THAT(capabilities->dtypes, ElementsAre(Dtype::kBf16));
}

TEST_F(ClientTest, ModelsAreRegistered) {
  const auto model = client_->RegisterModel({.name = "llama", .layers = {{.kv_head_count = 2}}});
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->fingerprint, "llama");
}

TEST_F(ClientTest, PoliciesSurviveTheWayThereAndBack) {
  Policy policy{.preset = "l2norm", .ratio = Ratio{0.5}, .skip_layers = {{0, 1}}};
  policy.triggers = Triggers{.prefill_end = true, .every = EveryTrigger{64, 0}};
  const auto sequence = client_->CreateSequence({.policy = policy, .token_ids = {1, 2, 3}});
  ASSERT_TRUE(sequence.ok());
  EXPECT_EQ(sequence->matched_length(), 3);
  const Policy& resolved = sequence->policy().policy;
  EXPECT_EQ(resolved.preset, "l2norm");
  EXPECT_EQ(resolved.ratio->value, 0.5);
  EXPECT_THAT(*resolved.skip_layers, ElementsAre(0, 1));
  EXPECT_EQ(resolved.triggers->every->tokens, 64);
  EXPECT_EQ(resolved.triggers->every->hysteresis_tokens, 0);
  EXPECT_FALSE(resolved.budget_tokens.has_value());
}

TEST_F(ClientTest, ParametersOfWindowPresetsSurviveTheWayThereAndBack) {
  const Policy policy{.window_tokens = 12,
                      .pool = Policy::ScorePool::kAverage,
                      .pool_width = 5,
                      .group_reduce = Policy::GroupReduce::kMax,
                      .beta = 20,
                      .low_end_tokens = 0,
                      .alpha = 0.25,
                      .head_budget = Policy::HeadBudget::kSafeguard,
                      .r_max = 2.5,
                      .update_every_layers = 3,
                      .arithmetic = Policy::LayerArithmetic::kReference};
  const auto sequence = client_->CreateSequence({.policy = policy});
  ASSERT_TRUE(sequence.ok());
  const Policy& resolved = sequence->policy().policy;
  EXPECT_EQ(std::make_tuple(resolved.window_tokens, resolved.pool, resolved.pool_width,
                              resolved.group_reduce, resolved.beta, resolved.low_end_tokens),
              std::make_tuple(12, policy.pool, 5, policy.group_reduce, 20, 0));
  EXPECT_EQ(std::make_tuple(resolved.alpha, resolved.head_budget, resolved.r_max,
                              resolved.update_every_layers, resolved.arithmetic),
              std::make_tuple(0.25, policy.head_budget, 2.5, 3, policy.arithmetic));
}

TEST_F(ClientTest, ParametersOfH2oSurviveTheWayThereAndBack) {
  const Policy policy{.heavy_tokens = 7,
                      .decay = 0.5,
                      .squared = true,
                      .normalise = Policy::ScoreNormalise::kNone};
  const auto sequence = client_->CreateSequence({.policy = policy});
  ASSERT_TRUE(sequence.ok());
  const Policy& resolved = sequence->policy().policy;
  EXPECT_EQ(std::make_tuple(resolved.heavy_tokens, resolved.decay, resolved.squared,
                              resolved.normalise),
              std::make_tuple(7, 0.5, true, policy.normalise));
}

TEST_F(ClientTest, ParametersOfCascadesSurviveTheWayThereAndBack) {
  const Policy policy{.group_reduce = Policy::GroupReduce::kMedian,
                      .cascade_tokens = 6,
                      .cascades = 2,
                      .periods = std::vector<int64_t>{1, 3},
                      .eager_fill = false,
                      .stride_tokens = 7};
  const auto sequence = client_->CreateSequence({.policy = policy});
  ASSERT_TRUE(sequence.ok());
  const Policy& resolved = sequence->policy().policy;
  EXPECT_EQ(std::make_tuple(resolved.group_reduce, resolved.cascade_tokens, resolved.cascades,
                            resolved.periods, resolved.eager_fill, resolved.stride_tokens),
            std::make_tuple(policy.group_reduce, 6, 2, policy.periods, false, 7));
}

TEST_F(ClientTest, SequencesAreInspectedAndCompressed) {
  auto sequence = client_->CreateSequence({});
  ASSERT_TRUE(sequence.ok());
  const auto state = sequence->Get();
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->sequence_id, sequence->id());
  EXPECT_EQ(state->length, 7);
  EXPECT_THAT(state->layers.at(0).kept_tokens, ElementsAre(5));
  EXPECT_EQ(state->last_job->freed_bytes, 64);
  EXPECT_EQ(sequence->Compress({.budget_tokens = 12})->freed_now_bytes, 12);
  EXPECT_THAT(sequence->Explain(3, 1)->kept_positions, ElementsAre(3, 1));
}

TEST_F(ClientTest, ASequenceIsFreedOnceWithItsLastHolder) {
  uint64_t id = 0;
  {
    auto first = client_->CreateSequence({});
    ASSERT_TRUE(first.ok());
    id = first->id();
    Sequence second = *std::move(first);
    EXPECT_TRUE(daemon_.FreedSequences().empty());
  }
  EXPECT_THAT(daemon_.FreedSequences(), ElementsAre(id));
}

TEST_F(ClientTest, AReleasedSequenceIsNotFreed) {
  auto sequence = client_->CreateSequence({});
  ASSERT_TRUE(sequence.ok());
  const uint64_t id = sequence->Release();
  EXPECT_TRUE(absl::IsFailedPrecondition(sequence->Get().status()));
  EXPECT_TRUE(daemon_.FreedSequences().empty());
  EXPECT_TRUE(client_->Adopt(id).Free().ok());
  EXPECT_THAT(daemon_.FreedSequences(), ElementsAre(id));
}

TEST_F(ClientTest, ForksComeInTheOrderOfTheirParents) {
  const std::vector<uint64_t> parents = {5, 5, 6};
  const auto copies = client_->ForkSequences(parents);
  ASSERT_TRUE(copies.ok());
  EXPECT_EQ(copies->size(), 3u);
  EXPECT_LT(copies->at(0).id(), copies->at(1).id());
}

TEST_F(ClientTest, RefusalsOfUnaryCallsCarryTheirDetails) {
  v1::Error error = MakeError(absl::StatusCode::kResourceExhausted, v1::REASON_POOL_FULL);
  error.set_field("model_id");
  error.set_retry_after_ms(40);
  error.mutable_room()->set_free_bytes(99);
  daemon_.RefuseUnary("CreateSequence", error);
  const absl::Status status = client_->CreateSequence({}).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(status.message(), "the fake refuses");
  EXPECT_EQ(ErrorInfoOf(status).reason, Reason::kPoolFull);
  EXPECT_EQ(ErrorInfoOf(status).field, "model_id");
  EXPECT_EQ(ErrorInfoOf(status).retry_after_ms, 40);
  EXPECT_EQ(ErrorInfoOf(status).room->free_bytes, 99);
}

TEST_F(ClientTest, UnavailableIsRetriedWhereThatIsSafe) {
  daemon_.RefuseUnary("GetSequence", MakeError(absl::StatusCode::kUnavailable, {}), 2);
  EXPECT_TRUE(client_->Adopt(1).Get().ok());
  daemon_.RefuseUnary("Compress", MakeError(absl::StatusCode::kUnavailable, {}));
  EXPECT_TRUE(absl::IsUnavailable(client_->Adopt(1).Compress().status()));
}

TEST_F(ClientTest, FindsARestartedDaemonByItself) {
  daemon_.Stop();
  EXPECT_TRUE(absl::IsUnavailable(client_->GetCapabilities().status()));
  daemon_.Start({.epoch = 2});
  absl::StatusOr<Capabilities> capabilities = client_->GetCapabilities();
  for (int i = 0; i < 20 && !capabilities.ok(); ++i) capabilities = client_->GetCapabilities();
  ASSERT_TRUE(capabilities.ok()) << capabilities.status();
  EXPECT_EQ(capabilities->epoch, 2u);
}

TEST_F(ClientTest, AChildOfForkIsRefusedAndEndsCleanly) {
  auto session = client_->OpenSession();
  auto sequence = client_->CreateSequence({});
  ASSERT_TRUE(session.ok() && sequence.ok());
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);  // a hang is a failure too
    const bool refused = absl::IsFailedPrecondition(client_->GetCapabilities().status()) &&
                         absl::IsFailedPrecondition((*session)->BeginStep({}).status()) &&
                         absl::IsFailedPrecondition((*session)->Reconnect());
    { auto dropped = std::move(*session); }
    { auto dropped = *std::move(sequence); }
    client_.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE((*session)->status().ok());
  EXPECT_TRUE(daemon_.FreedSequences().empty());
}

}  // namespace
}  // namespace sluice::client
