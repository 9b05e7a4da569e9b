// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "daemon/rpc/service_context.h"

namespace grpc {
class Service;
}

namespace sluice {

// The service sluice.v1.Admin for those who come by one listener.
//
// Thread-safe.
std::shared_ptr<grpc::Service> MakeAdminService(std::shared_ptr<const ServiceContext> service,
                                                ListenerIdentity identity);

}  // namespace sluice
