// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "kernels/make_backend.h"
#include "tests/kernels/conformance/backends.h"

namespace sluice::kernels_testing {
namespace {

// Of the fp32 path, relative to the row's largest |value|.
constexpr double kAttendError = 1e-5;

int64_t ChooseSeed() {
  const char* given = std::getenv("SLUICE_TEST_SEED");
  const int64_t seed = given != nullptr ? std::atoll(given) : std::random_device{}();
  std::printf("SLUICE_TEST_SEED=%lld\n", static_cast<long long>(seed));
  std::fflush(stdout);
  return seed;
}

// Prints the largest error of each backend when the tests have run.
class ErrorReport : public testing::Environment {
 public:
  void TearDown() override {
    for (const auto& [backend, error] : errors()) {
      std::printf("attend_error %s %.2e (allowed %.0e)\n", backend.c_str(), error, kAttendError);
    }
  }

  static std::map<std::string, double>& errors() {
    static auto* errors = new std::map<std::string, double>();
    return *errors;
  }
};

const testing::Environment* const kErrorReport =
    testing::AddGlobalTestEnvironment(new ErrorReport());

// What rounding the output to its own type may add.
double OutputRounding(Dtype dtype, double value) {
  if (dtype == Dtype::kF32) return 0.0;
  return dtype == Dtype::kBf16 ? std::abs(value) * 0x1p-7 : std::abs(value) * 0x1p-10 + 0x1p-24;
}

void ExpectSameLse(float expected, float actual) {
  if (std::isinf(expected)) {
    EXPECT_EQ(actual, expected);
  } else {
    EXPECT_NEAR(actual, expected, kAttendError * std::max(1.0, std::abs(double{expected})));
  }
}

}  // namespace

int64_t ConformanceSeed() {
  static const int64_t seed = ChooseSeed();
  return seed;
}

bool TakesCase(const BackendUnderTest& backend, int64_t index, int64_t shares) {
  return !backend.slow || (ConformanceSeed() + index) % shares == 0;
}

ConformanceTest::ConformanceTest() : random_({ConformanceSeed()}) {
  UsePageLayout(GetParam().layout);
}

std::unique_ptr<Backend> ConformanceTest::Make(const TestBatch& batch, int32_t threads) const {
  return GetParam().make(batch.world(), threads, nullptr);
}

std::unique_ptr<Backend> ConformanceTest::MakeReference(const TestBatch& batch) {
  return MakeBackend(BackendOptions{BackendKind::kReference, batch.pool(), 1, nullptr});
}

PageFormat ConformanceTest::AnyFormat() {
  PageFormat format;
  format.dtype = random_.Of({Dtype::kF32, Dtype::kBf16, Dtype::kF16});
  format.pairing =
      random_.Of({RopePairing::kNone, RopePairing::kHalfSplit, RopePairing::kInterleaved});
  format.page_size = random_.Of({16, 32, 64});
  format.k_dim = random_.Of({16, 64, 80, 96, 112, 128});
  format.v_dim = random_.Of({format.k_dim, format.k_dim, 48, 64});
  if (format.pairing != RopePairing::kNone) {
    format.rotary_dim = random_.Of({format.k_dim, format.k_dim / 2});
  }
  return format;
}

TestBatch ConformanceTest::AnyBatch(const PageFormat& format, int32_t rows, int32_t sequences,
                                    int64_t slots, int32_t step_tokens, FillOptions fill) {
  TestBatch batch(format, rows, NextSeed(), fill);
  for (int32_t s = 0; s < sequences; ++s) {
    SequenceShape shape;
    if (random_.Chance(0.6)) shape.body_slots = random_.Between(1, slots);
    if (random_.Chance(0.7)) shape.stored_tokens = random_.Between(0, slots);
    if (random_.Chance(0.3)) {
      shape.tail_start = static_cast<int32_t>(random_.Below(format.page_size));
    }
    shape.step_tokens = static_cast<int32_t>(random_.Between(1, step_tokens));
    batch.AddSequence(shape);
  }
  return batch;
}

void NoteAttendError(const std::string& backend, double error) {
  double& largest = ErrorReport::errors()[backend];
  largest = std::max(largest, error);
}

void ExpectSameAnswers(const TestBatch& batch, const LayerShape& layer,
                       const AttendResult& expected, const AttendResult& actual, int64_t first,
                       int64_t count, const std::string& backend) {
  EXPECT_EQ(expected.non_finite, actual.non_finite);
  const int32_t group = layer.q_heads / layer.kv_heads;
  for (size_t e = 0; e < batch.entries().size(); ++e) {
    const ViewEntry& entry = batch.entries()[e];
    const int64_t begin = std::max(first, entry.first_token);
    const int64_t end = std::min(first + count, entry.first_token + entry.token_count);
    for (int32_t head = 0; begin < end && head < layer.q_heads; ++head) {
      const double largest = batch.LargestValue(e, layer.first_row + head / group);
      for (int64_t token = begin; token < end; ++token) {
        const int64_t row = (token - first) * layer.q_heads + head;
        ExpectSameLse(expected.lse[row], actual.lse[row]);
        double error = 0.0;
        for (int64_t i = row * layer.v_dim; i < (row + 1) * layer.v_dim; ++i) {
          const double value = expected.out.Get(i);
          const double difference = std::abs(value - double{actual.out.Get(i)});
          error = std::max(error, difference - OutputRounding(expected.out.dtype, value));
          ASSERT_FALSE(std::isnan(actual.out.Get(i))) << "entry " << e << " head " << head;
        }
        ASSERT_LE(error, kAttendError * largest)
            << "entry " << e << " token " << token - entry.first_token << " head " << head;
        if (largest > 0.0) NoteAttendError(backend, error / largest);
      }
    }
  }
}

void ExpectSameBits(const AttendResult& expected, const AttendResult& actual) {
  EXPECT_TRUE(expected.out.bytes == actual.out.bytes);
  EXPECT_EQ(expected.lse, actual.lse);
  EXPECT_EQ(expected.non_finite, actual.non_finite);
}

}  // namespace sluice::kernels_testing
