// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/engine/command.h"
#include "sluice/v1/kv_cache.pb.h"

namespace sluice {

RegisterModel ToCommand(const v1::RegisterModelRequest& request, const Caller& caller);
void FillResponse(ModelInfo&& info, v1::RegisterModelResponse* response);

}  // namespace sluice
