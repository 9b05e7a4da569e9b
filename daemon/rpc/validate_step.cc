// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_step.h"

#include <limits>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/validate_sequence.h"
#include "daemon/rpc/validate_tensor.h"

namespace sluice {
namespace {

constexpr int64_t kMaxLayerIndex = 1023;
constexpr int64_t kMaxToken = std::numeric_limits<int64_t>::max();

absl::Status CheckEntryTokens(const FieldPath& path, const v1::StepEntry& entry,
                              const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(
      CheckRange(FieldPath(path, "base_length"), entry.base_length(), 0, rules.sequence_tokens));
  SLUICE_RETURN_IF_ERROR(
      CheckRange(FieldPath(path, "token_count"), entry.token_count(), 1,
                 rules.sequence_tokens));
  const auto end = CheckedSum(int64_t{entry.base_length()}, int64_t{entry.token_count()});
  if (!end || *end > rules.sequence_tokens) {
    return RefuseField(FieldPath(path, "token_count").ToString(),
                       absl::StrCat("base_length + token_count must be at most ",
                                    rules.sequence_tokens, ", got ", entry.base_length(), " + ",
                                    entry.token_count()));
  }
  if (!entry.token_ids().empty() && entry.token_ids_size() != entry.token_count()) {
    return RefuseField(FieldPath(path, "token_ids").ToString(),
                       absl::StrCat("must have token_count = ", entry.token_count(),
                                    " elements or none, got ", entry.token_ids_size()));
  }
  return CheckTokenIds(FieldPath(path, "token_ids"), entry.token_ids());
}

absl::Status CheckEntry(const FieldPath& path, const v1::StepEntry& entry,
                        const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(
      CheckId(FieldPath(path, "sequence_id"), entry.sequence_id(), rules.epoch));
  SLUICE_RETURN_IF_ERROR(CheckEntryTokens(path, entry, rules));
  SLUICE_RETURN_IF_ERROR(CheckEnum(FieldPath(path, "phase"), entry.phase(),
                                   v1::Phase_IsValid(entry.phase()), /*required=*/true));
  if (entry.prefill_end() && entry.phase() != v1::PHASE_PREFILL) {
    return RefuseField(FieldPath(path, "prefill_end").ToString(),
                       "only an entry of PHASE_PREFILL ends a prefill, got PHASE_DECODE");
  }
  return CheckExtraKeys(path, entry.extra_keys());
}

absl::Status CheckCount(const char* name, int64_t count, int64_t most) {
  if (count >= 1 && count <= most) return absl::OkStatus();
  return RefuseField(name, absl::StrCat("must have 1 to ", most, " elements, got ", count));
}

absl::Status CheckAppendLayer(const FieldPath& path, const v1::AppendLayer& layer,
                              TensorChecker& tensors) {
  SLUICE_RETURN_IF_ERROR(CheckRange(FieldPath(path, "layer"), layer.layer(), 0, kMaxLayerIndex));
  if (!layer.has_k()) return Missing(FieldPath(path, "k"));
  if (!layer.has_v()) return Missing(FieldPath(path, "v"));
  SLUICE_RETURN_IF_ERROR(tensors.Check(FieldPath(path, "k"), layer.k()));
  SLUICE_RETURN_IF_ERROR(tensors.Check(FieldPath(path, "v"), layer.v()));
  if (!layer.has_observation_queries()) return absl::OkStatus();
  return tensors.CheckAlone(FieldPath(path, "observation_queries"),
                            layer.observation_queries());
}

absl::Status CheckAppendTarget(const v1::AppendRequest& request, const RequestRules& rules) {
  switch (request.target_case()) {
    case v1::AppendRequest::kStepId:
      return CheckId("step_id", request.step_id(), rules.epoch);
    case v1::AppendRequest::kEntry:
      SLUICE_RETURN_IF_ERROR(CheckEntry("entry", request.entry(), rules));
      return CheckRange("first_token", request.first_token(), 0, 0);
    case v1::AppendRequest::TARGET_NOT_SET:
      break;
  }
  return RefuseField("step_id", "step_id or entry must be set, got neither");
}

absl::Status CheckSequenceRows(const v1::SequenceTarget& target, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(
      CheckCount("sequences.sequences", target.sequences_size(), rules.step_entries));
  absl::flat_hash_set<uint64_t> seen;
  for (int i = 0; i < target.sequences_size(); ++i) {
    const FieldPath parent("sequences");
    const FieldPath path(parent, "sequences", i);
    const v1::SequenceRows& rows = target.sequences(i);
    SLUICE_RETURN_IF_ERROR(
        CheckId(FieldPath(path, "sequence_id"), rows.sequence_id(), rules.epoch));
    SLUICE_RETURN_IF_ERROR(
        CheckRange(FieldPath(path, "row_count"), rows.row_count(), 1, rules.sequence_tokens));
    if (!seen.insert(rows.sequence_id()).second) {
      return RefuseField(FieldPath(path, "sequence_id").ToString(),
                         absl::StrCat("names ", rows.sequence_id(), " a second time"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAttendTarget(const v1::AttendRequest& request, const RequestRules& rules) {
  switch (request.target_case()) {
    case v1::AttendRequest::kStepId:
      return CheckId("step_id", request.step_id(), rules.epoch);
    case v1::AttendRequest::kSequences:
      SLUICE_RETURN_IF_ERROR(CheckSequenceRows(request.sequences(), rules));
      if (request.has_k()) return RefuseField("k", "must be absent without a step");
      if (request.has_v()) return RefuseField("v", "must be absent without a step");
      return CheckRange("first_token", request.first_token(), 0, 0);
    case v1::AttendRequest::TARGET_NOT_SET:
      break;
  }
  return RefuseField("step_id", "step_id or sequences must be set, got neither");
}

}  // namespace

absl::Status Validate(const v1::BeginStepRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckCount("entries", request.entries_size(), rules.step_entries));
  absl::flat_hash_set<uint64_t> seen;
  for (int i = 0; i < request.entries_size(); ++i) {
    const FieldPath path("entries", i);
    SLUICE_RETURN_IF_ERROR(CheckEntry(path, request.entries(i), rules));
    if (request.entries_size() > 1 && !seen.insert(request.entries(i).sequence_id()).second) {
      return RefuseField(FieldPath(path, "sequence_id").ToString(),
                         absl::StrCat("names ", request.entries(i).sequence_id(),
                                      " a second time"));
    }
  }
  return CheckDuration("max_wait", request.max_wait(), absl::ZeroDuration(), kMaxWait);
}

absl::Status Validate(const v1::EndStepRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckId("step_id", request.step_id(), rules.epoch));
  if (request.abort()) return absl::OkStatus();
  return NotInVersion("abort", "must be true: an unmapped step closes by itself");
}

absl::Status Validate(const v1::AppendRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckAppendTarget(request, rules));
  SLUICE_RETURN_IF_ERROR(CheckRange("first_token", request.first_token(), 0, kMaxToken));
  SLUICE_RETURN_IF_ERROR(CheckCount("layers", request.layers_size(), kMaxLayerIndex + 1));
  TensorChecker tensors(rules.inline_tensor_bytes);
  absl::flat_hash_set<int32_t> seen;
  for (int i = 0; i < request.layers_size(); ++i) {
    const FieldPath path("layers", i);
    SLUICE_RETURN_IF_ERROR(CheckAppendLayer(path, request.layers(i), tensors));
    if (request.layers_size() > 1 && !seen.insert(request.layers(i).layer()).second) {
      return RefuseField(FieldPath(path, "layer").ToString(),
                         absl::StrCat("names ", request.layers(i).layer(), " a second time"));
    }
  }
  return absl::OkStatus();
}

absl::Status Validate(const v1::AttendRequest& request, const RequestRules& rules) {
  SLUICE_RETURN_IF_ERROR(CheckAttendTarget(request, rules));
  SLUICE_RETURN_IF_ERROR(CheckRange("layer", request.layer(), 0, kMaxLayerIndex));
  SLUICE_RETURN_IF_ERROR(CheckRange("first_token", request.first_token(), 0, kMaxToken));
  if (!request.has_q()) return Missing("q");
  if (request.has_k() != request.has_v()) return Missing(request.has_k() ? "v" : "k");
  TensorChecker tensors(rules.inline_tensor_bytes);
  SLUICE_RETURN_IF_ERROR(tensors.Check("q", request.q()));
  if (!request.has_k()) return absl::OkStatus();
  SLUICE_RETURN_IF_ERROR(tensors.Check("k", request.k()));
  return tensors.Check("v", request.v());
}

}  // namespace sluice
