// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/device/device_fault.h"
#include "tests/kernels/sim/sim_backend.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace {

EngineOptions Over(sim::RuntimeFaults& faults) {
  EngineOptions options = SmallOptions();
  options.make_backend = [&faults](const BackendOptions& backend) {
    return sim::MakeFaultyBackend(backend, faults);
  };
  return options;
}

TEST(BackendFaultTest, MemoryThatADeviceLacksIsResourceExhausted) {
  const FakeClock clock;
  sim::RuntimeFaults faults;
  faults.allocation = 5;  // behind the tables' two and the first lane's staging
  EXPECT_EQ(Engine::Create(Over(faults), clock).status(),
            absl::ResourceExhaustedError("backend: no 2097152 bytes of the device's memory for "
                                         "operations, 12 are free"));
  EXPECT_EQ(faults.held, 0);
}

TEST(BackendFaultTest, AnyOtherFaultIsUnavailable) {
  const FakeClock clock;
  EngineOptions options = SmallOptions();
  options.make_backend = [](const BackendOptions&) {
    return MadeBackend("it is elsewhere", false);
  };
  EXPECT_EQ(Engine::Create(std::move(options), clock).status(),
            absl::UnavailableError("backend: it is elsewhere"));
}

// The engine's threads are many, the line is one.
TEST(BackendFaultDeathTest, ALostDeviceEndsTheProcessInTheMiddleOfAStep) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto work_until_lost = [] {
    sim::RuntimeFaults faults;
    faults.launch = 4;
    EngineDriver driver(Over(faults));
    const TestModel model = driver.Register();
    TestSequence sequence = driver.Create(model);
    for (int step = 0; step < 20; ++step) {
      EXPECT_TRUE(AppendStep(driver, model, Decode(sequence)).ok());
    }
  };
  EXPECT_EXIT(work_until_lost(), testing::ExitedWithCode(device::kDeviceLostExitCode),
              "^the device failed: a launch: it is gone\n$");
}

}  // namespace
}  // namespace sluice
