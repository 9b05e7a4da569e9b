// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
class ServerContextBase;
}  // namespace grpc

namespace sluice {

// `status` for the end of a call, and what it carries (reason, field, delay,
// numbers) as trailing metadata of `context`: as text by the names that
// types.proto lists, and all of it as a serialized sluice.v1.Error in
// `sluice-error-bin`. To be called before the call's Finish.
grpc::Status ToGrpcStatus(const absl::Status& status, grpc::ServerContextBase* context);

}  // namespace sluice
