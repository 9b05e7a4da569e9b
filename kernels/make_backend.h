// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace sluice {

enum class BackendKind : uint8_t { kReference = 0, kCpu = 1, kCuda = 2 };

// Host memory.
struct HostRange {
  const void* memory = nullptr;
  int64_t bytes = 0;  // > 0
};

struct BackendOptions {
  BackendKind kind = BackendKind::kCpu;
  PoolView pool;
  int32_t threads = 0;                 // workers of the CPU backend; 0: one a core
  CompletionSignal* signal = nullptr;  // raised after every operation; null: nobody waits

  // Of kCuda. What kernels reach as it is, from pool.pool on; and all that they are to
  // reach in host memory: tables, formats, a pool that lies there. It is registered with
  // the device while the backend lives, and must not be freed before.
  int64_t pool_bytes = 0;
  std::vector<HostRange> host_ranges = {};

  Arithmetic arithmetic = Arithmetic::kFp32;  // one of ArithmeticsOf(kind)
};

// The arithmetic paths that backends of the kind have. Thread-safe.
std::vector<Arithmetic> ArithmeticsOf(BackendKind kind);

// Why MakeBackend cannot make a backend of the kind here, for people: "no NVIDIA driver is
// installed"; empty where it can. Thread-safe.
std::string BackendFault(BackendKind kind);

// The backend for `options`. Never null. REQUIRES: BackendFault(options.kind) is empty; the
// process ends with its sentence where not; and the kind has options.arithmetic.
std::unique_ptr<Backend> MakeBackend(const BackendOptions& options);

}  // namespace sluice
