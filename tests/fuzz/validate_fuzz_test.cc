// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/validate_fuzz.h"

#include <iostream>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "sluice/v1/step.pb.h"

namespace sluice {
namespace {

void Fuzz(const std::string& bytes) {
  FuzzValidate(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

// An Append with everything in it, from which the mutations start.
std::string Seed() {
  v1::AppendRequest request;
  request.set_step_id(3);
  v1::AppendLayer* layer = request.add_layers();
  for (v1::Tensor* tensor : {layer->mutable_k(), layer->mutable_v()}) {
    tensor->set_dtype(v1::DTYPE_BF16);
    for (int dim : {2, 1, 2}) tensor->add_shape(dim);
    tensor->set_inline_(std::string(8, 'x'));
  }
  return request.SerializeAsString();
}

// The fuzzer's own run is a target of the build with SLUICE_FUZZ; this keeps
// the function alive in every build.
TEST(ValidateFuzzTest, SurvivesMutatedRequestsOfEveryType) {
  const uint32_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  const std::string start = Seed();
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes(1, static_cast<char>(random() % 15));
    bytes += start;
    for (auto changes = random() % 6; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
    Fuzz(bytes);
  }
}

TEST(ValidateFuzzTest, SurvivesEmptyAndShortInputs) {
  Fuzz("");
  for (int type = 0; type < 256; ++type) {
    Fuzz(std::string(1, static_cast<char>(type)));
    Fuzz(std::string(1, static_cast<char>(type)) + std::string(64, '\xff'));
  }
}

}  // namespace
}  // namespace sluice
