// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/device_backend.h"

#include <utility>

#include "kernels/device/attend_layouts.h"

namespace sluice {
namespace {

device::DeviceLane::Options LaneOptions(const DeviceBackend::Options& options, Lane lane,
                                        CompletionSignal* passed) {
  return {lane,
          options.pool,
          options.pool_bytes,
          options.staging_bytes,
          options.scratch_bytes,
          options.arithmetic,
          passed,
          options.signal};
}

device::TableMirror::Options MirrorOptions(const DeviceBackend::Options& options) {
  return {options.pool, options.table_bytes, options.format_count, options.table_staging_bytes};
}

}  // namespace

DeviceBackend::DeviceBackend(const Options& options, const char* name,
                             std::unique_ptr<device::DeviceRuntime> runtime)
    : name_(name),
      runtime_(std::move(runtime)),
      arithmetic_(options.arithmetic),
      description_(std::string(ArithmeticName(arithmetic_)) + ", " + runtime_->description()),
      mirror_(MirrorOptions(options), *runtime_),
      foreground_(LaneOptions(options, Lane::kForeground, &passed_), *runtime_, mirror_),
      background_(LaneOptions(options, Lane::kBackground, &passed_), *runtime_, mirror_) {
  foreground_.SetOther(&background_);
  background_.SetOther(&foreground_);
}

const device::DeviceFault& DeviceBackend::fault() const {
  if (!mirror_.fault().empty()) return mirror_.fault();
  return foreground_.fault().empty() ? background_.fault() : foreground_.fault();
}

// The lanes look at each other until the last operation.
DeviceBackend::~DeviceBackend() { WaitIdle(); }

Ticket DeviceBackend::Submit(Lane lane, const Operation& operation) {
  return LaneOf(lane).Push(operation, mirror_.Capture());
}

void DeviceBackend::After(Lane lane, Ticket ticket) { LaneOf(lane).SetAfter(ticket); }

Ticket DeviceBackend::Submitted(Lane lane) const { return LaneOf(lane).submitted(); }

Ticket DeviceBackend::Completed(Lane lane) const { return LaneOf(lane).passed(); }

std::string DeviceBackend::FormatFault(const PageFormat& format) const {
  return device::FormatFault(format, arithmetic_, runtime_->shared_bytes_of_block());
}

void DeviceBackend::WaitIdle() { WaitUntilPassed(*this, passed_); }

}  // namespace sluice
