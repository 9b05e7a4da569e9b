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
std::unique_ptr<Backend> MakeCuda(Arithmetic arithmetic, const TestWorld& world,
                                  CompletionSignal* signal) {
  BackendOptions options{BackendKind::kCuda, world.View(), 0, signal};
  options.arithmetic = arithmetic;
  options.host_ranges = world.Memory();
  options.pool_bytes = world.PoolBytes();
  return MakeBackend(options);
}

// The pool is not said to be the device's, so that what tests pass is staged.
std::unique_ptr<Backend> MakeEmulated(Arithmetic arithmetic, const TestWorld& world,
                                      int32_t threads, CompletionSignal* signal) {
  BackendOptions options{BackendKind::kCuda, world.View(), threads, signal};
  options.arithmetic = arithmetic;
  const auto seed = static_cast<uint64_t>(ConformanceSeed()) + static_cast<uint64_t>(threads);
  return sim::MakeEmulatedBackend(options, seed);
}

// The kernels for devices, in one arithmetic.
void AddDevices(Arithmetic arithmetic, bool emulated, std::vector<BackendUnderTest>* backends) {
  const std::string suffix = arithmetic == Arithmetic::kBf16 ? "_bf16" : "";
  if (emulated) {
    backends->push_back(
        {"emulated" + suffix,
         [arithmetic](const TestWorld& w, int32_t threads, CompletionSignal* s) {
           return MakeEmulated(arithmetic, w, threads, s);
         },
         PageLayout::kSwizzled, /*slow=*/true, arithmetic});
  }
  if (BackendFault(BackendKind::kCuda).empty()) {
    backends->push_back({"cuda" + suffix,
                         [arithmetic](const TestWorld& w, int32_t, CompletionSignal* s) {
                           return MakeCuda(arithmetic, w, s);
                         },
                         PageLayout::kSwizzled, /*slow=*/false, arithmetic});
  }
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
  AddDevices(Arithmetic::kFp32, of_lanes || !kUnderThreadSanitizer, &backends);
  return backends;
}

std::vector<BackendUnderTest> ListAttendBackends() {
  std::vector<BackendUnderTest> backends = ListBackends(false);
  AddDevices(Arithmetic::kBf16, !kUnderThreadSanitizer, &backends);
  return backends;
}

}  // namespace

const std::vector<BackendUnderTest>& BackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListBackends(false);
  return backends;
}

const std::vector<BackendUnderTest>& AttendBackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListAttendBackends();
  return backends;
}

const std::vector<BackendUnderTest>& LaneBackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListBackends(true);
  return backends;
}

}  // namespace sluice::kernels_testing
