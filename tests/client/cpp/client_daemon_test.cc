// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// The client against a real sluiced: the binary that SLUICED names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cpp/client.h"
#include "tests/testing/child_process.h"
#include "tests/testing/temp_dir.h"

namespace sluice::client {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;

constexpr int64_t kQueryHeads = 2;
constexpr int64_t kDim = 16;

// A sluiced with messages of 4 KiB of tensors, so that little is much.
class LiveDaemon {
 public:
  LiveDaemon() {
    std::ofstream(folder_.File("config.json")) << R"({"limits": {"inline_tensor_bytes": 4096}})";
    Start();
  }

  void Start() {
    process_.emplace(std::vector<std::string>{
        std::getenv("SLUICED"), "--listen=" + address(), "--metrics_address=off",
        "--pool_bytes=16777216", "--config=" + folder_.File("config.json")});
  }
  void Kill() { process_->Kill(); }
  int Stop() { return process_->Stop(); }

  std::string address() const { return "unix:" + folder_.File("sluice.sock"); }
  ConnectOptions options() const {
    return {.address = address(), .wait_for_daemon = absl::Minutes(1)};
  }

 private:
  const TempDir folder_;
  std::optional<ChildProcess> process_;
};

// Keys of zero, so that every position weighs the same, and values of the
// position: attending over n tokens gives (n - 1) / 2, and log(n) as log-sum-exp.
struct Tokens {
  Tokens(int64_t first, int64_t count)
      : first(first), count(count), q(count * kQueryHeads * kDim, 0.5f), k(count * kDim, 0.0f) {
    for (int64_t i = 0; i < count * kDim; ++i) v.push_back(static_cast<float>(first + i / kDim));
  }

  TensorView Queries() const { return TensorView::Fp32(q.data(), count, kQueryHeads, kDim); }
  TensorView Keys() const { return TensorView::Fp32(k.data(), count, 1, kDim); }
  TensorView Values() const { return TensorView::Fp32(v.data(), count, 1, kDim); }
  std::vector<AppendLayer> Layers() const { return {{.layer = 0, .k = Keys(), .v = Values()}}; }
  StepEntry Entry(const Sequence& sequence) const {
    return {.sequence_id = sequence.id(), .base_length = first, .token_count = count};
  }

  int64_t first, count;
  std::vector<float> q, k, v;
};

class ClientDaemonTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon_ = new LiveDaemon; }
  static void TearDownTestSuite() {
    EXPECT_EQ(daemon_->Stop(), 0);
    delete daemon_;
  }

  void SetUp() override { Connect(*daemon_); }

  void Connect(const LiveDaemon& daemon) {
    session_.reset();
    auto client = Client::Connect(daemon.options());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    session_ = *client_->OpenSession();
    RegisterModel();
  }

  void RegisterModel() {
    const auto model = client_->RegisterModel({.name = "cpp-test",
                                               .query_head_count = kQueryHeads,
                                               .k_dim = kDim,
                                               .v_dim = kDim,
                                               .dtype = Dtype::kFp32,
                                               .layers = {{.kv_head_count = 1}}});
    ASSERT_TRUE(model.ok()) << model.status();
    model_id_ = model->model_id;
  }

  Sequence Create() {
    SequenceOptions options;
    options.model_id = model_id_;
    options.session_id = session_->id();
    auto made = client_->CreateSequence(options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  Sequence CreateWith(int64_t tokens) {
    Sequence sequence = Create();
    const Tokens rows(0, tokens);
    const auto appended = session_->Append(rows.Entry(sequence), rows.Layers());
    EXPECT_TRUE(appended.ok() && appended->step_closed) << appended.status();
    return sequence;
  }

  // What the last position of each sequence sees.
  std::vector<float> LastRows(const std::vector<const Sequence*>& sequences) {
    const Tokens rows(0, std::ssize(sequences));
    std::vector<SequenceRows> targets;
    for (const Sequence* one : sequences) targets.push_back({one->id(), 1});
    const auto result = session_->Attend(targets, {.q = rows.Queries()});
    EXPECT_TRUE(result.ok()) << result.status();
    std::vector<float> firsts;
    for (int64_t row = 0; row < rows.count; ++row) {
      firsts.push_back(result->out.As<float>()[row * kQueryHeads * kDim]);
    }
    return firsts;
  }

  static LiveDaemon* daemon_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Session> session_;
  uint64_t model_id_ = 0;
};

LiveDaemon* ClientDaemonTest::daemon_ = nullptr;

TEST_F(ClientDaemonTest, AttendsOverWhatAStepBrings) {
  const Sequence sequence = Create();
  const Tokens rows(0, 3);
  const StepEntry entry = rows.Entry(sequence);
  auto step = session_->BeginStep({&entry, 1});
  ASSERT_TRUE(step.ok()) << step.status();
  const auto result =
      step->Attend({.q = rows.Queries(), .k = rows.Keys(), .v = rows.Values()}, {.want_lse = true});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(step->closed());
  for (int64_t t = 0; t < 3; ++t) {
    EXPECT_THAT(result->out.As<float>().subspan(t * kQueryHeads * kDim, kQueryHeads * kDim),
                Each(FloatNear(static_cast<float>(t) / 2, 1e-6f)));
    EXPECT_NEAR(result->lse[t * kQueryHeads], std::log(static_cast<float>(t + 1)), 1e-6f);
  }
  EXPECT_EQ(sequence.Get()->length, 3);
}

TEST_F(ClientDaemonTest, ForksPartFromTheirParents) {
  const Sequence parent = CreateWith(5);
  const uint64_t parents[] = {parent.id()};
  const auto forks = client_->ForkSequences(parents, session_->id());
  ASSERT_TRUE(forks.ok()) << forks.status();
  const Tokens more(5, 2);
  ASSERT_TRUE(session_->Append(more.Entry(forks->front()), more.Layers()).ok());
  EXPECT_EQ(parent.Get()->length, 5);
  EXPECT_EQ(forks->front().Get()->length, 7);
  EXPECT_THAT(LastRows({&parent, &forks->front()}), ElementsAre(FloatEq(2), FloatEq(3)));
}

TEST_F(ClientDaemonTest, WhatIsLargerThanAMessageIsCut) {
  const Sequence first = CreateWith(1001);  // 128 KB of keys and values
  const Sequence second = CreateWith(2001);
  const Tokens rows(0, 40);  // 32 rows of queries fit
  const std::vector<SequenceRows> targets = {{first.id(), 20}, {second.id(), 20}};
  const auto result = session_->Attend(targets, {.q = rows.Queries()});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->out.As<float>()[19 * kQueryHeads * kDim], 500, 1e-3f);
  EXPECT_NEAR(result->out.As<float>()[39 * kQueryHeads * kDim], 1000, 1e-3f);
}

TEST_F(ClientDaemonTest, AFreedSequenceIsUnknown) {
  Sequence sequence = CreateWith(2);
  const uint64_t id = sequence.id();
  ASSERT_TRUE(sequence.Free().ok());
  Sequence gone = client_->Adopt(id);
  const absl::Status status = gone.Get().status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_EQ(ErrorInfoOf(status).reason, Reason::kUnknownSequence);
  gone.Release();
}

TEST_F(ClientDaemonTest, RefusalsCarryTheirFields) {
  const Sequence sequence = CreateWith(4);
  const Tokens late(9, 1);
  const StepEntry entry = late.Entry(sequence);
  const absl::Status status = session_->BeginStep({&entry, 1}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(ErrorInfoOf(status).reason, Reason::kLengthMismatch);
  EXPECT_EQ(ErrorInfoOf(status).field, "entries[0].base_length");
  EXPECT_EQ(ErrorInfoOf(status).length, 4);
  SequenceOptions options;
  options.model_id = model_id_;
  options.policy.preset = "best";
  const auto unary = client_->CreateSequence(options);
  EXPECT_TRUE(absl::IsInvalidArgument(unary.status())) << unary.status();
  EXPECT_EQ(ErrorInfoOf(unary.status()).reason, Reason::kFieldInvalid);
  EXPECT_EQ(ErrorInfoOf(unary.status()).field, "policy.preset");
  EXPECT_EQ(sequence.Get()->length, 4);
}

TEST_F(ClientDaemonTest, ARestartIsSaidAndTheSessionReconnects) {
  LiveDaemon daemon;
  Connect(daemon);
  Sequence lost = CreateWith(3);
  const uint64_t epoch = session_->epoch();
  daemon.Kill();
  const Tokens more(3, 1);
  EXPECT_TRUE(absl::IsUnavailable(session_->Append(more.Entry(lost), more.Layers()).status()));
  daemon.Start();
  ASSERT_TRUE(session_->Reconnect().ok());
  EXPECT_NE(session_->epoch(), epoch);
  const absl::Status status = session_->Append(more.Entry(lost), more.Layers()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(ErrorInfoOf(status).reason, Reason::kStaleEpoch);
  lost.Release();
  RegisterModel();
  Sequence fresh = CreateWith(7);
  EXPECT_THAT(LastRows({&fresh}), ElementsAre(FloatEq(3)));
  EXPECT_TRUE(fresh.Free().ok());
  session_.reset();
  client_.reset();  // an idle one reads that the daemon ends only seconds later
  EXPECT_EQ(daemon.Stop(), 0);
}

}  // namespace
}  // namespace sluice::client
