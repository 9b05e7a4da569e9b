// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/make_backend.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

TEST(MakeBackendTest, BackendsOfTheCpuAreAlwaysThere) {
  for (const BackendKind kind : {BackendKind::kReference, BackendKind::kCpu}) {
    EXPECT_EQ(BackendFault(kind), "");
    BackendOptions options;
    options.kind = kind;
    EXPECT_STREQ(MakeBackend(options)->name(), kind == BackendKind::kCpu ? "cpu" : "reference");
    EXPECT_EQ(ArithmeticsOf(kind), std::vector<Arithmetic>{Arithmetic::kFp32});
  }
}

TEST(MakeBackendTest, TheGpusIsThereOrItIsSaidWhyNot) {
  const std::string fault = BackendFault(BackendKind::kCuda);
  BackendOptions options;
  options.kind = BackendKind::kCuda;
  const MadeBackend made = TryMakeBackend(options);
  EXPECT_EQ(made.fault, fault.empty() ? "" : "no GPU to run on: " + fault);
  EXPECT_EQ(made.backend == nullptr, !fault.empty());
  EXPECT_FALSE(made.fault_is_memory);
  if (fault.empty()) {
    EXPECT_STREQ(MakeBackend(options)->name(), "cuda");
  } else {
    EXPECT_DEATH(MakeBackend(options), "no GPU to run on: " + fault);
  }
}

}  // namespace
}  // namespace sluice
