// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The course of every unary call: validate, convert, one command to the engine,
// convert back, finish. Included by the services' .cc files only: it brings gRPC.

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/service_context.h"
#include "daemon/rpc/status_mapping.h"

namespace sluice {

// Runs `work`, which returns a Status; running out of memory in it becomes
// RESOURCE_EXHAUSTED. No exception may cross a callback of gRPC or the engine.
template <class Work>
absl::Status Guarded(Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  }
}

// What a call without a deadline of its own gets, and the most that any gets.
inline constexpr absl::Duration kDefaultTimeLimit = absl::Seconds(30);
inline constexpr absl::Duration kLongestTimeLimit = absl::Minutes(5);

// One unary call, alive until gRPC is done with it. Request and response are
// gRPC's and live as long, so that commands may refer to their bytes.
//
// Owned by gRPC: deletes itself in OnDone. The engine calls Complete once,
// before which nothing finishes the call.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  UnaryCall(const ServiceContext& service, grpc::CallbackServerContext* context, Method method)
      : engine_(service.engine), calls_(service.calls), context_(context) {
    calls_.Enter();
    observed_.Start(service.observer.get(), method);
  }

  const CancelFlag& cancelled() const { return cancelled_; }

  // What is left of the time that the call may take.
  absl::Duration TimeLimit() const {
    const auto deadline = context_->deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) return kDefaultTimeLimit;
    return std::min(absl::FromChrono(deadline) - absl::Now(), kLongestTimeLimit);
  }

  void Complete(const absl::Status& status) {
    observed_.Finish(status);
    Finish(ToGrpcStatus(status, context_));
  }

  void OnCancel() override {
    cancelled_->store(true, std::memory_order_relaxed);
    // So that a call that waits is dropped now, and not when something changes.
    engine_->Post(Wake{}).IgnoreError();
  }
  void OnDone() override {
    calls_.Leave();
    delete this;
  }

 private:
  CommandSink* const engine_;
  CallCount& calls_;
  grpc::CallbackServerContext* const context_;
  const CancelFlag cancelled_ = std::make_shared<std::atomic<bool>>(false);
  ObservedCall observed_;
};

// Starts a call with `work(UnaryCall*)`. Its Status finishes the call unless OK:
// then somebody else will.
template <class Work>
grpc::ServerUnaryReactor* StartCall(const ServiceContext& service,
                                    grpc::CallbackServerContext* context, Method method,
                                    Work work) {
  UnaryCall* call = nullptr;
  const absl::Status status = Guarded([&] {
    call = new UnaryCall(service, context, method);
    return work(call);
  });
  if (call == nullptr) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "out of memory"));
    return reactor;
  }
  if (!status.ok()) call->Complete(status);
  return call;
}

// Posts `command`; when it is done, `respond(Result&&)` fills the response,
// and the call finishes.
template <class Command, class Respond>
absl::Status PostFor(const ServiceContext& service, UnaryCall* call, Command command,
                     Respond respond) {
  if constexpr (requires { command.cancelled; }) command.cancelled = call->cancelled();
  if constexpr (requires { command.time_limit; }) command.time_limit = call->TimeLimit();
  command.done = [call, respond](auto result) {
    call->Complete(Guarded([&]() -> absl::Status {
      SLUICE_RETURN_IF_ERROR(result.status());
      return respond(*std::move(result));
    }));
  };
  return service.engine->PostAndWork(std::move(command));
}

// The whole of a call whose request becomes one command.
template <class Request, class Response>
grpc::ServerUnaryReactor* ServeUnary(const ServiceContext& service, int32_t tenant,
                                     grpc::CallbackServerContext* context, Method method,
                                     const Request* request, Response* response) {
  return StartCall(service, context, method, [&](UnaryCall* call) -> absl::Status {
    SLUICE_RETURN_IF_ERROR(Validate(*request, service.rules));
    return PostFor(service, call, ToCommand(*request, Caller{.tenant = tenant}),
                   [response](auto&& result) {
                     FillResponse(std::move(result), response);
                     return absl::OkStatus();
                   });
  });
}

}  // namespace sluice
