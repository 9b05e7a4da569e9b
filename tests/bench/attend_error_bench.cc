// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// Compares attend of the CPU backend with that of the reference backend over
// random ragged batches. The error of a query row is the largest difference of
// an output element over the largest stored value of the row that it reads;
// the figure is the largest of all query rows. Prints one JSON object.
// Usage: sluice_attend_error [batches] [seed].

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>

#include "kernels/make_backend.h"
#include "tests/bench/measure.h"
#include "tests/kernels/testing/operations.h"

namespace sluice::bench {
namespace {

using kernels_testing::AttendResult;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::RunAttend;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

PageFormat AnyFormat(Random& random) {
  PageFormat format;
  format.dtype = random.Of({Dtype::kF32, Dtype::kBf16, Dtype::kF16});
  format.page_size = random.Of({16, 32, 64});
  format.k_dim = random.Of({64, 80, 96, 128, 256});
  format.v_dim = format.k_dim;
  format.pairing = random.Of({RopePairing::kHalfSplit, RopePairing::kInterleaved});
  format.rotary_dim = format.k_dim;
  return format;
}

// Decode and chunks in turn, with bodies and tails of any length.
TestBatch AnyBatch(const PageFormat& format, int32_t rows, int32_t step_tokens, Random& random) {
  TestBatch batch(format, rows, static_cast<int64_t>(random.Below(1 << 30)));
  const int64_t sequences = random.Between(1, 5);
  for (int64_t i = 0; i < sequences; ++i) {
    SequenceShape shape;
    if (random.Chance(0.6)) shape.body_slots = random.Between(1, 1500);
    if (random.Chance(0.7)) shape.stored_tokens = random.Between(0, 1500);
    shape.step_tokens = static_cast<int32_t>(random.Between(1, step_tokens));
    batch.AddSequence(shape);
  }
  batch.StoreStepTokens();
  return batch;
}

AttendResult Run(BackendKind kind, const TestBatch& batch, const LayerShape& layer,
                 const Tensor& q) {
  const std::unique_ptr<Backend> backend = MakeBackend({kind, batch.pool(), 2, nullptr});
  return RunAttend(*backend, batch, layer, q, 0, batch.View().total_tokens);
}

double RowError(const AttendResult& expected, const AttendResult& actual, int64_t row,
                int32_t v_dim) {
  double error = 0.0;
  for (int64_t i = row * v_dim; i < (row + 1) * v_dim; ++i) {
    const double difference = std::abs(double{expected.out.Get(i)} - double{actual.out.Get(i)});
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    error = std::max(error, difference);
  }
  return error;
}

double LargestError(const TestBatch& batch, const LayerShape& layer, const AttendResult& expected,
                    const AttendResult& actual) {
  double largest = 0.0;
  const int32_t group = layer.q_heads / layer.kv_heads;
  for (size_t e = 0; e < batch.entries().size(); ++e) {
    const ViewEntry& entry = batch.entries()[e];
    for (int32_t head = 0; head < layer.q_heads; ++head) {
      const double value = batch.LargestValue(e, layer.first_row + head / group);
      for (int64_t token = 0; value > 0 && token < entry.token_count; ++token) {
        const int64_t row = (entry.first_token + token) * layer.q_heads + head;
        largest = std::max(largest, RowError(expected, actual, row, layer.v_dim) / value);
      }
    }
  }
  return largest;
}

int Main(int argc, char** argv) {
  const int batches = argc > 1 ? std::atoi(argv[1]) : 60;
  const int64_t seed = argc > 2 ? std::atoll(argv[2]) : 1;
  if (batches < 1) {
    std::fprintf(stderr, "usage: sluice_attend_error [batches >= 1] [seed]\n");
    return 2;
  }
  Random random({seed});
  double largest = 0.0;
  for (int i = 0; i < batches; ++i) {
    const PageFormat format = AnyFormat(random);
    const TestBatch batch = AnyBatch(format, 3, i % 2 == 0 ? 1 : 70, random);
    const LayerShape layer =
        MakeLayer(format, 1, 2, static_cast<int32_t>(random.Between(1, 8)));
    const Tensor q =
        RandomTensor(Dtype::kF32, batch.View().total_tokens * layer.q_heads * layer.k_dim,
                     Random({seed, i}), 2.0f);
    const AttendResult expected = Run(BackendKind::kReference, batch, layer, q);
    const AttendResult actual = Run(BackendKind::kCpu, batch, layer, q);
    largest = std::max(largest, LargestError(batch, layer, expected, actual));
  }
  PrintFigure("attend_error", largest, "relative",
              Field("batches", batches) + Field("seed", static_cast<double>(seed)));
  return 0;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::Main(argc, argv); }
