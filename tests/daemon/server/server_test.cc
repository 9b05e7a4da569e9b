// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <future>

#include "absl/strings/str_cat.h"
#include "daemon/server/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/kv_cache.grpc.pb.h"
#include "tests/daemon/rpc/fake_engine.h"
#include "tests/testing/temp_dir.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

class ServerTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Server>> Listen(const std::string& more = "") {
    const auto config = MakeConfig(
        absl::StrCat(R"({"listen": {"metrics_address": "")", more, R"(}, "tenants": [
            {"name": "a", "socket_path": ")", directory_.File("a.sock"), R"("},
            {"name": "b", "socket_path": ")", directory_.File("b.sock"), R"("}]})"),
        {});
    EXPECT_TRUE(config.ok()) << config.status();
    return Server::Listen(*config);
  }

  void Serve(Server& server) {
    ServerOptions options;
    options.epoch = 7;
    options.backend = "cpu";
    const absl::Status status = server.Serve(std::move(options), &engine_);
    EXPECT_TRUE(status.ok()) << status;
  }

  std::unique_ptr<Server> Start(const std::string& more = "") {
    auto server = Listen(more);
    EXPECT_TRUE(server.ok()) << server.status();
    Serve(**server);
    return *std::move(server);
  }

  std::unique_ptr<v1::KvCache::Stub> Connect(const std::string& socket) {
    return v1::KvCache::NewStub(grpc::CreateChannel(
        absl::StrCat("unix:", directory_.File(socket)), grpc::InsecureChannelCredentials()));
  }

  const TempDir directory_;
  FakeEngine engine_;
};

TEST_F(ServerTest, TellsWhatItCanDo) {
  const auto server = Start();
  grpc::ClientContext context;
  v1::GetCapabilitiesResponse response;
  const grpc::Status status = Connect("a.sock")->GetCapabilities(&context, {}, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.epoch(), 7);
  EXPECT_EQ(response.version(), DaemonVersion());
  EXPECT_EQ(response.arithmetic(), "fp32");
  EXPECT_EQ(response.arithmetic_paths_size(), 1);
  EXPECT_EQ(response.limits().step_entries(), 4096);
}

TEST_F(ServerTest, TheSocketNamesTheTenant) {
  const auto server = Start();
  for (const auto& [socket, tenant] : {std::pair{"a.sock", 0}, {"b.sock", 1}}) {
    auto call = std::async(std::launch::async, [this, name = socket] {
      grpc::ClientContext context;
      v1::GetSequenceRequest request;
      request.set_sequence_id(MakeId(7, 1));
      v1::GetSequenceResponse response;
      return Connect(name)->GetSequence(&context, request, &response);
    });
    const GetSequence command = engine_.Take<GetSequence>();
    EXPECT_EQ(command.caller.tenant, tenant);
    command.done(absl::NotFoundError(""));
    EXPECT_EQ(call.get().error_code(), grpc::StatusCode::NOT_FOUND);
  }
}

TEST_F(ServerTest, AnOversizedMessageIsRefused) {
  const auto server = Start();
  grpc::ClientContext context;
  v1::AttendRequest request;
  request.mutable_q()->set_inline_(std::string((64 << 20) + (65 << 10), 'x'));
  v1::AttendResponse response;
  EXPECT_EQ(Connect("a.sock")->Attend(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, AnAddressInUseStopsTheStartBeforeThereIsAnEngine) {
  const auto server = Start(R"(, "tcp_address": "127.0.0.1:0")");
  const absl::Status same_socket = Listen().status();
  EXPECT_TRUE(absl::IsAlreadyExists(same_socket));
  EXPECT_THAT(std::string(same_socket.message()), HasSubstr("a.sock"));
  const auto config = MakeConfig(
      absl::StrCat(R"({"listen": {"metrics_address": "", "tcp_address": "127.0.0.1:)",
                   server->tcp_port(), R"(", "socket_path": ")", directory_.File("c.sock"),
                   "\"}}"),
      {});
  const absl::Status same_port = Server::Listen(*config).status();
  EXPECT_TRUE(absl::IsUnavailable(same_port));
  EXPECT_THAT(std::string(same_port.message()), HasSubstr(std::to_string(server->tcp_port())));
}

TEST_F(ServerTest, WhoConnectsBeforeItServesWaits) {
  const auto server = *Listen();
  auto call = std::async(std::launch::async, [this] {
    grpc::ClientContext context;
    v1::GetCapabilitiesResponse response;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    return Connect("a.sock")->GetCapabilities(&context, {}, &response);
  });
  EXPECT_EQ(call.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  Serve(*server);
  EXPECT_TRUE(call.get().ok());
}

TEST_F(ServerTest, TcpAndMetricsListenOnPortsOfTheSystem) {
  const auto server = Start(R"(, "tcp_address": "127.0.0.1:0")");
  EXPECT_GT(server->tcp_port(), 0);
  const auto stub = v1::KvCache::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server->tcp_port()),
                          grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::GetCapabilitiesResponse response;
  EXPECT_TRUE(stub->GetCapabilities(&context, {}, &response).ok());
}

TEST_F(ServerTest, DrainLetsRunningStepsFinishAndEndsSessions) {
  const auto server = Start();
  const auto stub = Connect("a.sock");
  grpc::ClientContext context;
  const auto stream = stub->Session(&context);
  v1::SessionRequest request;
  v1::SessionResponse response;
  request.set_call_id(1);
  request.mutable_open();
  stream->Write(request);
  ASSERT_TRUE(stream->Read(&response));
  auto drained = std::async(std::launch::async, [&] { server->Drain(absl::Seconds(20)); });
  const Drain drain = engine_.Take<Drain>();
  request.set_call_id(2);
  request.mutable_heartbeat();
  stream->Write(request);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.heartbeat().draining());
  drain.done(Empty());
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  drained.get();
  engine_.Take<CloseSession>();
}

// What grpc.health.v1 answers: 1 SERVING, 2 NOT_SERVING; 0 without an answer.
int Health(const std::string& address, const std::string& service) {
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::Slice field(absl::StrCat("\n", std::string(1, static_cast<char>(service.size())), service));
  grpc::ByteBuffer request(&field, 1);
  grpc::ByteBuffer response;
  grpc::ClientContext context;
  std::promise<bool> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request,
                 &response, [&](const grpc::Status& status) { done.set_value(status.ok()); });
  grpc::Slice bytes;
  if (!done.get_future().get() || !response.DumpToSingleSlice(&bytes).ok()) return 0;
  return bytes.size() == 2 ? bytes.begin()[1] : 0;  // field 1, a varint
}

TEST_F(ServerTest, HealthTurnsFirstWhenTheDaemonDrains) {
  const auto server = Start();
  const std::string address = absl::StrCat("unix:", directory_.File("a.sock"));
  EXPECT_EQ(Health(address, ""), 1);
  EXPECT_EQ(Health(address, "sluice.v1.KvCache"), 1);
  auto drained = std::async(std::launch::async, [&] { server->Drain(absl::Seconds(20)); });
  const Drain drain = engine_.Take<Drain>();
  EXPECT_EQ(Health(address, ""), 2);
  EXPECT_EQ(Health(address, "sluice.v1.KvCache"), 2);
  EXPECT_EQ(Health(address, "liveness"), 1);
  drain.done(Empty());
}

TEST_F(ServerTest, DrainDoesNotWaitForEver) {
  const auto server = Start();
  server->Drain(absl::Milliseconds(20));  // the engine never says that it is idle
  grpc::ClientContext context;
  v1::GetCapabilitiesResponse response;
  EXPECT_EQ(Connect("a.sock")->GetCapabilities(&context, {}, &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace sluice
