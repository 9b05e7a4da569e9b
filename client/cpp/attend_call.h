// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/session_stream.h"
#include "client/cpp/split.h"
#include "client/cpp/step_types.h"
#include "sluice/v1/step.pb.h"

namespace sluice::client {

// One `Attend` of the caller, over as many requests as its size needs. Internal.
//
// Not thread-safe: made, run and dropped by one thread.
class AttendCall {
 public:
  AttendCall(const AttendInput& input, const AttendOutput& output)
      : input_(input), output_(output) {}

  // The rows are tokens of the open step.
  absl::StatusOr<AttendResult> OnStep(SessionStream* stream, uint64_t step_id);

  // The rows are the last positions of the sequences. Split between sequences
  // only: rows have no position of their own.
  absl::StatusOr<AttendResult> OnSequences(SessionStream* stream,
                                           std::span<const SequenceRows> sequences);

 private:
  absl::Status Check() const;
  // Whole sequences for each request. INVALID_ARGUMENT: one is too large, or they
  // have not as many rows as q.
  absl::StatusOr<std::vector<RowRange>> Plan(std::span<const SequenceRows> sequences,
                                             int64_t limit_bytes) const;
  int64_t RowBytes() const;
  // Sends rows `first` to `first + count`; `request` has its target.
  absl::Status Send(SessionStream* stream, v1::SessionRequest* request, int64_t first,
                    int64_t count);
  absl::Status Take(const v1::AttendResponse& response, int64_t first, int64_t count);
  absl::Status TakeOut(const v1::Tensor& out, int64_t first, int64_t count);
  absl::Status TakeLse(const v1::Tensor& lse, int64_t first, int64_t count);
  bool wants_lse() const { return output_.want_lse || !output_.lse.empty(); }

  const AttendInput& input_;
  const AttendOutput& output_;
  AttendResult result_;
};

}  // namespace sluice::client
