// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/kv_cache_service.h"

#include "daemon/rpc/convert_model.h"
#include "daemon/rpc/convert_sequence.h"
#include "daemon/rpc/convert_step.h"
#include "daemon/rpc/error_mapping.h"
#include "daemon/rpc/session_reactor.h"
#include "daemon/rpc/unary_call.h"
#include "daemon/rpc/validate_model.h"
#include "daemon/rpc/validate_sequence.h"
#include "daemon/rpc/validate_step.h"
#include "sluice/v1/kv_cache.grpc.pb.h"

namespace sluice {
namespace {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

class KvCacheService final : public v1::KvCache::CallbackService {
 public:
  KvCacheService(std::shared_ptr<const ServiceContext> service, ListenerIdentity identity)
      : shared_service_(std::move(service)), tenant_(identity.tenant) {}

  Reactor* GetCapabilities(Context* context, const v1::GetCapabilitiesRequest*,
                           v1::GetCapabilitiesResponse* response) override {
    return StartCall(service_, context, Method::kGetCapabilities, [&](UnaryCall* call) {
      *response = service_.capabilities;
      call->Complete(absl::OkStatus());
      return absl::OkStatus();
    });
  }

  Reactor* RegisterModel(Context* context, const v1::RegisterModelRequest* request,
                         v1::RegisterModelResponse* response) override {
    return StartCall(service_, context, Method::kRegisterModel, [&](UnaryCall* call) {
      return StartRegisterModel(*request, call, response);
    });
  }

  Reactor* CreateSequence(Context* context, const v1::CreateSequenceRequest* request,
                          v1::CreateSequenceResponse* response) override {
    return Serve(context, Method::kCreateSequence, request, response);
  }
  Reactor* ForkSequences(Context* context, const v1::ForkSequencesRequest* request,
                         v1::ForkSequencesResponse* response) override {
    return Serve(context, Method::kForkSequences, request, response);
  }
  Reactor* FreeSequences(Context* context, const v1::FreeSequencesRequest* request,
                         v1::FreeSequencesResponse* response) override {
    return Serve(context, Method::kFreeSequences, request, response);
  }
  Reactor* GetSequence(Context* context, const v1::GetSequenceRequest* request,
                       v1::GetSequenceResponse* response) override {
    return Serve(context, Method::kGetSequence, request, response);
  }
  Reactor* MatchPrefix(Context* context, const v1::MatchPrefixRequest* request,
                       v1::MatchPrefixResponse* response) override {
    return Serve(context, Method::kMatchPrefix, request, response);
  }
  Reactor* BeginStep(Context* context, const v1::BeginStepRequest* request,
                     v1::BeginStepResponse* response) override {
    return Serve(context, Method::kBeginStep, request, response);
  }
  Reactor* EndStep(Context* context, const v1::EndStepRequest* request,
                   v1::EndStepResponse* response) override {
    return Serve(context, Method::kEndStep, request, response);
  }
  Reactor* Append(Context* context, const v1::AppendRequest* request,
                  v1::AppendResponse* response) override {
    return Serve(context, Method::kAppend, request, response);
  }
  Reactor* Attend(Context* context, const v1::AttendRequest* request,
                  v1::AttendResponse* response) override {
    return Serve(context, Method::kAttend, request, response);
  }
  Reactor* SetPolicy(Context* context, const v1::SetPolicyRequest* request,
                     v1::SetPolicyResponse* response) override {
    return Serve(context, Method::kSetPolicy, request, response);
  }
  Reactor* Compress(Context* context, const v1::CompressRequest* request,
                    v1::CompressResponse* response) override {
    return Serve(context, Method::kCompress, request, response);
  }
  Reactor* ExplainSequence(Context* context, const v1::ExplainSequenceRequest* request,
                           v1::ExplainSequenceResponse* response) override {
    return Serve(context, Method::kExplainSequence, request, response);
  }

  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      Context* context) override {
    return StartSession(shared_service_, tenant_, context);
  }

 private:
  template <class Request, class Response>
  Reactor* Serve(Context* context, Method method, const Request* request, Response* response) {
    return ServeUnary(service_, tenant_, context, method, request, response);
  }

  // The engine knows the geometry and not the request: its refusals name fields
  // of the former.
  absl::Status StartRegisterModel(const v1::RegisterModelRequest& request, UnaryCall* call,
                                  v1::RegisterModelResponse* response) {
    SLUICE_RETURN_IF_ERROR(Validate(request, service_.rules));
    sluice::RegisterModel command = ToCommand(request, Caller{.tenant = tenant_});
    command.done = [call, response](absl::StatusOr<ModelInfo> info) {
      call->Complete(Guarded([&]() -> absl::Status {
        if (absl::IsInvalidArgument(info.status())) return UnderField("geometry", info.status());
        SLUICE_RETURN_IF_ERROR(info.status());
        FillResponse(*std::move(info), response);
        return absl::OkStatus();
      }));
    };
    return service_.engine->Post(std::move(command));
  }

  const std::shared_ptr<const ServiceContext> shared_service_;
  const ServiceContext& service_ = *shared_service_;
  const int32_t tenant_;
};

}  // namespace

std::shared_ptr<grpc::Service> MakeKvCacheService(std::shared_ptr<const ServiceContext> service,
                                                  ListenerIdentity identity) {
  return std::make_shared<KvCacheService>(std::move(service), identity);
}

}  // namespace sluice
