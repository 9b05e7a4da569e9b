// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <future>
#include <thread>

#include "absl/time/clock.h"

#include "tests/daemon/rpc/service_fixture.h"

namespace sluice {
namespace {

constexpr char kBegin[] =
    "begin_step { entries { sequence_id: SEQ token_count: 1 phase: PHASE_DECODE } }";
constexpr char kEnd[] = "end_step { step_id: STEP abort: true }";

StepBegun Begun(uint64_t step) {
  StepBegun begun;
  begun.step = step;
  return begun;
}

class SessionTest : public ServiceFixture {
 protected:
  SessionTest() : stream_(kv_cache_->Session(&client_)) {}

  bool Send(uint64_t call_id, const std::string& request) {
    return stream_->Write(Parse<v1::SessionRequest>(
        "call_id: " + std::to_string(call_id) + " " + request));
  }

  v1::SessionResponse Receive() {
    v1::SessionResponse response;
    EXPECT_TRUE(stream_->Read(&response)) << "the stream has ended";
    return response;
  }

  void Open() {
    Send(1, "open { client_name: 'test' }");
    session_id_ = Receive().open().session_id();
  }

  grpc::Status Finish() {
    stream_->WritesDone();
    v1::SessionResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }

  void ExpectClosed() { EXPECT_EQ(engine_.Take<CloseSession>().session, session_id_); }

  grpc::ClientContext client_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>> stream_;
  uint64_t session_id_ = 0;
};

TEST_F(SessionTest, OpensAndCloses) {
  Send(5, "open { client_name: 'test' }");
  const v1::SessionResponse response = Receive();
  EXPECT_EQ(response.call_id(), 5);
  EXPECT_EQ(response.open().epoch(), 7);
  EXPECT_EQ(response.open().heartbeat_limit().seconds(), 10);
  session_id_ = response.open().session_id();
  EXPECT_NE(session_id_, 0);
  EXPECT_EQ(sessions_.IdleTimes().count(session_id_), 1);
  EXPECT_TRUE(Finish().ok());
  ExpectClosed();
}

TEST_F(SessionTest, HeartbeatsSayWhetherTheDaemonDrains) {
  Open();
  Send(2, "heartbeat {}");
  EXPECT_FALSE(Receive().heartbeat().draining());
  context_->draining = true;
  Send(3, "heartbeat {}");
  EXPECT_TRUE(Receive().heartbeat().draining());
}

TEST_F(SessionTest, ARefusedCallLeavesTheStreamOpen) {
  Open();
  Send(2, "begin_step {}");
  const v1::SessionResponse refused = Receive();
  EXPECT_EQ(refused.call_id(), 2);
  EXPECT_EQ(refused.error().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused.error().field(), "entries");
  Send(3, "");
  EXPECT_EQ(Receive().error().field(), "request");
  Send(4, "heartbeat {}");
  EXPECT_TRUE(Receive().has_heartbeat());
}

TEST_F(SessionTest, AnswersComeAsCallsFinish) {
  Open();
  Send(2, kBegin);
  Send(3, kEnd);
  const BeginStep begin = engine_.Take<BeginStep>();
  const EndStep end = engine_.Take<EndStep>();
  EXPECT_EQ(begin.caller.session, session_id_);
  end.done(std::vector<uint64_t>{TestId(9)});
  v1::SessionResponse response = Receive();
  EXPECT_EQ(response.call_id(), 3);
  EXPECT_THAT(response.end_step().lost_sequence_ids(), ::testing::ElementsAre(TestId(9)));
  begin.done(Begun(TestId(4)));
  response = Receive();
  EXPECT_EQ(response.call_id(), 2);
  EXPECT_EQ(response.begin_step().step_id(), TestId(4));
}

TEST_F(SessionTest, CallsReachTheEngineInTheirOrder) {
  constexpr int64_t kCalls = 3000;
  Open();
  auto sent = std::async(std::launch::async, [this] {
    for (int64_t i = 0; i < kCalls; ++i) {
      Send(static_cast<uint64_t>(i) + 2, "begin_step { entries { sequence_id: SEQ token_count: 1 "
           "phase: PHASE_DECODE base_length: " + std::to_string(i % 900) + " } }");
    }
  });
  auto served = std::async(std::launch::async, [this] {
    int64_t in_order = 0;
    for (int64_t i = 0; i < kCalls; ++i) {
      const BeginStep begin = engine_.Take<BeginStep>();
      in_order += begin.entries[0].base_length == i % 900 ? 1 : 0;
      begin.done(StepBegun{});
    }
    return in_order;
  });
  for (int64_t i = 0; i < kCalls; ++i) Receive();
  EXPECT_EQ(served.get(), kCalls);
}

TEST_F(SessionTest, TheEnginesRefusalIsAnAnswer) {
  Open();
  Send(2, kBegin);
  engine_.Take<BeginStep>().done(
      Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "", "full", 25));
  const v1::Error error = Receive().error();
  EXPECT_EQ(error.reason(), v1::REASON_POOL_FULL);
  EXPECT_EQ(error.retry_after_ms(), 25);
}

TEST_F(SessionTest, TensorsComeBackInTheAnswer) {
  Open();
  Send(2, "attend { step_id: STEP q { dtype: DTYPE_FP32 shape: [1, 1, 1] inline: 'abcd' } }");
  const Attend attend = engine_.Take<Attend>();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(attend.q.data), 4), "abcd");
  AttendResult result;
  result.out = "wxyz";
  attend.done(std::move(result));
  EXPECT_EQ(Receive().attend().out().inline_(), "wxyz");
}

TEST_F(SessionTest, ReadsNoMoreThanTheLimitOfCalls) {
  Open();
  Send(2, kBegin);
  Send(3, kBegin);
  // Inside a process a write lasts until it is read.
  auto third = std::async(std::launch::async, [this] { return Send(4, kEnd); });
  const BeginStep first = engine_.Take<BeginStep>();
  const BeginStep second = engine_.Take<BeginStep>();
  first.done(StepBegun{});  // the third is read once this has its answer
  Receive();
  engine_.Take<EndStep>().done(std::vector<uint64_t>{});
  EXPECT_TRUE(third.get());
  second.done(StepBegun{});
  for (int i = 0; i < 2; ++i) Receive();
}

TEST_F(SessionTest, ReadsNoMoreWhileTheAnswerMayBeLarge) {
  context_->message_bytes = 8 * 16;  // an answer may be 16 times as large as its queries
  Open();
  Send(2, "attend { step_id: STEP q { dtype: DTYPE_FP32 shape: [1, 1, 2] inline: 'abcdefgh' } }");
  auto second = std::async(std::launch::async, [this] { return Send(3, kEnd); });
  const Attend attend = engine_.Take<Attend>();
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  AttendResult result;
  result.out = "wxyz";
  attend.done(std::move(result));
  EXPECT_EQ(Receive().attend().out().inline_(), "wxyz");
  engine_.Take<EndStep>().done(std::vector<uint64_t>{});
  EXPECT_TRUE(second.get());
  Receive();
}

TEST_F(SessionTest, ASessionThatTakesNoAnswerIsIdleOnceNothingIsRead) {
  context_->calls_per_session = 1;
  Open();
  Send(2, kBegin);
  engine_.Take<BeginStep>().done(StepBegun{});  // written, and not received
  while (sessions_.IdleTimes()[session_id_] == absl::ZeroDuration()) {
  }
  sessions_.EndIdle(absl::Nanoseconds(1));
  ExpectClosed();
  Receive();
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(SessionTest, TheFirstRequestMustOpen) {
  Send(1, "heartbeat {}");
  const grpc::Status status = Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(client_.GetServerTrailingMetadata().find("sluice-field")->second, "open");
}

TEST_F(SessionTest, ASecondOpenEndsTheStream) {
  Open();
  Send(2, "open {}");
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  ExpectClosed();
}

TEST_F(SessionTest, CallIdsAreNotZeroAndNotInUse) {
  Open();
  Send(2, kBegin);
  const BeginStep begin = engine_.Take<BeginStep>();
  Send(2, "heartbeat {}");
  const grpc::Status status = Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "call_id: 2 has no answer yet");
  ExpectClosed();
  EXPECT_TRUE(begin.cancelled->load());
  begin.done(StepBegun{});  // comes too late, and hurts nobody
}

TEST_F(SessionTest, ALostClientClosesTheSessionAtOnce) {
  Open();
  Send(2, kBegin);
  const BeginStep begin = engine_.Take<BeginStep>();
  client_.TryCancel();
  ExpectClosed();
  EXPECT_TRUE(begin.cancelled->load());
  begin.done(absl::CancelledError(""));
}

TEST_F(SessionTest, RunningCallsAreAnsweredBeforeACleanEnd) {
  Open();
  Send(2, kBegin);
  stream_->WritesDone();
  engine_.Take<BeginStep>().done(Begun(TestId(4)));
  EXPECT_EQ(Receive().begin_step().step_id(), TestId(4));
  EXPECT_TRUE(stream_->Finish().ok());
  ExpectClosed();
}

TEST_F(SessionTest, AnIdleSessionEnds) {
  Open();
  sessions_.EndIdle(absl::Hours(1));
  Send(2, "heartbeat {}");
  Receive();
  while (sessions_.IdleTimes()[session_id_] == absl::ZeroDuration()) {
  }
  sessions_.EndIdle(absl::Nanoseconds(1));
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(client_.GetServerTrailingMetadata().find("sluice-reason")->second, "LEASE_EXPIRED");
  ExpectClosed();
}

TEST_F(SessionTest, DrainAnswersWhatRunsAndThenEnds) {
  Open();
  Send(2, kBegin);
  const BeginStep begin = engine_.Take<BeginStep>();
  sessions_.Drain();
  begin.done(Begun(TestId(4)));
  EXPECT_EQ(Receive().begin_step().step_id(), TestId(4));
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(client_.GetServerTrailingMetadata().find("sluice-reason")->second, "DRAINING");
  ExpectClosed();
}

TEST_F(SessionTest, ThereAreNoMoreSessionsThanTheLimit) {
  Open();
  grpc::ClientContext contexts[4];
  std::vector<decltype(stream_)> streams;
  for (auto& context : contexts) streams.push_back(kv_cache_->Session(&context));
  int refused = 0;
  for (auto& stream : streams) {
    v1::SessionResponse response;
    stream->Write(Parse<v1::SessionRequest>("call_id: 1 open {}"));
    if (stream->Read(&response)) continue;
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    ++refused;
  }
  EXPECT_EQ(refused, 1);
  for (auto& context : contexts) context.TryCancel();
}

TEST_F(SessionTest, ARefusedOpenEndsTheStream) {
  engine_.Refuse(Refuse(absl::StatusCode::kUnavailable, Reason::kDraining, "", "shuts down"));
  Send(1, "open {}");
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(SessionTest, AHalfClosedSessionThatTakesNoAnswerIsIdle) {
  context_->calls_per_session = 64;
  context_->message_bytes = int64_t{64} << 20;
  Open();
  Send(2, "attend { step_id: STEP q { dtype: DTYPE_FP32 shape: [1, 1, 1] inline: 'abcd' } }");
  stream_->WritesDone();
  const Attend attend = engine_.Take<Attend>();
  const auto idle = [this] { return sessions_.IdleTimes()[session_id_] > absl::ZeroDuration(); };
  while (idle()) std::this_thread::yield();  // until the end of the client's words has come
  AttendResult result;
  result.out.assign(size_t{32} << 20, 'x');
  attend.done(std::move(result));  // being written, and not received
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (!idle() && absl::Now() < end) std::this_thread::yield();
  EXPECT_TRUE(idle());
  client_.TryCancel();
}

}  // namespace
}  // namespace sluice
