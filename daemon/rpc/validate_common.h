// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Checks that the requests share. Each error names the field by its path, what
// came and what is allowed. Pure functions: thread-safe.

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/rpc/field_path.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/repeated_field.h"

namespace sluice {

// What a request is measured against: limits of the configuration, and the epoch.
struct RequestRules {
  uint32_t epoch = 0;
  int64_t inline_tensor_bytes = int64_t{64} << 20;
  int64_t step_entries = 4096;
  int64_t sequence_tokens = int64_t{1} << 20;
};

inline constexpr int64_t kMaxIdsOfACall = 4096;
inline constexpr absl::Duration kMaxWait = absl::Minutes(5);

// FIELD_INVALID: `value` is outside [low, high].
absl::Status CheckRange(const FieldPath& path, int64_t value, int64_t low, int64_t high);

// FIELD_INVALID: `value` is not set.
absl::Status Missing(const FieldPath& path);

// INVALID_ARGUMENT (NOT_IN_VERSION).
absl::Status NotInVersion(const FieldPath& path, absl::string_view what);

// FIELD_INVALID: the id is 0. FAILED_PRECONDITION (STALE_EPOCH): it is of another
// epoch.
absl::Status CheckId(const FieldPath& path, uint64_t id, uint32_t epoch);
// The same, but 0 is allowed.
absl::Status CheckIdIfGiven(const FieldPath& path, uint64_t id, uint32_t epoch);

// Ids [1, kMaxIdsOfACall] of them, each as CheckId; with `distinct` each once.
absl::Status CheckIds(const char* name, const google::protobuf::RepeatedField<uint64_t>& ids,
                      uint32_t epoch, bool distinct);

// FIELD_INVALID: malformed, or outside [low, high].
absl::Status CheckDuration(const FieldPath& path, const google::protobuf::Duration& duration,
                           absl::Duration low, absl::Duration high);

// FIELD_INVALID: more than `max_length` characters, or one that is not printable ASCII.
absl::Status CheckAscii(const FieldPath& path, absl::string_view text, int64_t max_length);

// FIELD_INVALID: an enum's value that is 0 (with `required`) or unknown.
absl::Status CheckEnum(const FieldPath& path, int value, bool known, bool required);

// FIELD_INVALID: a token id is negative.
absl::Status CheckTokenIds(const FieldPath& path,
                           const google::protobuf::RepeatedField<int32_t>& token_ids);

// REQUIRES: CheckDuration passed.
absl::Duration ToDuration(const google::protobuf::Duration& duration);
void FromDuration(absl::Duration from, google::protobuf::Duration* to);

}  // namespace sluice
