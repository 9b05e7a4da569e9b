// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/device_backend.h"

#include <utility>

#include "kernels/device/attend.h"

namespace sluice {
namespace {

device::DeviceLane::Options LaneOptions(const DeviceBackend::Options& options, Lane lane,
                                        CompletionSignal* passed) {
  return {lane,   options.pool, options.pool_bytes, options.staging_bytes, options.scratch_bytes,
          passed, options.signal};
}

}  // namespace

DeviceBackend::DeviceBackend(const Options& options, const char* name,
                             std::unique_ptr<device::DeviceRuntime> runtime)
    : name_(name),
      runtime_(std::move(runtime)),
      description_("fp32, " + runtime_->description()),
      foreground_(LaneOptions(options, Lane::kForeground, &passed_), *runtime_),
      background_(LaneOptions(options, Lane::kBackground, &passed_), *runtime_) {
  foreground_.SetOther(&background_);
  background_.SetOther(&foreground_);
}

// The lanes look at each other until the last operation.
DeviceBackend::~DeviceBackend() { WaitIdle(); }

Ticket DeviceBackend::Submit(Lane lane, const Operation& operation) {
  return LaneOf(lane).Push(operation);
}

void DeviceBackend::After(Lane lane, Ticket ticket) { LaneOf(lane).SetAfter(ticket); }

Ticket DeviceBackend::Submitted(Lane lane) const { return LaneOf(lane).submitted(); }

Ticket DeviceBackend::Completed(Lane lane) const { return LaneOf(lane).passed(); }

std::string DeviceBackend::FormatFault(const PageFormat& format) const {
  return device::FormatFault(format, runtime_->shared_bytes_of_block());
}

void DeviceBackend::WaitIdle() { WaitUntilPassed(*this, passed_); }

}  // namespace sluice
