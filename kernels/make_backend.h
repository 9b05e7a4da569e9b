// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
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
  // What of pool.tables and pool.formats the backend copies to the device as it hears of
  // changes; 0: kernels read them where they are, so that host_ranges has them.
  int64_t table_bytes = 0;   // a multiple of 4
  int64_t format_count = 0;

  Arithmetic arithmetic = Arithmetic::kFp32;  // one of ArithmeticsOf(kind)
};

// The arithmetic paths that backends of the kind have. Thread-safe.
std::vector<Arithmetic> ArithmeticsOf(BackendKind kind);

// A backend, or why there is none.
struct MadeBackend {
  template <class Made>
  MadeBackend(std::unique_ptr<Made> made) : backend(std::move(made)) {}
  MadeBackend(std::string why, bool is_memory)
      : fault(std::move(why)), fault_is_memory(is_memory) {}

  std::unique_ptr<Backend> backend;  // null: `fault` says why
  std::string fault;                 // for people, without a full stop
  bool fault_is_memory = false;      // there is not enough memory, of the host or of the device
};

// Why no backend of the kind can be made here, for people: "no NVIDIA driver is installed";
// empty where one can, memory permitting. Thread-safe.
std::string BackendFault(BackendKind kind);

// The backend for `options`. What was taken for one that cannot be made is given back.
MadeBackend TryMakeBackend(const BackendOptions& options);

// The same where it must be there: never null; the process ends with the fault where not.
std::unique_ptr<Backend> MakeBackend(const BackendOptions& options);

}  // namespace sluice
