// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "daemon/rpc/admin_service.h"
#include "daemon/rpc/error_mapping.h"
#include "daemon/rpc/kv_cache_service.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sluice/v1/admin.grpc.pb.h"
#include "sluice/v1/kv_cache.grpc.pb.h"
#include "tests/daemon/rpc/bad_request.h"
#include "tests/daemon/rpc/fake_engine.h"

namespace sluice {

class IgnoringObserver final : public CallObserver {
 public:
  void Started(Method) override {}
  void Finished(Method, const absl::Status&, std::chrono::nanoseconds) override {}
};

// Both services over a fake engine, called through a channel inside the process.
class ServiceFixture : public ::testing::Test {
 protected:
  explicit ServiceFixture(ListenerIdentity identity = {.tenant = 1})
      : kv_cache_service_(MakeKvCacheService(context_, identity)),
        admin_service_(MakeAdminService(context_, identity)) {
    context_->engine = &engine_;
    context_->observer = std::make_shared<IgnoringObserver>();
    context_->sessions = &sessions_;
    context_->rules = TestRules();
    context_->calls_per_session = 2;
    context_->tenant_names = {"zero", "one"};
    context_->start_time = absl::FromUnixSeconds(100);
    context_->drain = [this](std::optional<absl::Duration> timeout) { drained_ = timeout; };
    grpc::ServerBuilder builder;
    builder.RegisterService(kv_cache_service_.get());
    builder.RegisterService(admin_service_.get());
    server_ = builder.BuildAndStart();
    const auto channel = server_->InProcessChannel({});
    kv_cache_ = v1::KvCache::NewStub(channel);
    admin_ = v1::Admin::NewStub(channel);
  }

  ~ServiceFixture() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  FakeEngine engine_;
  SessionTable sessions_{/*max_sessions=*/4};
  const std::shared_ptr<ServiceContext> context_ = std::make_shared<ServiceContext>();
  std::optional<absl::Duration> drained_;
  const std::shared_ptr<grpc::Service> kv_cache_service_;
  const std::shared_ptr<grpc::Service> admin_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::KvCache::Stub> kv_cache_;
  std::unique_ptr<v1::Admin::Stub> admin_;
};

}  // namespace sluice
