// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Commands and answers of the calls on sequences. Token ids and extra keys stay
// behind: nothing adopts a prefix yet.

#include "daemon/engine/command.h"
#include "sluice/v1/sequence.pb.h"

namespace sluice {

CreateSequence ToCommand(const v1::CreateSequenceRequest& request, const Caller& caller);
ForkSequences ToCommand(const v1::ForkSequencesRequest& request, const Caller& caller);
FreeSequences ToCommand(const v1::FreeSequencesRequest& request, const Caller& caller);
GetSequence ToCommand(const v1::GetSequenceRequest& request, const Caller& caller);
MatchPrefix ToCommand(const v1::MatchPrefixRequest& request, const Caller& caller);
SetPolicy ToCommand(const v1::SetPolicyRequest& request, const Caller& caller);
Compress ToCommand(const v1::CompressRequest& request, const Caller& caller);
ExplainSequence ToCommand(const v1::ExplainSequenceRequest& request, const Caller& caller);

void FillResponse(SequenceCreated&& created, v1::CreateSequenceResponse* response);
void FillResponse(std::vector<uint64_t>&& sequences, v1::ForkSequencesResponse* response);
void FillResponse(Empty&& empty, v1::FreeSequencesResponse* response);
void FillResponse(SequenceInfo&& info, v1::GetSequenceResponse* response);
void FillResponse(int64_t matched_length, v1::MatchPrefixResponse* response);
void FillResponse(std::shared_ptr<const Policy>&& policy, v1::SetPolicyResponse* response);
void FillResponse(Compressed&& compressed, v1::CompressResponse* response);
void FillResponse(Explained&& explained, v1::ExplainSequenceResponse* response);

}  // namespace sluice
