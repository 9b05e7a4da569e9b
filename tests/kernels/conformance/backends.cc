// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/conformance/backends.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/simd_target.h"
#include "kernels/make_backend.h"
#include "tests/kernels/sim/sim_backend.h"
#include "tests/testing/sanitizers.h"

namespace sluice::kernels_testing {
namespace {

// Threads meet in the same places whatever a machine's instructions are, and what is
// computed there is held against the reference without ThreadSanitizer.
constexpr size_t kMostTargets = kUnderThreadSanitizer ? 1 : SIZE_MAX;

std::unique_ptr<Backend> MakeOfKind(BackendKind kind, const TestWorld& world, int32_t threads,
                                    CompletionSignal* signal) {
  return MakeBackend(BackendOptions{kind, world.View(), threads, signal});
}

// The pool is host memory here, so that tests look at it as at the others'.
std::unique_ptr<Backend> MakeCuda(const TestWorld& world, int32_t /*threads*/,
                                  CompletionSignal* signal) {
  BackendOptions options{BackendKind::kCuda, world.View(), 0, signal};
  options.host_ranges = world.Memory();
  options.pool_bytes = world.PoolBytes();
  return MakeBackend(options);
}

// The pool is not said to be the device's, so that what tests pass is staged.
std::unique_ptr<Backend> MakeEmulated(const TestWorld& world, int32_t threads,
                                      CompletionSignal* signal) {
  const auto seed = static_cast<uint64_t>(ConformanceSeed()) + static_cast<uint64_t>(threads);
  return sim::MakeEmulatedBackend({BackendKind::kCuda, world.View(), threads, signal}, seed);
}

std::vector<BackendUnderTest> ListBackends(bool of_lanes) {
  std::vector<BackendUnderTest> backends;
  backends.push_back({"reference", [](const TestWorld& w, int32_t threads, CompletionSignal* s) {
                        return MakeOfKind(BackendKind::kReference, w, threads, s);
                      }});
  // The CPU backend, once for every instruction set that is compiled in and this machine has.
  std::vector<cpu::SimdTarget> targets = cpu::SimdTargets();
  targets.resize(std::min(targets.size(), kMostTargets));
  for (const cpu::SimdTarget target : targets) {
    const std::string name = std::string("cpu_") + cpu::SimdTargetName(target);
    backends.push_back({name, [target](const TestWorld& w, int32_t threads, CompletionSignal* s) {
                          cpu::UseSimdTarget(target);
                          return MakeOfKind(BackendKind::kCpu, w, threads, s);
                        }});
  }
  // The threads of an emulated block are one: ThreadSanitizer learns of the lanes' only.
  if (of_lanes || !kUnderThreadSanitizer) {
    backends.push_back({"emulated", MakeEmulated, PageLayout::kSwizzled, /*slow=*/true});
  }
  if (BackendFault(BackendKind::kCuda).empty()) {
    backends.push_back({"cuda", MakeCuda, PageLayout::kSwizzled});
  }
  return backends;
}

}  // namespace

const std::vector<BackendUnderTest>& BackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListBackends(false);
  return backends;
}

const std::vector<BackendUnderTest>& LaneBackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListBackends(true);
  return backends;
}

}  // namespace sluice::kernels_testing
