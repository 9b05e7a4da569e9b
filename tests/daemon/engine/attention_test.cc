// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What attention over paged keys and values gives, against plain attention in
// double precision.

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/refusal_matcher.h"

namespace sluice {
namespace {

using AttentionTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(AttentionTest);

ModelGeometry WithLayers(std::vector<LayerGeometry> layers) {
  ModelGeometry geometry = SmallGeometry();
  geometry.layers = std::move(layers);
  return geometry;
}

LayerGeometry Layer(int32_t kv_heads, int64_t window = 0, int32_t source = -1) {
  LayerGeometry layer;
  layer.kv_heads = kv_heads;
  layer.window_tokens = window;
  layer.source_layer = source;
  return layer;
}

// Prefill in chunks, then decode, each step checked.
std::string RunAndCompare(EngineDriver& driver, const TestModel& model) {
  TestSequence sequence = driver.Create(model);
  for (const int64_t tokens : {5, 16, 29, 1, 1, 1}) {
    const auto outcome = RunStep(driver, model, {Prefill(sequence, tokens, false)});
    if (!outcome.ok()) return std::string(outcome.status().message());
    std::string difference = StepDifference(model, *outcome, sequence, tokens);
    if (!difference.empty()) return difference;
  }
  return "";
}

TEST_P(AttentionTest, ChunksAndDecodeEqualPlainAttention) {
  auto driver = MakeDriver(GetParam());
  EXPECT_EQ(RunAndCompare(*driver, driver->Register()), "");
}

TEST_P(AttentionTest, EveryGroupSizeAndWindowAndSharedLayer) {
  auto driver = MakeDriver(GetParam());
  const TestModel model =
      driver->Register(WithLayers({Layer(4), Layer(1), Layer(2, 7), Layer(4, 3, 0), Layer(1, 0, 1)}));
  EXPECT_EQ(RunAndCompare(*driver, model), "");
}

TEST_P(AttentionTest, SinkLogitsSoftCapAndScale) {
  auto driver = MakeDriver(GetParam());
  ModelGeometry geometry = WithLayers({Layer(2), Layer(2, 9)});
  geometry.layers[1].sink_logits = {0.5f, -1.0f, 2.0f, 0.0f};
  geometry.logit_soft_cap = 3.0f;
  geometry.scale = 0.4f;
  EXPECT_EQ(RunAndCompare(*driver, driver->Register(geometry)), "");
}

TEST_P(AttentionTest, TwoByteModelsStoreWhatCame) {
  auto driver = MakeDriver(GetParam());
  for (const Dtype dtype : {Dtype::kBf16, Dtype::kF16}) {
    ModelGeometry geometry = SmallGeometry();
    geometry.name = DtypeName(dtype);
    geometry.dtype = dtype;
    geometry.page_size_tokens = 32;
    EXPECT_EQ(RunAndCompare(*driver, driver->Register(geometry)), "") << geometry.name;
  }
}

TEST_P(AttentionTest, ABatchOfPrefillAndDecodeIsServedTogether) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence a = driver->Create(model), b = driver->Create(model), c = driver->Create(model);
  ASSERT_TRUE(RunStep(*driver, model, {Prefill(a, 17), Prefill(b, 3)}).ok());
  const auto outcome = RunStep(*driver, model, {Decode(b), Prefill(c, 20), Decode(a, 2)});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(StepDifference(model, *outcome, b, 1, 0), "");
  EXPECT_EQ(StepDifference(model, *outcome, c, 20, 1), "");
  EXPECT_EQ(StepDifference(model, *outcome, a, 2, 21), "");
  EXPECT_EQ(outcome->begun.entries[2].length, 17);
}

TEST_P(AttentionTest, RowsAreTheSameBitsWhateverElseIsInTheBatch) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence alone = driver->Create(model), other = driver->Create(model);
  StepPart part = Prefill(alone, 40);
  part.tags = driver->NewTags(40);
  const auto single = RunStep(*driver, model, {part});
  TestSequence again = driver->Create(model);
  part.sequence = &again;
  const auto batched = RunStep(*driver, model, {part, Prefill(other, 33)});
  ASSERT_TRUE(single.ok() && batched.ok());
  for (size_t layer = 0; layer < 2; ++layer) {
    const std::string& bytes = single->layers[layer].out;
    EXPECT_EQ(batched->layers[layer].out.compare(0, bytes.size(), bytes), 0);
  }
}

TEST_P(AttentionTest, AppendOnlyThenNamedSequences) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register(WithLayers({Layer(2), Layer(1, 6), Layer(2, 0, 0)}));
  TestSequence sequence = driver->Create(model);
  for (const int64_t tokens : {1, 30, 2}) {
    Append append;
    append.entry = Prefill(sequence, tokens, false).ToEntry();
    const std::vector<int64_t> tags = driver->NewTags(tokens);
    const auto result = SendAppend(*driver, model, append, tags).Wait();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(result->step_closed);
    EXPECT_EQ(result->entry->length, sequence.length());
    sequence.tags.insert(sequence.tags.end(), tags.begin(), tags.end());
  }
  EXPECT_EQ(NamedDifference(*driver, model, sequence, 33), "");
}

TEST_P(AttentionTest, SeveralNamedSequencesAtOnce) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence a = driver->Create(model), b = driver->Create(model);
  ASSERT_TRUE(RunStep(*driver, model, {Prefill(a, 20), Prefill(b, 9)}).ok());
  const auto result = AttendNamed(*driver, model, 1, {&b, &a}, 4);
  ASSERT_TRUE(result.ok()) << result.status();
  for (int64_t row = 0; row < 4; ++row) {
    EXPECT_EQ(Difference(model, 1, *result, row, b, 5 + row), "");
    EXPECT_EQ(Difference(model, 1, *result, 4 + row, a, 16 + row), "");
  }
}

TEST_P(AttentionTest, RangesOfTokensComeInOrder) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence a = driver->Create(model), b = driver->Create(model);
  const auto begun = driver->Begin({Prefill(a, 10), Prefill(b, 10)});
  ASSERT_TRUE(begun.ok());
  a.tags = driver->NewTags(10);
  b.tags = driver->NewTags(10);
  std::vector<int64_t> tags = a.tags;
  tags.insert(tags.end(), b.tags.begin(), b.tags.end());
  for (int32_t layer = 0; layer < 2; ++layer) {
    const std::vector<int64_t> first(tags.begin(), tags.begin() + 7);
    const std::vector<int64_t> second(tags.begin() + 7, tags.end());
    const auto head = SendAttend(*driver, model, begun->step, layer, first).Wait();
    const auto rest = SendAttend(*driver, model, begun->step, layer, second, 7).Wait();
    ASSERT_TRUE(head.ok() && rest.ok()) << rest.status();
    EXPECT_EQ(rest->step_closed, layer == 1);
    EXPECT_EQ(Difference(model, layer, *head, 6, a, 6), "");
    EXPECT_EQ(Difference(model, layer, *rest, 2, a, 9), "");
    EXPECT_EQ(Difference(model, layer, *rest, 12, b, 9), "");
  }
}

TEST_P(AttentionTest, WhatIsNotFiniteIsCountedAndWeighsNothing) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register(WithLayers({Layer(2)}));
  TestSequence sequence = driver->Create(model);
  ASSERT_TRUE(RunStep(*driver, model, {Prefill(sequence, 5)}).ok());
  const auto begun = driver->Begin({Decode(sequence, 2)});
  sequence.tags.resize(7, driver->NewTags(1)[0]);
  std::vector<float> q(2 * 4 * 16, 0.25f), k(2 * 2 * 16, 0.5f), v(2 * 2 * 32, 1.0f);
  q[3] = std::numeric_limits<float>::infinity();  // token 0
  k[17] = std::nanf("");                          // token 0, head 1
  v[2 * 32] = -std::numeric_limits<float>::infinity();  // token 1, head 0
  const FloatTensor qt(q, {2, 4, 16}), kt(k, {2, 2, 16}), vt(v, {2, 2, 32});
  Attend attend;
  attend.step = begun->step;
  attend.q = qt.ref();
  attend.k = kt.ref();
  attend.v = vt.ref();
  attend.want_lse = true;
  const auto result = driver->Call(std::move(attend));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->non_finite_query_rows, 1);
  EXPECT_EQ(result->non_finite_key_value_rows, 2);
  EXPECT_EQ(driver->Status().totals.non_finite_rows, 3);
  const TestSequence known{0, {sequence.tags.begin(), sequence.tags.begin() + 5}};
  EXPECT_EQ(driver->Held(sequence, 0, 1).size(), 7u);  // a slot of weight 0 is still held
}

TEST_P(AttentionTest, AnswersComeInTheDtypeOfTheQueries) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence sequence = driver->Create(model);
  ASSERT_TRUE(RunStep(*driver, model, {Prefill(sequence, 3)}).ok());
  std::string halves(2 * 4 * 16 + 1, '\0');
  Attend attend;
  attend.sequences = {{sequence.id, 1}};
  attend.q.dtype = Dtype::kBf16;
  attend.q.rank = 3;
  attend.q.shape = {1, 4, 16};
  attend.q.data = reinterpret_cast<const std::byte*>(halves.data() + 1);
  const auto result = driver->Call(std::move(attend));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->out.size(), 1u * 4 * 32 * 2);
  EXPECT_TRUE(result->lse.empty());
}

ModelGeometry GeometryOf(const char* name, int32_t head_dim, int32_t page_size_tokens) {
  ModelGeometry geometry = SmallGeometry();
  geometry.name = name;
  geometry.k_dim = geometry.v_dim = head_dim;
  geometry.page_size_tokens = page_size_tokens;
  return geometry;
}

// Pages of as many bytes, but of 16 and 32 tokens: what lies beside them differs.
TEST_P(AttentionTest, ModelsOfTwoPageSizesLeaveEachOtherAlone) {
  auto driver = MakeDriver(GetParam());
  const TestModel wide = driver->Register(GeometryOf("wide", 256, 16));
  const TestModel narrow = driver->Register(GeometryOf("narrow", 128, 32));
  TestSequence a = driver->Create(wide), b = driver->Create(narrow);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(RunStep(*driver, wide, {Prefill(a, 20)}).ok());
    ASSERT_TRUE(RunStep(*driver, narrow, {Prefill(b, 20)}).ok());
  }
  EXPECT_EQ(NamedDifference(*driver, wide, a, 3), "");
  EXPECT_EQ(NamedDifference(*driver, narrow, b, 3), "");
}

}  // namespace
}  // namespace sluice
