// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/conformance/backends.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/simd_target.h"
#include "kernels/make_backend.h"
#include "tests/testing/sanitizers.h"

namespace sluice::kernels_testing {
namespace {

// Threads meet in the same places whatever a machine's instructions are, and what is
// computed there is held against the reference without ThreadSanitizer.
constexpr size_t kMostTargets = kUnderThreadSanitizer ? 1 : SIZE_MAX;

std::unique_ptr<Backend> MakeOfKind(BackendKind kind, const PoolView& pool, int32_t threads,
                                    CompletionSignal* signal) {
  return MakeBackend(BackendOptions{kind, pool, threads, signal});
}

std::vector<BackendUnderTest> ListBackends() {
  std::vector<BackendUnderTest> backends;
  backends.push_back({"reference", [](const PoolView& pool, int32_t threads, CompletionSignal* s) {
                        return MakeOfKind(BackendKind::kReference, pool, threads, s);
                      }});
  // The CPU backend, once for every instruction set that is compiled in and this machine has.
  std::vector<cpu::SimdTarget> targets = cpu::SimdTargets();
  targets.resize(std::min(targets.size(), kMostTargets));
  for (const cpu::SimdTarget target : targets) {
    const std::string name = std::string("cpu_") + cpu::SimdTargetName(target);
    backends.push_back({name, [target](const PoolView& pool, int32_t threads, CompletionSignal* s) {
                          cpu::UseSimdTarget(target);
                          return MakeOfKind(BackendKind::kCpu, pool, threads, s);
                        }});
  }
  return backends;
}

}  // namespace

const std::vector<BackendUnderTest>& BackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListBackends();
  return backends;
}

}  // namespace sluice::kernels_testing
