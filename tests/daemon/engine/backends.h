// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/kernels/sim/sim_backend.h"
#include "tests/testing/sanitizers.h"
#include "tests/testing/step_driver.h"

namespace sluice {

// The backends that an engine test runs on. kThreaded: the reference behind one
// thread a lane. kEmulated: the kernels for GPUs over emulated blocks.
enum class TestBackend { kReference, kThreaded, kCpu, kEmulated };

inline std::string NameOf(TestBackend backend) {
  switch (backend) {
    case TestBackend::kReference:
      return "Reference";
    case TestBackend::kThreaded:
      return "Threaded";
    case TestBackend::kCpu:
      return "Cpu";
    case TestBackend::kEmulated:
      return "Emulated";
  }
  return "";
}

inline void PrintTo(TestBackend backend, std::ostream* out) { *out << NameOf(backend); }

inline std::unique_ptr<EngineDriver> MakeDriver(TestBackend backend,
                                                EngineOptions options = SmallOptions()) {
  if (backend == TestBackend::kThreaded) {
    return EngineDriver::Gated(std::make_shared<BackendGate>(), std::move(options));
  }
  if (backend == TestBackend::kEmulated) {
    options.make_backend = [](const BackendOptions& of_engine) {
      return sim::MakeEmulatedBackend(of_engine, /*seed=*/1);
    };
  }
  options.backend =
      backend == TestBackend::kCpu ? BackendKind::kCpu : BackendKind::kReference;
  options.worker_threads = 2;
  return std::make_unique<EngineDriver>(std::move(options));
}

// Emulated blocks are slow under sanitizers, which see them in the conformance suite, as
// clang does: here one compiler's are enough.
#if defined(__clang__)
inline constexpr bool kEngineOverEmulatedBlocks = false;
#else
inline constexpr bool kEngineOverEmulatedBlocks =
    !kUnderThreadSanitizer && !kUnderAddressSanitizer;
#endif

inline std::vector<TestBackend> EngineBackends() {
  std::vector<TestBackend> backends = {TestBackend::kReference, TestBackend::kThreaded,
                                       TestBackend::kCpu};
  if (kEngineOverEmulatedBlocks) backends.push_back(TestBackend::kEmulated);
  return backends;
}

class OnEveryBackend : public ::testing::TestWithParam<TestBackend> {};

#define SLUICE_ON_EVERY_BACKEND(fixture)                                             \
  INSTANTIATE_TEST_SUITE_P(Backends, fixture, ::testing::ValuesIn(EngineBackends()), \
                           [](const auto& info) { return NameOf(info.param); })

}  // namespace sluice
