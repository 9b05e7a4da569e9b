// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/admin_service.h"

#include "daemon/rpc/convert_admin.h"
#include "daemon/rpc/convert_sequence.h"
#include "daemon/rpc/unary_call.h"
#include "daemon/rpc/validate_admin.h"
#include "daemon/rpc/validate_sequence.h"
#include "sluice/v1/admin.grpc.pb.h"

namespace sluice {
namespace {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

class AdminService final : public v1::Admin::CallbackService {
 public:
  AdminService(std::shared_ptr<const ServiceContext> service, ListenerIdentity identity)
      : shared_service_(std::move(service)), identity_(identity) {}

  Reactor* ListSequences(Context* context, const v1::ListSequencesRequest* request,
                         v1::ListSequencesResponse* response) override {
    return StartCall(service_, context, Method::kListSequences, [&](UnaryCall* call) {
      return StartListSequences(*request, call, response);
    });
  }

  Reactor* InspectSequence(Context* context, const v1::InspectSequenceRequest* request,
                           v1::InspectSequenceResponse* response) override {
    return StartCall(service_, context, Method::kInspectSequence, [&](UnaryCall* call) {
      return StartInspect(*request, call, [this, response](auto&& inspected) {
        FillResponse(std::move(inspected), service_, response);
        return absl::OkStatus();
      });
    });
  }

  Reactor* InspectHeadCache(Context* context, const v1::ExplainSequenceRequest* request,
                            v1::ExplainSequenceResponse* response) override {
    return StartCall(service_, context, Method::kInspectHeadCache, [&](UnaryCall* call) {
      return StartInspect(*request, call, [response](auto&& explained) {
        FillResponse(std::move(explained), response);
        return absl::OkStatus();
      });
    });
  }

  Reactor* ListClients(Context* context, const v1::ListClientsRequest* request,
                       v1::ListClientsResponse* response) override {
    return StartCall(service_, context, Method::kListClients, [&](UnaryCall* call) {
      return StartListClients(*request, call, response);
    });
  }

  Reactor* GetStatus(Context* context, const v1::GetStatusRequest*,
                     v1::GetStatusResponse* response) override {
    return StartCall(service_, context, Method::kGetStatus, [&](UnaryCall* call) {
      return PostFor(service_, call, sluice::GetStatus{}, [this, response](auto&& status) {
        FillResponse(std::move(status), service_, response);
        return absl::OkStatus();
      });
    });
  }

  Reactor* Reclaim(Context* context, const v1::ReclaimRequest* request,
                   v1::ReclaimResponse* response) override {
    return StartCall(service_, context, Method::kReclaim,
                     [&](UnaryCall* call) -> absl::Status {
      SLUICE_RETURN_IF_ERROR(CheckAdmin());
      SLUICE_RETURN_IF_ERROR(Validate(*request));
      return PostFor(service_, call, ToCommand(*request), [this, response](auto&& cuts) {
        FillResponse(std::move(cuts), service_, response);
        return absl::OkStatus();
      });
    });
  }

  Reactor* Drain(Context* context, const v1::DrainRequest* request, v1::DrainResponse*) override {
    return StartCall(service_, context, Method::kDrain, [&](UnaryCall* call) -> absl::Status {
      SLUICE_RETURN_IF_ERROR(CheckAdmin());
      SLUICE_RETURN_IF_ERROR(Validate(*request));
      service_.drain(request->has_timeout()
                         ? std::optional<absl::Duration>(ToDuration(request->timeout()))
                         : std::nullopt);
      call->Complete(absl::OkStatus());
      return absl::OkStatus();
    });
  }

 private:
  // Whose holdings the listener shows; absent: everybody's.
  std::optional<int32_t> Tenant() const {
    return identity_.admin ? std::nullopt : std::optional<int32_t>(identity_.tenant);
  }

  absl::Status CheckAdmin() const {
    if (identity_.admin) return absl::OkStatus();
    return absl::PermissionDeniedError(
        "served on the admin socket only (listen.admin_socket_path)");
  }

  // One sequence, of which the answer is told without renewing its lease.
  template <class Request, class Respond>
  absl::Status StartInspect(const Request& request, UnaryCall* call, Respond respond) {
    SLUICE_RETURN_IF_ERROR(Validate(request, service_.rules));
    const Caller caller{.tenant = identity_.tenant,
                        .looks_on = true,
                        .sees_every_tenant = identity_.admin};
    return PostFor(service_, call, ToCommand(request, caller), respond);
  }

  absl::Status StartListSequences(const v1::ListSequencesRequest& request, UnaryCall* call,
                                  v1::ListSequencesResponse* response) {
    SLUICE_ASSIGN_OR_RETURN(const PageRequest page,
                            ToPageRequest(request.page_size(), request.page_token()));
    sluice::ListSequences command;
    command.tenant = Tenant();
    command.after = page.after;
    command.limit = page.limit + 1;  // one more says whether there is a next page
    return PostFor(service_, call, std::move(command), [this, page, response](auto&& sequences) {
      FillResponse(std::move(sequences), page, service_, response);
      return absl::OkStatus();
    });
  }

  absl::Status StartListClients(const v1::ListClientsRequest& request, UnaryCall* call,
                                v1::ListClientsResponse* response) {
    SLUICE_ASSIGN_OR_RETURN(const PageRequest page,
                            ToPageRequest(request.page_size(), request.page_token()));
    return PostFor(service_, call, ListSessions{}, [this, page, response](auto&& sessions) {
      FillResponse(std::move(sessions), page, Tenant(), service_, response);
      return absl::OkStatus();
    });
  }

  const std::shared_ptr<const ServiceContext> shared_service_;
  const ServiceContext& service_ = *shared_service_;
  const ListenerIdentity identity_;
};

}  // namespace

std::shared_ptr<grpc::Service> MakeAdminService(std::shared_ptr<const ServiceContext> service,
                                                ListenerIdentity identity) {
  return std::make_shared<AdminService>(std::move(service), identity);
}

}  // namespace sluice
