// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "daemon/engine/model.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/registry.h"
#include "daemon/rpc/convert_common.h"
#include "daemon/rpc/convert_model.h"
#include "daemon/rpc/convert_policy.h"
#include "daemon/rpc/convert_sequence.h"
#include "daemon/rpc/convert_step.h"
#include "tests/daemon/rpc/bad_request.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

constexpr Caller kCaller{.tenant = 3, .session = 11};

AttendResult Result(std::string out, int64_t rows, int64_t query_heads, int64_t v_dim) {
  AttendResult result;
  result.out = std::move(out);
  result.rows = rows;
  result.query_heads = query_heads;
  result.v_dim = v_dim;
  return result;
}

TEST(ConvertTest, EveryReasonHasItsNameOnTheWire) {
  for (int i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_EQ(v1::Reason_Name(FromReason(reason)),
              "REASON_" + std::string(ReasonName(reason)));
  }
}

TEST(ConvertTest, AJobSaysWhatAttentionWentFromEachLayer) {
  JobReport report;
  report.evicted_mass_share = 0.25;
  report.layers = {{0, 7, 0.5}, {2, 3, std::nullopt}};
  v1::JobReport wire;
  FromJobReport(report, &wire);
  EXPECT_EQ(wire.evicted_mass_share(), 0.25);
  ASSERT_EQ(wire.layers_size(), 2);
  EXPECT_EQ(wire.layers(0).evicted_mass_share(), 0.5);
  EXPECT_EQ(wire.layers(1).layer(), 2);
  EXPECT_EQ(wire.layers(1).evicted_slot_count(), 3);
  EXPECT_FALSE(wire.layers(1).has_evicted_mass_share());
  wire.Clear();
  FromJobReport(JobReport(), &wire);
  EXPECT_FALSE(wire.has_evicted_mass_share());
}

TEST(ConvertTest, DtypesComeBackAsTheyWere) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    EXPECT_EQ(ToDtype(FromDtype(dtype)), dtype);
  }
}

TEST(ConvertTest, TensorsStayWhereProtobufPutThem) {
  const auto request = Parse<v1::AttendRequest>(
      "step_id: STEP layer: 4 first_token: 2 want_lse: true "
      "q { dtype: DTYPE_FP16 shape: [1, 2, 1] inline: 'abcd' }");
  const Attend command = ToCommand(request, kCaller);
  EXPECT_EQ(command.q.data, reinterpret_cast<const std::byte*>(request.q().inline_().data()));
  EXPECT_EQ(command.q.dtype, Dtype::kF16);
  EXPECT_EQ(command.q.rank, 3);
  EXPECT_EQ(command.q.shape[1], 2);
  EXPECT_FALSE(command.k.present());
  EXPECT_EQ(command.caller.tenant, 3);
  EXPECT_EQ(command.caller.session, 11);
  EXPECT_EQ(command.step, TestId(2));
  EXPECT_EQ(command.layer, 4);
  EXPECT_EQ(command.first_token, 2);
  EXPECT_TRUE(command.want_lse);
}

TEST(ConvertTest, AnAttendBringsStorageForItsAnswer) {
  auto request = Parse<v1::AttendRequest>(
      "step_id: STEP q { dtype: DTYPE_FP16 shape: [1, 2, 3] inline: 'abcdefghijkl' }");
  EXPECT_EQ(ToCommand(request, kCaller).out.size(), 12);
  EXPECT_EQ(ToCommand(request, kCaller).lse.size(), 0);
  request.set_want_lse(true);
  EXPECT_EQ(ToCommand(request, kCaller).lse.size(), 8);
}

TEST(ConvertTest, ResultsMoveIntoTheAnswer) {
  AttendResult result = Result(std::string(64, 'o'), 4, 2, 4);
  result.dtype = Dtype::kBf16;
  result.lse = std::string(32, 'l');
  result.step_closed = true;
  const char* bytes = result.out.data();
  v1::AttendResponse response;
  FillResponse(std::move(result), &response);
  EXPECT_EQ(response.out().inline_().data(), bytes);
  EXPECT_THAT(response.out().shape(), ElementsAre(4, 2, 4));
  EXPECT_EQ(response.out().dtype(), v1::DTYPE_BF16);
  EXPECT_THAT(response.lse().shape(), ElementsAre(4, 2));
  EXPECT_TRUE(response.step_closed());
}

TEST(ConvertTest, WithoutLseTheAnswerHasNone) {
  v1::AttendResponse response;
  FillResponse(Result("aaaa", 1, 1, 1), &response);
  EXPECT_FALSE(response.has_lse());
}

TEST(ConvertTest, EntriesKeepEveryField) {
  const BeginStep command = ToCommand(
      Parse<v1::BeginStepRequest>(
          "entries { sequence_id: SEQ base_length: 5 token_count: 2 phase: PHASE_PREFILL "
          "prefill_end: true rollback: true } append_only: true leave_out: true "
          "max_wait { seconds: 2 nanos: 500000000 }"),
      kCaller);
  ASSERT_EQ(command.entries.size(), 1);
  EXPECT_EQ(command.entries[0].sequence, TestId(1));
  EXPECT_EQ(command.entries[0].base_length, 5);
  EXPECT_EQ(command.entries[0].token_count, 2);
  EXPECT_EQ(command.entries[0].phase, Phase::kPrefill);
  EXPECT_TRUE(command.entries[0].prefill_end && command.entries[0].rollback);
  EXPECT_TRUE(command.append_only && command.leave_out);
  EXPECT_EQ(command.max_wait, absl::Milliseconds(2500));
}

TEST(ConvertTest, APolicyComesBackAsItWas) {
  const std::string parameters =
      "prune_after_tokens: 10 protect_first_tokens: 2 protect_last_tokens: 3 "
      "ratio { value: 0.25 of: OF_REMOVED rounding: ROUNDING_FLOOR } skip_layers { layers: 1 } "
      "triggers { prefill_end: true once: true every { tokens: 8 } } "
      "visible: VISIBLE_WHEN_READY shared_prefix: SHARED_PREFIX_KEEP";
  const auto sent = Parse<v1::Policy>("preset: 'l2norm' parameters { " + parameters + " }");
  ModelFacts model;
  model.page_size = 32;
  model.layers = {{0, 1, 0}, {1, 1, 0}, {2, 1, 0}};
  const auto policy = MakePolicy(ToPolicySpec(sent), model);
  ASSERT_TRUE(policy.ok()) << policy.status();
  v1::ResolvedPolicy resolved;
  FromPolicy(**policy, &resolved);
  EXPECT_EQ(resolved.preset(), "l2norm");
  EXPECT_EQ(resolved.parameters().DebugString(), sent.parameters().DebugString());
  EXPECT_TRUE(resolved.allows_rollback());
}

TEST(ConvertTest, FixedCountsAndHysteresisArrive) {
  const PolicySpec spec = ToPolicySpec(Parse<v1::Policy>(
      "parameters { sink_tokens: 0 recent_tokens: 5 budget_tokens: 6 "
      "triggers { pressure: true every { tokens: 8 hysteresis_tokens: 0 } } }"));
  EXPECT_EQ(spec.sink_tokens, 0);
  EXPECT_EQ(spec.recent_tokens, 5);
  EXPECT_EQ(spec.budget_tokens, 6);
  EXPECT_TRUE(spec.triggers->pressure);
  EXPECT_EQ(spec.triggers->hysteresis_tokens, 0);
}

// Resolved under `make`, so that a preset's own rules hold.
void ExpectComesBack(absl::StatusOr<PolicyPtr> (*make)(const PolicySpec&, const ModelFacts&),
                     const std::string& parameters) {
  const auto sent = Parse<v1::Policy>(
      "parameters { budget_tokens: 64 window_tokens: 5 pool: SCORE_POOL_AVERAGE pool_width: 3 "
      "group_reduce: GROUP_REDUCE_SUM triggers { prefill_end: true } "
      "visible: VISIBLE_WHEN_DUE shared_prefix: SHARED_PREFIX_COMPRESS " + parameters + " }");
  const auto policy = make(ToPolicySpec(sent), {.layers = {{0, 1, 0}}, .page_size = 32});
  ASSERT_TRUE(policy.ok()) << policy.status();
  v1::ResolvedPolicy resolved;
  FromPolicy(**policy, &resolved);
  EXPECT_EQ(resolved.parameters().DebugString(), sent.parameters().DebugString());
  EXPECT_EQ(resolved.needs().observation_window_tokens(), 5);
}

TEST(ConvertTest, ParametersOfTheWindowPresetsComeBackAsTheyWere) {
  ExpectComesBack(MakeSnapKv, "");
  ExpectComesBack(MakePyramidKv, "beta: 7");
  ExpectComesBack(MakePyramidKv, "low_end_tokens: 0");
  ExpectComesBack(MakeAdaKv, "alpha: 0.5 head_budget: HEAD_BUDGET_SAFEGUARD");
  ExpectComesBack(MakeDynamicKv,
                  "r_max: 2.5 update_every_layers: 3 arithmetic: LAYER_ARITHMETIC_REFERENCE");
}

TEST(ConvertTest, ParametersOfH2oComeBackAsTheyWere) {
  const auto sent = Parse<v1::Policy>(
      "parameters { recent_tokens: 5 group_reduce: GROUP_REDUCE_SUM heavy_tokens: 7 decay: 1 "
      "squared: true normalise: SCORE_NORMALISE_MEAN triggers { prefill_end: true } "
      "visible: VISIBLE_WHEN_DUE shared_prefix: SHARED_PREFIX_COMPRESS }");
  const auto policy = MakeH2o(ToPolicySpec(sent), {.layers = {{0, 1, 0}}, .page_size = 32});
  ASSERT_TRUE(policy.ok()) << policy.status();
  v1::ResolvedPolicy resolved;
  FromPolicy(**policy, &resolved);
  EXPECT_EQ(resolved.parameters().DebugString(), sent.parameters().DebugString());
  EXPECT_TRUE(resolved.needs().every_query_row());
  EXPECT_FALSE(resolved.allows_rollback() || resolved.adopts_prefixes());
}

TEST(ConvertTest, AbsentParametersStayAbsent) {
  PolicySpec full;
  full.preset = "full";
  EXPECT_EQ(ToPolicySpec(Parse<v1::Policy>("preset: 'full'")), full);
}

TEST(ConvertTest, AGeometryKeepsEveryField) {
  const RegisterModel command = ToCommand(
      Parse<v1::RegisterModelRequest>(
          "geometry { name: 'm' query_head_count: 4 k_dim: 64 v_dim: 80 dtype: DTYPE_FP16 "
          "scale: 0.5 logit_soft_cap: 30 key_space: KEY_SPACE_UNROTATED "
          "layers { kv_head_count: 2 window_tokens: 9 rope_table_index: 0 sink_logits: [1, 2] } "
          "layers { kv_head_count: 2 source_layer: 0 } "
          "rope_tables { inv_freq: [1, 0.5] rotary_dim: 4 pairing: PAIRING_INTERLEAVED } } "
          "expected_fingerprint: 'ab'"),
      kCaller);
  const ModelGeometry& geometry = command.geometry;
  EXPECT_EQ(geometry.query_heads, 4);
  EXPECT_EQ(geometry.v_dim, 80);
  EXPECT_EQ(geometry.dtype, Dtype::kF16);
  EXPECT_EQ(geometry.scale, 0.5f);
  EXPECT_EQ(geometry.page_size_tokens, 32);  // 0 on the wire
  EXPECT_FALSE(geometry.keys_rotated);
  EXPECT_EQ(geometry.layers[0].window_tokens, 9);
  EXPECT_EQ(geometry.layers[0].source_layer, -1);
  EXPECT_EQ(geometry.layers[1].source_layer, 0);
  EXPECT_EQ(geometry.layers[1].rope_table, -1);
  EXPECT_THAT(geometry.layers[0].sink_logits, ElementsAre(1, 2));
  EXPECT_EQ(geometry.rope_tables[0].pairing, RopePairing::kInterleaved);
  EXPECT_EQ(geometry.rope_tables[0].attention_factor, 1.0f);
  EXPECT_EQ(command.expected_fingerprint, "ab");
}

// Sent and resolved, it reads as it was sent, and so it does when it is resolved again.
void ExpectCascadeComesBack(const std::string& preset, const std::string& parameters) {
  const ModelFacts model{.layers = {{0, 1, 0}}, .page_size = 32};
  v1::Policy sent =
      Parse<v1::Policy>("preset: '" + preset + "' parameters { " + parameters + " triggers {} }");
  for (int round = 0; round < 2; ++round) {
    const auto policy = MakePolicy(ToPolicySpec(sent), model);
    ASSERT_TRUE(policy.ok()) << policy.status();
    v1::ResolvedPolicy resolved;
    FromPolicy(**policy, &resolved);
    EXPECT_EQ(resolved.parameters().DebugString(), sent.parameters().DebugString());
    EXPECT_TRUE(resolved.needs().joint_key_value_query() && resolved.needs().rope_table());
    EXPECT_FALSE(resolved.allows_rollback() || resolved.adopts_prefixes());
    *sent.mutable_parameters() = resolved.parameters();
  }
}

TEST(ConvertTest, ParametersOfCascadesComeBackAsTheyWere) {
  for (const char* reduce : {"MEAN", "MAX", "SUM", "MEDIAN"}) {
    ExpectCascadeComesBack("cascade", absl::StrCat("sink_tokens: 0 group_reduce: GROUP_REDUCE_",
                                                   reduce,
                                                   " decay: 0.5 cascade_tokens: 6 cascades: 2 "
                                                   "periods { tokens: 1 tokens: 3 } "
                                                   "eager_fill: false stride_tokens: 7"));
  }
  ExpectCascadeComesBack("streaming_llm", "sink_tokens: 2 recent_tokens: 3 stride_tokens: 9");
}

TEST(ConvertTest, EmptyPeriodsAreNotAbsentOnes) {
  EXPECT_EQ(ToPolicySpec(Parse<v1::Policy>("parameters {}")).periods, std::nullopt);
  EXPECT_EQ(ToPolicySpec(Parse<v1::Policy>("parameters { periods {} }")).periods,
            std::vector<int64_t>{});
}

TEST(ConvertTest, LeaseOfASessionsSequenceIsAbsent) {
  SequenceCreated created;
  created.sequence = 5;
  created.policy = *MakePolicy({}, {.layers = {{0, 1, 0}}, .page_size = 32});
  v1::CreateSequenceResponse response;
  FillResponse(SequenceCreated(created), &response);
  EXPECT_FALSE(response.has_lease());
  created.lease = absl::Seconds(3);
  FillResponse(std::move(created), &response);
  EXPECT_EQ(response.lease().seconds(), 3);
}

}  // namespace
}  // namespace sluice
