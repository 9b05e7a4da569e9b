// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_common.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/range.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/command.h"

namespace sluice {
namespace {

constexpr int64_t kMaxDurationSeconds = 315'576'000'000;  // protobuf's own bound

}  // namespace

absl::Status CheckRange(const FieldPath& path, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return RefuseRange(path.ToString(), value, low, high);
}

absl::Status Missing(const FieldPath& path) {
  return RefuseField(path.ToString(), "must be set, got nothing");
}

absl::Status NotInVersion(const FieldPath& path, absl::string_view what) {
  return Refuse(absl::StatusCode::kInvalidArgument, Reason::kNotInVersion, path.ToString(), what);
}

absl::Status CheckId(const FieldPath& path, uint64_t id, uint32_t epoch) {
  if (id == 0) return RefuseField(path.ToString(), "must be an id, got 0");
  if (EpochOf(id) == epoch) return absl::OkStatus();
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kStaleEpoch, path.ToString(),
                absl::StrCat("id ", id, " is not of this life of the daemon (epoch ", epoch, ")"));
}

absl::Status CheckIdIfGiven(const FieldPath& path, uint64_t id, uint32_t epoch) {
  return id == 0 ? absl::OkStatus() : CheckId(path, id, epoch);
}

absl::Status CheckIds(const char* name, const google::protobuf::RepeatedField<uint64_t>& ids,
                      uint32_t epoch, bool distinct) {
  if (ids.empty() || ids.size() > kMaxIdsOfACall) {
    return RefuseField(name, absl::StrCat("must have 1 to ", kMaxIdsOfACall, " elements, got ",
                                          ids.size()));
  }
  absl::flat_hash_set<uint64_t> seen;
  for (int i = 0; i < ids.size(); ++i) {
    const FieldPath path(name, i);
    SLUICE_RETURN_IF_ERROR(CheckId(path, ids.Get(i), epoch));
    if (distinct && !seen.insert(ids.Get(i)).second) {
      return RefuseField(path.ToString(), absl::StrCat("names ", ids.Get(i), " a second time"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDuration(const FieldPath& path, const google::protobuf::Duration& duration,
                           absl::Duration low, absl::Duration high) {
  const bool in_bounds = duration.seconds() >= -kMaxDurationSeconds &&
                         duration.seconds() <= kMaxDurationSeconds &&
                         duration.nanos() > -1'000'000'000 && duration.nanos() < 1'000'000'000;
  const absl::Duration value = in_bounds ? ToDuration(duration) : absl::InfiniteDuration();
  if (value >= low && value <= high) return absl::OkStatus();
  return RefuseField(path.ToString(),
                     absl::StrCat("must be from ", absl::FormatDuration(low), " to ",
                                  absl::FormatDuration(high), ", got ", duration.seconds(),
                                  " seconds and ", duration.nanos(), " nanos"));
}

absl::Status CheckAscii(const FieldPath& path, absl::string_view text, int64_t max_length) {
  if (static_cast<int64_t>(text.size()) > max_length) {
    return RefuseField(path.ToString(), absl::StrCat("must have at most ", max_length,
                                                     " characters, got ", text.size()));
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] < 0x20 || text[i] > 0x7e) {
      return RefuseField(path.ToString(), absl::StrCat("must be printable ASCII, character ", i,
                                                       " is not"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEnum(const FieldPath& path, int value, bool known, bool required) {
  if (!known) return RefuseField(path.ToString(), absl::StrCat("unknown value ", value));
  return value == 0 && required ? Missing(path) : absl::OkStatus();
}

absl::Status CheckTokenIds(const FieldPath& path,
                           const google::protobuf::RepeatedField<int32_t>& token_ids) {
  for (int i = 0; i < token_ids.size(); ++i) {
    if (token_ids.Get(i) < 0) {
      return RefuseField(absl::StrCat(path.ToString(), "[", i, "]"),
                         absl::StrCat("must not be negative, got ", token_ids.Get(i)));
    }
  }
  return absl::OkStatus();
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void FromDuration(absl::Duration from, google::protobuf::Duration* to) {
  absl::Duration rest;
  to->set_seconds(absl::IDivDuration(from, absl::Seconds(1), &rest));
  to->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

}  // namespace sluice
