// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/core/rows.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice::kernels_testing {

// A backend, as it is to be tested.
struct BackendUnderTest {
  std::string name;  // letters, digits and underscores
  std::function<std::unique_ptr<Backend>(const TestWorld& world, int32_t threads,
                                         CompletionSignal* signal)>
      make;
  PageLayout layout = PageLayout::kGroup16;
  bool slow = false;  // so that a run takes only some of the random cases
};

// The one list of what the conformance suite runs over: the kernels for devices over
// emulated blocks too, and on a GPU where there is one.
const std::vector<BackendUnderTest>& BackendsUnderTest();

// The same, also under ThreadSanitizer with those whose lanes alone have threads.
const std::vector<BackendUnderTest>& LaneBackendsUnderTest();

// Of the suite's random content and of the emulated blocks' order.
int64_t ConformanceSeed();

// Whether a test runs its case `index`: always, but over a slow backend one case in `shares`,
// others with other seeds. Any `shares` successive seeds take all of them between them.
bool TakesCase(const BackendUnderTest& backend, int64_t index, int64_t shares);

inline void PrintTo(const BackendUnderTest& backend, std::ostream* out) { *out << backend.name; }

inline std::string NameOf(const testing::TestParamInfo<BackendUnderTest>& info) {
  return info.param.name;
}

// Compares a backend with the reference over batches with random content.
//
// The seed is printed; SLUICE_TEST_SEED sets it.
class ConformanceTest : public testing::TestWithParam<BackendUnderTest> {
 protected:
  ConformanceTest();

  // The backend under test, and the reference, over a batch's memory.
  std::unique_ptr<Backend> Make(const TestBatch& batch, int32_t threads = 2) const;
  static std::unique_ptr<Backend> MakeReference(const TestBatch& batch);

  // Whether the test runs its next case (above); asked once for each. 5 is prime to the
  // numbers by which kinds of cases alternate.
  bool TakesCase(int64_t shares = 5) {
    const bool takes = kernels_testing::TakesCase(GetParam(), case_count_++, shares);
    taken_count_ += takes ? 1 : 0;
    return takes;
  }
  void TearDown() override {
    EXPECT_TRUE(case_count_ == 0 || taken_count_ > 0) << "there are more shares than cases";
  }

  Random& random() { return random_; }
  int64_t NextSeed() { return static_cast<int64_t>(random_.Next() >> 1); }

  // A format with any dtype, page size, pairing and (small or odd) dims.
  PageFormat AnyFormat();

  // `sequences` sequences with bodies and tails of any kind, up to `slots` slots
  // in each, with up to `step_tokens` new tokens.
  TestBatch AnyBatch(const PageFormat& format, int32_t rows, int32_t sequences, int64_t slots,
                     int32_t step_tokens, FillOptions fill = {});

 private:
  Random random_;
  int64_t case_count_ = 0;  // of which it was asked whether they are run
  int64_t taken_count_ = 0;
};

// Notes an error relative to its row's largest |value|, to be printed as the
// report row `attend_error` of the running test's backend.
void NoteAttendError(const std::string& backend, double error);

// Expects what Attend gave over the tokens [first, first + count) to be within
// the promised error of the reference's answer.
void ExpectSameAnswers(const TestBatch& batch, const LayerShape& layer,
                       const AttendResult& expected, const AttendResult& actual, int64_t first,
                       int64_t count, const std::string& backend);

// Expects two answers to be the same bit for bit.
void ExpectSameBits(const AttendResult& expected, const AttendResult& actual);

}  // namespace sluice::kernels_testing

#define SLUICE_CONFORMANCE_SUITE(fixture)                                           \
  INSTANTIATE_TEST_SUITE_P(Backends, fixture,                                       \
                           testing::ValuesIn(kernels_testing::BackendsUnderTest()), \
                           kernels_testing::NameOf)
