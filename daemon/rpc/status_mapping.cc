// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/status_mapping.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/rpc/error_mapping.h"

namespace sluice {
namespace {

// absl and gRPC share the canonical code numbers; these lines keep it true.
static_assert(static_cast<int>(absl::StatusCode::kInvalidArgument) ==
              static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
static_assert(static_cast<int>(absl::StatusCode::kResourceExhausted) ==
              static_cast<int>(grpc::StatusCode::RESOURCE_EXHAUSTED));
static_assert(static_cast<int>(absl::StatusCode::kUnauthenticated) ==
              static_cast<int>(grpc::StatusCode::UNAUTHENTICATED));

void AddNumber(grpc::ServerContextBase* context, const char* name, bool present, int64_t value) {
  if (present) context->AddTrailingMetadata(name, absl::StrCat(value));
}

void AddMetadata(const absl::Status& status, const v1::Error& error,
                 grpc::ServerContextBase* context) {
  if (const auto refusal = RefusalOf(status)) {
    context->AddTrailingMetadata("sluice-reason", std::string(ReasonName(refusal->reason)));
  }
  if (!error.field().empty()) context->AddTrailingMetadata("sluice-field", error.field());
  AddNumber(context, "sluice-retry-after-ms", error.retry_after_ms() > 0, error.retry_after_ms());
  if (error.open_step_id() != 0) {
    context->AddTrailingMetadata("sluice-open-step-id", absl::StrCat(error.open_step_id()));
  }
  AddNumber(context, "sluice-length", error.has_length(), error.length());
  AddNumber(context, "sluice-rollback-floor", error.has_rollback_floor(), error.rollback_floor());
  AddNumber(context, "sluice-free-bytes", error.has_room(), error.room().free_bytes());
  AddNumber(context, "sluice-block-bytes", error.has_room(), error.room().block_bytes());
  AddNumber(context, "sluice-missing-bytes", error.has_room(), error.room().missing_bytes());
  context->AddTrailingMetadata("sluice-error-bin", error.SerializeAsString());
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status, grpc::ServerContextBase* context) {
  if (status.ok()) return grpc::Status::OK;
  v1::Error error;
  FillError(status, &error);
  AddMetadata(status, error, context);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), error.message());
}

}  // namespace sluice
