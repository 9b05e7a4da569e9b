// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/echo_server.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <memory>

#include "sluice/v1/kv_cache.grpc.pb.h"

namespace sluice::bench {
namespace {

class EmptyStream final
    : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  explicit EmptyStream(int out_bytes) : out_(static_cast<size_t>(out_bytes), 'x') {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    response_.set_call_id(request_.call_id());
    v1::Tensor* out = response_.mutable_attend()->mutable_out();
    *out = request_.attend().q();
    out->set_inline_(out_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  const std::string out_;
  v1::SessionRequest request_;
  v1::SessionResponse response_;
};

class EmptyService final : public v1::KvCache::CallbackService {
 public:
  explicit EmptyService(int out_bytes) : out_bytes_(out_bytes) {}

  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      grpc::CallbackServerContext*) override {
    return new EmptyStream(out_bytes_);
  }

 private:
  const int out_bytes_;
};

}  // namespace

int ServeEmptyStream(const std::string& address, int out_bytes) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  EmptyService service(out_bytes);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  int signal = 0;
  sigwait(&ends, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

}  // namespace sluice::bench
