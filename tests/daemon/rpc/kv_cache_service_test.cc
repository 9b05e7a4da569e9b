// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/engine/refusal_details.h"
#include "tests/daemon/rpc/service_fixture.h"

namespace sluice {
namespace {

std::string MetadataOf(const grpc::ClientContext& context, const std::string& key) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto found = metadata.find(key);
  return found == metadata.end() ? "(none)"
                                 : std::string(found->second.data(), found->second.size());
}

class KvCacheServiceTest : public ServiceFixture {
 protected:
  std::thread BeginStepInThread(grpc::ClientContext* context, grpc::Status* status) {
    return std::thread([this, context, status] {
      v1::BeginStepResponse response;
      *status = kv_cache_->BeginStep(
          context,
          Parse<v1::BeginStepRequest>(
              "entries { sequence_id: SEQ token_count: 1 phase: PHASE_DECODE }"),
          &response);
    });
  }
};

TEST_F(KvCacheServiceTest, ARefusedRequestNeverReachesTheEngine) {
  grpc::ClientContext context;
  v1::GetSequenceResponse response;
  const grpc::Status status = kv_cache_->GetSequence(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "sequence_id: must be an id, got 0");
  EXPECT_EQ(MetadataOf(context, "sluice-reason"), "FIELD_INVALID");
  EXPECT_EQ(MetadataOf(context, "sluice-field"), "sequence_id");
  EXPECT_EQ(MetadataOf(context, "sluice-length"), "(none)");
}

TEST_F(KvCacheServiceTest, TheEnginesRefusalTravelsWhole) {
  grpc::ClientContext context;
  grpc::Status status;
  std::thread client = BeginStepInThread(&context, &status);
  RefusalDetails details;
  details.length = 9;
  details.room = Room{.free_bytes = 10, .block_bytes = 20, .missing_bytes = 30};
  engine_.Take<BeginStep>().done(
      WithDetails(Refuse(absl::StatusCode::kFailedPrecondition, Reason::kLengthMismatch,
                         "entries[0].base_length", "must be 9, got 0", 15),
                  details));
  client.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(MetadataOf(context, "sluice-reason"), "LENGTH_MISMATCH");
  EXPECT_EQ(MetadataOf(context, "sluice-length"), "9");
  EXPECT_EQ(MetadataOf(context, "sluice-retry-after-ms"), "15");
  EXPECT_EQ(MetadataOf(context, "sluice-missing-bytes"), "30");
  v1::Error error;
  ASSERT_TRUE(error.ParseFromString(MetadataOf(context, "sluice-error-bin")));
  EXPECT_EQ(error.length(), 9);
  EXPECT_EQ(error.reason(), v1::REASON_LENGTH_MISMATCH);
}

TEST_F(KvCacheServiceTest, AnswersAndKnowsItsTenant) {
  grpc::Status status;
  v1::ForkSequencesResponse response;
  std::thread client([&] {
    grpc::ClientContext context;
    status = kv_cache_->ForkSequences(&context, Parse<v1::ForkSequencesRequest>("parents: SEQ"),
                                      &response);
  });
  const ForkSequences command = engine_.Take<ForkSequences>();
  EXPECT_EQ(command.caller.tenant, 1);
  EXPECT_EQ(command.caller.session, 0);
  command.done(std::vector<uint64_t>{TestId(50)});
  client.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(response.sequence_ids(), ::testing::ElementsAre(TestId(50)));
}

TEST_F(KvCacheServiceTest, ACallHasItsDeadlineOrThirtySecondsAndFiveMinutesAtMost) {
  const auto limit_with = [this](std::optional<absl::Duration> timeout) {
    std::thread client([&] {
      grpc::ClientContext context;
      if (timeout) context.set_deadline(absl::ToChronoTime(absl::Now() + *timeout));
      v1::ForkSequencesResponse response;
      kv_cache_->ForkSequences(&context, Parse<v1::ForkSequencesRequest>("parents: SEQ"),
                               &response);
    });
    const ForkSequences command = engine_.Take<ForkSequences>();
    command.done(std::vector<uint64_t>{TestId(50)});
    client.join();
    return command.time_limit;
  };
  EXPECT_EQ(limit_with(std::nullopt), absl::Seconds(30));
  EXPECT_EQ(limit_with(absl::Hours(1)), absl::Minutes(5));
  EXPECT_LE(limit_with(absl::Seconds(100)), absl::Seconds(101));  // gRPC rounds
  EXPECT_GT(limit_with(absl::Seconds(100)), absl::Seconds(50));
}

TEST_F(KvCacheServiceTest, AModelsFieldsAreNamedAsInTheRequest) {
  grpc::Status status;
  std::thread client([&] {
    grpc::ClientContext context;
    v1::RegisterModelResponse response;
    status = kv_cache_->RegisterModel(
        &context,
        Parse<v1::RegisterModelRequest>("geometry { dtype: DTYPE_BF16 layers {} }"), &response);
  });
  engine_.Take<RegisterModel>().done(RefuseField("layers[0].kv_head_count", "must be 1, got 0"));
  client.join();
  EXPECT_EQ(status.error_message(), "geometry.layers[0].kv_head_count: must be 1, got 0");
}

TEST_F(KvCacheServiceTest, AFullQueueRefuses) {
  engine_.Refuse(Refuse(absl::StatusCode::kResourceExhausted, Reason::kQueueFull, "", "full", 5));
  grpc::ClientContext context;
  v1::GetSequenceResponse response;
  const grpc::Status status = kv_cache_->GetSequence(
      &context, Parse<v1::GetSequenceRequest>("sequence_id: SEQ"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(MetadataOf(context, "sluice-reason"), "QUEUE_FULL");
}

TEST_F(KvCacheServiceTest, InternalErrorsSayNothing) {
  grpc::Status status;
  std::thread client([&] {
    grpc::ClientContext context;
    v1::GetSequenceResponse response;
    status = kv_cache_->GetSequence(&context, Parse<v1::GetSequenceRequest>("sequence_id: SEQ"),
                                    &response);
  });
  engine_.Take<GetSequence>().done(absl::InternalError("at 0x7f00"));
  client.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), ::testing::Not(::testing::HasSubstr("0x7f00")));
}

TEST_F(KvCacheServiceTest, ACancelledCallTellsTheEngine) {
  grpc::ClientContext context;
  grpc::Status status;
  std::thread client = BeginStepInThread(&context, &status);
  const BeginStep command = engine_.Take<BeginStep>();
  EXPECT_FALSE(command.cancelled->load());
  context.TryCancel();
  client.join();
  while (!command.cancelled->load()) std::this_thread::yield();
  command.done(absl::CancelledError(""));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace sluice
