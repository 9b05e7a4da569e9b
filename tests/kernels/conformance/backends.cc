// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/conformance/backends.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/simd_target.h"
#include "kernels/make_backend.h"
#include "tests/kernels/sim/hidden_tables.h"
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

uint64_t EmulatedSeed(int32_t threads) {
  return static_cast<uint64_t>(ConformanceSeed()) + static_cast<uint64_t>(threads);
}

// The pool is not said to be the device's, so that what tests pass is staged.
BackendOptions EmulatedOptions(Arithmetic arithmetic, const TestWorld& world, int32_t threads,
                               CompletionSignal* signal) {
  BackendOptions options{BackendKind::kCuda, world.View(), threads, signal};
  options.table_bytes = world.TableBytes();
  options.format_count = world.FormatCount();
  options.arithmetic = arithmetic;
  return options;
}

// The pool is host memory here, so that tests look at it as at the others'.
BackendOptions CudaOptions(Arithmetic arithmetic, const TestWorld& world,
                           CompletionSignal* signal) {
  BackendOptions options = EmulatedOptions(arithmetic, world, 0, signal);
  options.host_ranges = world.Memory();
  options.pool_bytes = world.PoolBytes();
  return options;
}

// The kernels for devices in one arithmetic. Those that read the host's tables are found.
void AddDevices(Arithmetic arithmetic, bool emulated, std::vector<BackendUnderTest>* backends) {
  const std::string suffix = arithmetic == Arithmetic::kBf16 ? "_bf16" : "";
  if (emulated) {
    backends->push_back({"emulated" + suffix,
                         [arithmetic](const TestWorld& w, int32_t threads, CompletionSignal* s) {
                           return sim::MakeEmulatedWithHiddenTables(
                               EmulatedOptions(arithmetic, w, threads, s), EmulatedSeed(threads));
                         },
                         PageLayout::kSwizzled, /*slow=*/true, arithmetic});
  }
  if (BackendFault(BackendKind::kCuda).empty()) {
    backends->push_back({"cuda" + suffix,
                         [arithmetic](const TestWorld& w, int32_t, CompletionSignal* s) {
                           return sim::MakeWithHiddenTables(CudaOptions(arithmetic, w, s),
                                                            MakeBackend);
                         },
                         PageLayout::kSwizzled, /*slow=*/false, arithmetic});
  }
}

// Tests of lanes write no tables once they have a backend.
std::unique_ptr<Backend> ToldAllTables(std::unique_ptr<Backend> backend,
                                       const BackendOptions& options) {
  backend->TablesChanged(options.pool.tables, options.table_bytes);
  backend->TablesChanged(options.pool.formats,
                         options.format_count * static_cast<int64_t>(sizeof(SpanFormat)));
  return backend;
}

void AddLaneDevices(std::vector<BackendUnderTest>* backends) {
  backends->push_back({"emulated",
                       [](const TestWorld& w, int32_t threads, CompletionSignal* s) {
                         const BackendOptions options =
                             EmulatedOptions(Arithmetic::kFp32, w, threads, s);
                         return ToldAllTables(
                             sim::MakeEmulatedBackend(options, EmulatedSeed(threads)), options);
                       },
                       PageLayout::kSwizzled, /*slow=*/true});
  if (BackendFault(BackendKind::kCuda).empty()) {
    backends->push_back({"cuda",
                         [](const TestWorld& w, int32_t, CompletionSignal* s) {
                           const BackendOptions options = CudaOptions(Arithmetic::kFp32, w, s);
                           return ToldAllTables(MakeBackend(options), options);
                         },
                         PageLayout::kSwizzled});
  }
}

std::vector<BackendUnderTest> ListHostBackends() {
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
  return backends;
}

// The threads of an emulated block are one: ThreadSanitizer learns of the lanes' only.
std::vector<BackendUnderTest> ListBackends() {
  std::vector<BackendUnderTest> backends = ListHostBackends();
  AddDevices(Arithmetic::kFp32, !kUnderThreadSanitizer, &backends);
  return backends;
}

std::vector<BackendUnderTest> ListAttendBackends() {
  std::vector<BackendUnderTest> backends = ListBackends();
  AddDevices(Arithmetic::kBf16, !kUnderThreadSanitizer, &backends);
  return backends;
}

std::vector<BackendUnderTest> ListLaneBackends() {
  std::vector<BackendUnderTest> backends = ListHostBackends();
  AddLaneDevices(&backends);
  return backends;
}

}  // namespace

const std::vector<BackendUnderTest>& BackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListBackends();
  return backends;
}

const std::vector<BackendUnderTest>& AttendBackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListAttendBackends();
  return backends;
}

const std::vector<BackendUnderTest>& LaneBackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListLaneBackends();
  return backends;
}

}  // namespace sluice::kernels_testing
