// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What of the calls on sequences can be checked without knowing the sequence.
// Pure functions: thread-safe. Errors: as kv_cache.proto lists them, those that
// need no state.

#include "absl/status/status.h"
#include "daemon/rpc/validate_common.h"
#include "sluice/v1/sequence.pb.h"

namespace sluice {

absl::Status Validate(const v1::CreateSequenceRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::ForkSequencesRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::FreeSequencesRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::GetSequenceRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::MatchPrefixRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::SetPolicyRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::CompressRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::ExplainSequenceRequest& request, const RequestRules& rules);

// FIELD_INVALID naming `extra_keys` (of `parent`): a key
// is not 1 to 256 bytes, or its range is negative.
absl::Status CheckExtraKeys(const google::protobuf::RepeatedPtrField<v1::ExtraKey>& keys);
absl::Status CheckExtraKeys(const FieldPath& parent,
                            const google::protobuf::RepeatedPtrField<v1::ExtraKey>& keys);

}  // namespace sluice
