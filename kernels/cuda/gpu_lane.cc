// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_lane.h"

#include "kernels/cuda/gpu_error.h"

namespace sluice::cuda {

GpuLane::GpuLane(Lane lane) : fault_(Make(lane)) {}

device::DeviceFault GpuLane::Make(Lane lane) {
  int lowest = 0;
  int highest = 0;
  device::DeviceFault fault = FaultOf(cudaDeviceGetStreamPriorityRange(&lowest, &highest),
                                      "cudaDeviceGetStreamPriorityRange");
  if (!fault.empty()) return fault;
  fault = FaultOf(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                               lane == Lane::kBackground ? lowest : highest),
                  "cudaStreamCreateWithPriority");
  for (cudaEvent_t& event : events_) {
    if (!fault.empty()) break;
    fault = FaultOf(
        cudaEventCreateWithFlags(&event, cudaEventBlockingSync | cudaEventDisableTiming),
        "cudaEventCreateWithFlags");
  }
  return fault;
}

GpuLane::~GpuLane() {
  if (stream_ == nullptr) return;
  EndOnError(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  for (const cudaEvent_t event : events_) {
    if (event != nullptr) EndOnError(cudaEventDestroy(event), "cudaEventDestroy");
  }
  EndOnError(cudaStreamDestroy(stream_), "cudaStreamDestroy");
}

void GpuLane::Mark(Ticket number) {
  EndOnError(cudaEventRecord(EventOf(number), stream_), "cudaEventRecord");
}

void GpuLane::Await(Ticket number) {
  EndOnError(cudaEventSynchronize(EventOf(number)), "cudaEventSynchronize");
}

void GpuLane::Follow(const GpuLane& other, Ticket number) {
  EndOnError(cudaStreamWaitEvent(stream_, other.EventOf(number), 0), "cudaStreamWaitEvent");
}

}  // namespace sluice::cuda
