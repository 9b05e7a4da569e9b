// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace sluice {

enum class BackendKind : uint8_t { kReference = 0, kCpu = 1 };

struct BackendOptions {
  BackendKind kind = BackendKind::kCpu;
  PoolView pool;
  int32_t threads = 0;                 // workers of the CPU backend; 0: one a core
  CompletionSignal* signal = nullptr;  // raised after every operation; null: nobody waits
};

// The backend for `options`. Never null.
std::unique_ptr<Backend> MakeBackend(const BackendOptions& options);

}  // namespace sluice
