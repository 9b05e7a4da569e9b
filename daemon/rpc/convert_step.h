// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Commands and answers of a step's calls. Tensors of a command refer to the
// request's bytes; those of a result move into the response.

#include "daemon/engine/command.h"
#include "sluice/v1/step.pb.h"

namespace sluice {

BeginStep ToCommand(const v1::BeginStepRequest& request, const Caller& caller);
EndStep ToCommand(const v1::EndStepRequest& request, const Caller& caller);
Append ToCommand(const v1::AppendRequest& request, const Caller& caller);
Attend ToCommand(const v1::AttendRequest& request, const Caller& caller);

void FillResponse(StepBegun&& begun, v1::BeginStepResponse* response);
void FillResponse(std::vector<uint64_t>&& lost_sequences, v1::EndStepResponse* response);
void FillResponse(AppendResult&& result, v1::AppendResponse* response);
void FillResponse(AttendResult&& result, v1::AttendResponse* response);

}  // namespace sluice
