// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// What sluiced_emulated has in the place of kernels/make_backend.cc: kernels for devices over
// emulated blocks, whatever backend is asked for. Which call of the device fails is said by
// SLUICE_FAILING_ALLOCATION, _LAUNCH and _WAIT, numbers from 1 up.

#include <cstdlib>

#include "kernels/make_backend.h"
#include "tests/kernels/sim/sim_backend.h"

namespace sluice {
namespace {

int64_t NumberIn(const char* variable) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? 0 : std::strtoll(text, nullptr, 10);
}

}  // namespace

std::string BackendFault(BackendKind /*kind*/) { return ""; }

std::vector<Arithmetic> ArithmeticsOf(BackendKind /*kind*/) {
  return {Arithmetic::kFp32, Arithmetic::kBf16};
}

MadeBackend TryMakeBackend(const BackendOptions& options) {
  static sim::RuntimeFaults faults;
  faults.allocation = NumberIn("SLUICE_FAILING_ALLOCATION");
  faults.launch = NumberIn("SLUICE_FAILING_LAUNCH");
  faults.wait = NumberIn("SLUICE_FAILING_WAIT");
  return sim::MakeFaultyBackend(options, faults);
}

}  // namespace sluice
