// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_lane.h"

#include "kernels/cuda/gpu_error.h"

namespace sluice::cuda {

GpuLane::GpuLane(Lane lane) {
  int lowest = 0;
  int highest = 0;
  EndOnError(cudaDeviceGetStreamPriorityRange(&lowest, &highest),
             "cudaDeviceGetStreamPriorityRange");
  EndOnError(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                          lane == Lane::kBackground ? lowest : highest),
             "cudaStreamCreateWithPriority");
  for (cudaEvent_t& event : events_) {
    EndOnError(cudaEventCreateWithFlags(&event, cudaEventBlockingSync | cudaEventDisableTiming),
               "cudaEventCreateWithFlags");
  }
}

GpuLane::~GpuLane() {
  EndOnError(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  for (const cudaEvent_t event : events_) {
    EndOnError(cudaEventDestroy(event), "cudaEventDestroy");
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
