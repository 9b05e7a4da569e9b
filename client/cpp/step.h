// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/step_types.h"

namespace sluice::client {

class SessionStream;

// An open step: one forward pass over a set of sequences. It closes by itself
// with the call that completes it; the destructor undoes it if it is still open.
//
// Made by Session::BeginStep, and bound to that session's stream. Not
// thread-safe: the calls of a layer have an order. Several steps of one session
// may be used by several threads.
//
// Errors are those of sluice.v1.KvCache's Append and Attend, and:
//   INVALID_ARGUMENT (kFieldInvalid): shapes that do not fit each other, or a row
//     larger than a request may be; nothing was sent
//   DEADLINE_EXCEEDED: no answer in the client's call_timeout; it may or may not
//     have been applied
//   the session's end, see Session
//   INTERNAL: the daemon's answer makes no sense
// After any error the step is still open if the session is; a call that was split
// may have been applied in part. Abort the step then.
class Step {
 public:
  ~Step();
  Step(Step&& other) noexcept;
  Step& operator=(Step&& other) noexcept;

  uint64_t id() const { return state_.step_id; }
  // What it began with.
  const StepState& state() const { return state_; }
  // The daemon said that it is closed, or it was aborted.
  bool closed() const { return stream_ == nullptr; }

  // Stores keys and values of the step's tokens from `first_token` on. Sent in
  // several requests if larger than one may be: by layer, then by tokens.
  absl::StatusOr<AppendResult> Append(std::span<const AppendLayer> layers, int64_t first_token = 0);

  // Attends over one layer, after storing k and v if they are given. Sent in
  // several requests, by tokens, if larger than one may be.
  absl::StatusOr<AttendResult> Attend(const AttendInput& input, const AttendOutput& output = {});

  // Undoes the step; the sequences that are lost by it. OK, and nothing, if it is
  // closed.
  absl::StatusOr<std::vector<uint64_t>> Abort();

 private:
  friend class Session;
  Step(std::shared_ptr<SessionStream> stream, StepState state);

  std::shared_ptr<SessionStream> stream_;  // none once closed
  StepState state_;
};

}  // namespace sluice::client
