// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/step.h"

#include <utility>

#include "absl/status/status.h"
#include "client/cpp/append_call.h"
#include "client/cpp/attend_call.h"

namespace sluice::client {
namespace {

absl::Status Closed() { return absl::FailedPreconditionError("the step is closed"); }

}  // namespace

Step::Step(std::shared_ptr<SessionStream> stream, StepState state)
    : stream_(std::move(stream)), state_(std::move(state)) {}

Step::~Step() { Abort().IgnoreError(); }

Step::Step(Step&& other) noexcept = default;

Step& Step::operator=(Step&& other) noexcept {
  if (this == &other) return *this;
  Abort().IgnoreError();
  stream_ = std::move(other.stream_);
  state_ = std::move(other.state_);
  return *this;
}

absl::StatusOr<AppendResult> Step::Append(std::span<const AppendLayer> layers,
                                          int64_t first_token) {
  if (closed()) return Closed();
  auto result = AppendToStep(stream_.get(), id(), first_token, layers);
  if (result.ok() && result->step_closed) stream_.reset();
  return result;
}

absl::StatusOr<AttendResult> Step::Attend(const AttendInput& input, const AttendOutput& output) {
  if (closed()) return Closed();
  auto result = AttendCall(input, output).OnStep(stream_.get(), id());
  if (result.ok() && result->step_closed) stream_.reset();
  return result;
}

absl::StatusOr<std::vector<uint64_t>> Step::Abort() {
  if (closed()) return std::vector<uint64_t>();
  return AbortStep(std::exchange(stream_, nullptr).get(), id());
}

}  // namespace sluice::client
