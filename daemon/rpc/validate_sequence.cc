// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_sequence.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/validate_policy.h"

namespace sluice {
namespace {

constexpr int64_t kMaxDraftTokens = 1024;
constexpr int64_t kMaxPriority = 100;
constexpr int64_t kMaxRequestIdLength = 36;
constexpr int64_t kMaxKeyBytes = 256;
constexpr int64_t kMaxIndex = 1023;
constexpr absl::Duration kMinLease = absl::Seconds(1);
constexpr absl::Duration kMaxLease = absl::Hours(24);

absl::Status CheckMaxWait(const google::protobuf::Duration& max_wait) {
  return CheckDuration("max_wait", max_wait, absl::ZeroDuration(), kMaxWait);
}

absl::Status CheckExtraKey(const FieldPath& path, const v1::ExtraKey& key,
                           const int64_t max_tokens) {
  const auto size = static_cast<int64_t>(key.key().size());
  if (size < 1 || size > kMaxKeyBytes) {
    return RefuseField(FieldPath(path, "key").ToString(),
                       absl::StrCat("must have 1 to ", kMaxKeyBytes, " bytes, got ", size));
  }
  SLUICE_RETURN_IF_ERROR(
      CheckRange(FieldPath(path, "first_position"), key.first_position(), 0, max_tokens));
  return CheckRange(FieldPath(path, "token_count"), key.token_count(), 0, max_tokens);
}

absl::Status CheckPrompt(const google::protobuf::RepeatedField<int32_t>& token_ids,
                         const google::protobuf::RepeatedPtrField<v1::ExtraKey>& extra_keys,
                         const RequestRules& rules) {
  if (token_ids.size() > rules.sequence_tokens) {
    return RefuseField("token_ids", absl::StrCat("must have at most ", rules.sequence_tokens,
                                                 " elements, got ", token_ids.size()));
  }
  SLUICE_RETURN_IF_ERROR(CheckTokenIds("token_ids", token_ids));
  return CheckExtraKeys(extra_keys);
}

// Positions are compared with sequences' lengths later; here only what no
// sequence can have is refused.
constexpr int64_t kMaxPosition = int64_t{1} << 40;

}  // namespace

absl::Status CheckExtraKeys(const google::protobuf::RepeatedPtrField<v1::ExtraKey>& keys) {
  for (int i = 0; i < keys.size(); ++i) {
    SLUICE_RETURN_IF_ERROR(CheckExtraKey(FieldPath("extra_keys", i), keys.Get(i), kMaxPosition));
  }
  return absl::OkStatus();
}

absl::Status CheckExtraKeys(const FieldPath& parent,
                            const google::protobuf::RepeatedPtrField<v1::ExtraKey>& keys) {
  for (int i = 0; i < keys.size(); ++i) {
    SLUICE_RETURN_IF_ERROR(
        CheckExtraKey(FieldPath(parent, "extra_keys", i), keys.Get(i), kMaxPosition));
  }
  return absl::OkStatus();
}

absl::Status Validate(const v1::CreateSequenceRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckId("model_id", request.model_id(), rules.epoch));
  SLUICE_RETURN_IF_ERROR(ValidatePolicy("policy", request.policy()));
  SLUICE_RETURN_IF_ERROR(CheckPrompt(request.token_ids(), request.extra_keys(), rules));
  SLUICE_RETURN_IF_ERROR(
      CheckRange("draft_tokens", request.draft_tokens(), 0, kMaxDraftTokens));
  SLUICE_RETURN_IF_ERROR(
      CheckRange("priority", request.priority(), -kMaxPriority, kMaxPriority));
  if (request.has_lease()) {
    SLUICE_RETURN_IF_ERROR(CheckDuration("lease", request.lease(), kMinLease, kMaxLease));
  }
  SLUICE_RETURN_IF_ERROR(CheckIdIfGiven("session_id", request.session_id(), rules.epoch));
  return CheckAscii("request_id", request.request_id(), kMaxRequestIdLength);
}

absl::Status Validate(const v1::ForkSequencesRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(
      CheckIds("parents", request.parents(), rules.epoch, /*distinct=*/false));
  SLUICE_RETURN_IF_ERROR(CheckIdIfGiven("session_id", request.session_id(), rules.epoch));
  SLUICE_RETURN_IF_ERROR(CheckAscii("request_id", request.request_id(), kMaxRequestIdLength));
  return CheckMaxWait(request.max_wait());
}

absl::Status Validate(const v1::FreeSequencesRequest& request, const RequestRules& rules) {
  return CheckIds("sequence_ids", request.sequence_ids(), rules.epoch, /*distinct=*/true);
}

absl::Status Validate(const v1::GetSequenceRequest& request, const RequestRules& rules) {
  return CheckId("sequence_id", request.sequence_id(), rules.epoch);
}

absl::Status Validate(const v1::MatchPrefixRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckId("model_id", request.model_id(), rules.epoch));
  SLUICE_RETURN_IF_ERROR(CheckPrompt(request.token_ids(), request.extra_keys(), rules));
  return ValidatePolicy("policy", request.policy());
}

absl::Status Validate(const v1::SetPolicyRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckId("sequence_id", request.sequence_id(), rules.epoch));
  if (!request.has_policy()) return Missing("policy");
  SLUICE_RETURN_IF_ERROR(ValidatePolicy("policy", request.policy()));
  return CheckMaxWait(request.max_wait());
}

absl::Status Validate(const v1::CompressRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckId("sequence_id", request.sequence_id(), rules.epoch));
  SLUICE_RETURN_IF_ERROR(ValidatePolicy("policy", request.policy()));
  if (request.has_budget_tokens()) {
    SLUICE_RETURN_IF_ERROR(
        CheckRange("budget_tokens", request.budget_tokens(), 1, rules.sequence_tokens));
  }
  return CheckMaxWait(request.max_wait());
}

absl::Status Validate(const v1::ExplainSequenceRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckId("sequence_id", request.sequence_id(), rules.epoch));
  SLUICE_RETURN_IF_ERROR(CheckRange("layer", request.layer(), 0, kMaxIndex));
  return CheckRange("kv_head", request.kv_head(), 0, kMaxIndex);
}

}  // namespace sluice
