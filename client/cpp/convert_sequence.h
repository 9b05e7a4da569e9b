// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/cpp/sequence_types.h"
#include "sluice/v1/sequence.pb.h"

namespace sluice::client {

// Internal: sequences on the wire. All are thread-safe.

void ToWire(const SequenceOptions& options, v1::CreateSequenceRequest* out);
void ToWire(const ExtraKey& key, v1::ExtraKey* out);
void ToWire(const CompressOptions& options, v1::CompressRequest* out);
SequenceState FromWire(const v1::GetSequenceResponse& response);
CompressResult FromWire(const v1::CompressResponse& response);
Explanation FromWire(const v1::ExplainSequenceResponse& response);

}  // namespace sluice::client
