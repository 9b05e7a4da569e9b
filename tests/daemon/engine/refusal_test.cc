// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Calls that are refused: which field is named, and that nothing changes.

#include "kernels/reference/reference_backend.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "gtest/gtest.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace {

constexpr auto kNotFound = absl::StatusCode::kNotFound;

class RefusalTest : public ::testing::Test {
 protected:
  RefusalTest() { EXPECT_TRUE(RunStep(driver_, model_, {Prefill(sequence_, 5, false)}).ok()); }

  absl::Status BeginWith(const std::function<void(StepEntry&)>& change) {
    BeginStep begin;
    begin.entries = {Decode(sequence_).ToEntry()};
    change(begin.entries[0]);
    return driver_.Call(begin).status();
  }

  EngineDriver driver_;
  TestModel model_ = driver_.Register();
  TestSequence sequence_ = driver_.Create(model_);
};

TEST_F(RefusalTest, EntriesOfAStep) {
  EXPECT_THAT(driver_.Begin({}), RefusedField("entries"));
  EXPECT_THAT(driver_.Begin({Decode(sequence_), Decode(sequence_)}),
              RefusedField("entries[1].sequence_id"));
  EXPECT_THAT(BeginWith([](StepEntry& e) { e.token_count = 0; }),
              RefusedField("entries[0].token_count"));
  EXPECT_THAT(BeginWith([](StepEntry& e) { e.token_count = INT64_MAX; }),
              RefusedField("entries[0].token_count"));
  EXPECT_THAT(BeginWith([](StepEntry& e) { e.base_length = -1; }),
              RefusedField("entries[0].base_length"));
  EXPECT_THAT(BeginWith([](StepEntry& e) { e.base_length = INT64_MAX; }),
              RefusedField("entries[0].base_length"));
  EXPECT_THAT(BeginWith([](StepEntry& e) { e.prefill_end = true; }),
              RefusedField("entries[0].prefill_end"));
  EXPECT_EQ(driver_.Info(sequence_)->length, 5);
}

TEST_F(RefusalTest, EntriesOfTwoModels) {
  ModelGeometry geometry = SmallGeometry();
  geometry.name = "another";
  TestSequence other = driver_.Create(driver_.Register(geometry));
  EXPECT_THAT(driver_.Begin({Decode(sequence_), Decode(other)}),
              RefusedField("entries[1].sequence_id"));
}

TEST_F(RefusalTest, IdsOfAnotherTenant) {
  GetSequence get;
  get.caller.tenant = 1;
  get.sequence = sequence_.id;
  EXPECT_THAT(driver_.Call(get), Refused(kNotFound, Reason::kUnknownSequence, "sequence_id"));
  CreateSequence create;
  create.caller.tenant = 1;
  create.model_id = model_.id;
  EXPECT_THAT(driver_.Call(create), Refused(kNotFound, Reason::kUnknownModel, "model_id"));
  FreeSequences free;
  free.caller.tenant = 1;
  free.sequences = {sequence_.id};
  EXPECT_THAT(driver_.Call(free), Refused(kNotFound, Reason::kUnknownSequence, "sequence_ids[0]"));
  const auto begun = driver_.Begin({Decode(sequence_)});
  EndStep end;
  end.caller.tenant = 1;
  end.step = begun->step;
  end.abort = true;
  EXPECT_THAT(driver_.Call(end), Refused(kNotFound, Reason::kUnknownStep, "step_id"));
}

TEST_F(RefusalTest, IdsOfAnEarlierLife) {
  const uint64_t stale = sequence_.id ^ MakeId(2, 0);
  EXPECT_EQ(EpochOf(sequence_.id), driver_.engine().epoch());
  EXPECT_THAT(driver_.Info({stale, {}}), Refused(absl::StatusCode::kFailedPrecondition,
                                                 Reason::kStaleEpoch, "sequence_id"));
  EXPECT_THAT(driver_.Abort(stale), RefusedFor(Reason::kStaleEpoch));
}

TEST_F(RefusalTest, ShapesOfTensors) {
  const auto begun = driver_.Begin({Decode(sequence_, 2)});
  const LayerTensors two(model_.geometry, 0, {1, 2}), one(model_.geometry, 0, {1});
  const auto attend = [&](int32_t layer, TensorRef q, TensorRef k, TensorRef v) {
    Attend command;
    command.step = begun->step;
    command.layer = layer;
    command.q = q;
    command.k = k;
    command.v = v;
    return driver_.Call(command).status();
  };
  EXPECT_THAT(attend(2, two.q.ref(), {}, {}), RefusedField("layer"));
  EXPECT_THAT(attend(-1, two.q.ref(), {}, {}), RefusedField("layer"));
  EXPECT_THAT(attend(0, {}, {}, {}), RefusedField("q.shape"));
  EXPECT_THAT(attend(0, two.k.ref(), {}, {}), RefusedField("q.shape"));
  EXPECT_THAT(attend(0, two.q.ref(), two.k.ref(), {}), RefusedField("v"));
  EXPECT_THAT(attend(0, two.q.ref(), {}, two.v.ref()), RefusedField("k"));
  EXPECT_THAT(attend(0, two.q.ref(), one.k.ref(), two.v.ref()), RefusedField("k.shape"));
  EXPECT_THAT(attend(0, two.q.ref(), two.k.ref(), two.k.ref()), RefusedField("v.shape"));
  EXPECT_EQ(attend(0, two.q.ref(), {}, {}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(attend(0, two.q.ref(), two.k.ref(), two.v.ref()).ok());
}

TEST_F(RefusalTest, RangesOfAStepsTokens) {
  const auto begun = driver_.Begin({Decode(sequence_, 4)});
  const std::vector<int64_t> two = driver_.NewTags(2);
  const auto at = [&](int64_t first) {
    return SendAttend(driver_, model_, begun->step, 0, two, first).Wait().status();
  };
  EXPECT_THAT(at(-1), RefusedField("first_token"));
  EXPECT_THAT(at(3), RefusedField("first_token"));
  EXPECT_THAT(at(2), RefusedField("first_token"));
  EXPECT_TRUE(at(0).ok());
  EXPECT_THAT(at(0), Refused(absl::StatusCode::kAborted, Reason::kRangeRepeated, "first_token"));
  EXPECT_TRUE(at(2).ok());
  EXPECT_THAT(at(2), RefusedFor(Reason::kRangeRepeated));
}

TEST_F(RefusalTest, LayersOfAnAppend) {
  const LayerTensors one(model_.geometry, 0, {1});
  const auto append = [&](std::vector<AppendLayer> layers, int64_t tokens = 1, int64_t first = 0) {
    Append command;
    command.entry = Decode(sequence_, tokens).ToEntry();
    command.layers = std::move(layers);
    command.first_token = first;
    return driver_.Call(command).status();
  };
  const AppendLayer good{0, one.k.ref(), one.v.ref()};
  const AppendLayer last{1, one.k.ref(), one.v.ref()};
  EXPECT_THAT(append({good}), RefusedField("layers"));
  EXPECT_THAT(append({good, good}), RefusedField("layers[1].layer"));
  EXPECT_THAT(append({good, {7, one.k.ref(), one.v.ref()}}), RefusedField("layers[1].layer"));
  EXPECT_THAT(append({good, {1, one.v.ref(), one.v.ref()}}), RefusedField("layers[1].k.shape"));
  EXPECT_THAT(append({good, last}, 2), RefusedField("layers[0].k.shape"));
  EXPECT_THAT(append({good, last}, 1, 1), RefusedField("first_token"));
  EXPECT_EQ(driver_.Status().open_steps, 0);
  EXPECT_TRUE(append({good, last}).ok());
}

TEST_F(RefusalTest, NamedSequences) {
  const LayerTensors one(model_.geometry, 0, {1});
  const auto attend = [&](std::vector<SequenceRows> named) {
    Attend command;
    command.sequences = std::move(named);
    command.q = one.q.ref();
    return driver_.Call(command).status();
  };
  EXPECT_THAT(attend({}), RefusedField("sequences.sequences"));
  EXPECT_THAT(attend({{sequence_.id, 0}}), RefusedField("sequences.sequences[0].row_count"));
  EXPECT_THAT(attend({{sequence_.id, 6}}), RefusedField("sequences.sequences[0].row_count"));
  EXPECT_THAT(attend({{sequence_.id, 2}}), RefusedField("q.shape"));
  EXPECT_THAT(attend({{sequence_.id, 1}, {sequence_.id, 1}}),
              RefusedField("sequences.sequences[1].sequence_id"));
  EXPECT_TRUE(attend({{sequence_.id, 1}}).ok());
}

TEST_F(RefusalTest, ExplainAndFree) {
  ExplainSequence explain;
  explain.sequence = sequence_.id;
  explain.layer = 2;
  EXPECT_THAT(driver_.Call(explain), RefusedField("layer"));
  explain.layer = 0;
  explain.kv_head = 2;
  EXPECT_THAT(driver_.Call(explain), RefusedField("kv_head"));
  FreeSequences free;
  EXPECT_THAT(driver_.Call(free), RefusedField("sequence_ids"));
  free.sequences = {sequence_.id, sequence_.id};
  EXPECT_THAT(driver_.Call(free), RefusedField("sequence_ids[1]"));
  EXPECT_TRUE(driver_.Info(sequence_).ok());
}

TEST_F(RefusalTest, ModelsOfOneNameMustBeAlike) {
  RegisterModel again;
  again.geometry = SmallGeometry();
  EXPECT_EQ(driver_.Call(again)->model_id, model_.id);
  again.geometry.scale = 0.3f;
  EXPECT_THAT(driver_.Call(again), RefusedFor(Reason::kFingerprintMismatch));
  again.geometry = SmallGeometry();
  again.expected_fingerprint = "0";
  EXPECT_THAT(driver_.Call(again), RefusedFor(Reason::kFingerprintMismatch));
}

// Takes keys of 32 dims at the most, of 16 where they turn.
class NarrowBackend final : public ReferenceBackend {
 public:
  explicit NarrowBackend(const BackendOptions& options)
      : ReferenceBackend(options.pool, options.signal) {}
  std::string FormatFault(const PageFormat& format) const override {
    const int32_t most = format.key_space == KeySpace::kCachePosition ? 16 : 32;
    return format.k_dim <= most ? "" : "up to " + std::to_string(most) + " dims fit";
  }
};

TEST(NarrowBackendTest, ModelsAndPoliciesItHasNoRoomForAreRefused) {
  EngineOptions options = SmallOptions();
  options.make_backend = [](const BackendOptions& backend) {
    return std::make_unique<NarrowBackend>(backend);
  };
  EngineDriver driver(options);
  RegisterModel wide;
  wide.geometry = SmallGeometry();
  wide.geometry.k_dim = 48;
  const absl::Status refused = driver.Call(wide).status();
  EXPECT_THAT(refused, RefusedField("k_dim"));
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("up to 32 dims fit"));

  ModelGeometry geometry = SmallGeometry();
  geometry.k_dim = 32;
  geometry.rope_tables = {{.inv_freq = {1.0f, 0.5f}, .rotary_dim = 4}};
  for (LayerGeometry& layer : geometry.layers) layer.rope_table = 0;
  const TestModel model = driver.Register(geometry);
  CreateSequence create;
  create.model_id = model.id;
  create.policy = {.preset = "streaming_llm", .sink_tokens = 4, .recent_tokens = 16};
  EXPECT_THAT(driver.Call(create), Refused(absl::StatusCode::kFailedPrecondition,
                                           Reason::kPolicyNeeds, "policy.preset"));
  create.policy = {};
  EXPECT_TRUE(driver.Call(create).ok());
}

TEST_F(RefusalTest, PoliciesAndDrafts) {
  CreateSequence create;
  create.model_id = model_.id;
  create.policy.preset = "unknown";
  EXPECT_THAT(driver_.Call(create), RefusedField("policy.preset"));
  create.policy.preset = "full";
  create.draft_tokens = -1;
  EXPECT_THAT(driver_.Call(create), RefusedField("draft_tokens"));
  create.draft_tokens = 0;
  create.lease = absl::Seconds(-1);
  EXPECT_THAT(driver_.Call(create), RefusedField("lease"));
  Compress compress;
  compress.sequence = sequence_.id;
  compress.budget_tokens = 4;
  EXPECT_THAT(driver_.Call(compress), RefusedField("budget_tokens"));
  EXPECT_EQ(driver_.Status().sequences, 1);
}

}  // namespace
}  // namespace sluice
