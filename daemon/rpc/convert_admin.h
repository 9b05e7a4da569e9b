// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/engine/command.h"
#include "daemon/rpc/service_context.h"
#include "daemon/rpc/validate_admin.h"
#include "sluice/v1/admin.pb.h"

namespace sluice {

// One page of sequences: `sequences` ascending by id, one more than the page's
// limit where there is a next page.
void FillResponse(std::vector<SequenceInfo>&& sequences, const PageRequest& page,
                  const ServiceContext& service, v1::ListSequencesResponse* response);

InspectSequence ToCommand(const v1::InspectSequenceRequest& request, const Caller& caller);
void FillResponse(Inspected&& inspected, const ServiceContext& service,
                  v1::InspectSequenceResponse* response);

// One page of the sessions of `tenant` (absent: of all).
void FillResponse(std::vector<SessionInfo>&& sessions, const PageRequest& page,
                  std::optional<int32_t> tenant, const ServiceContext& service,
                  v1::ListClientsResponse* response);

ReclaimMemory ToCommand(const v1::ReclaimRequest& request);
void FillResponse(std::vector<BudgetCut>&& cuts, const ServiceContext& service,
                  v1::ReclaimResponse* response);

void FillResponse(EngineStatus&& status, const ServiceContext& service,
                  v1::GetStatusResponse* response);

}  // namespace sluice
