// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_step.h"

#include "tests/daemon/rpc/bad_request.h"

namespace sluice {
namespace {

using enum Reason;

constexpr char kQ[] = "dtype: DTYPE_FP32 shape: [1, 2, 2] inline: 'aaaabbbbccccdddd'";

std::string Entry(const std::string& change) {
  return "entries { sequence_id: SEQ token_count: 1 phase: PHASE_DECODE " + change + " }";
}

std::string Attend(const std::string& change) {
  return std::string("step_id: STEP q { ") + kQ + " } " + change;
}

// A tensor with one thing changed, as the q of an Attend.
std::string WithQ(const std::string& tensor) { return "step_id: STEP q { " + tensor + " }"; }

std::string Layer(const std::string& change) {
  return std::string("layers { k { ") + kQ + " } v { " + kQ + " } " + change + " }";
}

class BeginStepTest : public ::testing::TestWithParam<BadRequest> {};

TEST_P(BeginStepTest, IsRefused) {
  ExpectRefused(GetParam(), Validate(Parse<v1::BeginStepRequest>(GetParam().text), TestRules()));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, BeginStepTest,
    ::testing::Values(
        BadRequest{"NoEntries", "", "entries"},
        BadRequest{"TooManyEntries", "entries{} entries{} entries{} entries{} entries{}", "entries"},
        BadRequest{"NoSequence", "entries { token_count: 1 }", "entries[0].sequence_id"},
        BadRequest{"StaleSequence", "entries { sequence_id: 5 }", "entries[0].sequence_id",
                   kStaleEpoch},
        BadRequest{"NegativeLength", Entry("base_length: -1"), "entries[0].base_length"},
        BadRequest{"LengthOverLimit", Entry("base_length: 1001"), "entries[0].base_length"},
        BadRequest{"NoTokens", "entries { sequence_id: SEQ }", "entries[0].token_count"},
        BadRequest{"NegativeTokens", "entries { sequence_id: SEQ token_count: -3 }",
                   "entries[0].token_count"},
        BadRequest{"SumOverLimit", "entries { sequence_id: SEQ base_length: 999 token_count: 2 }",
                   "entries[0].token_count"},
        BadRequest{"HugeTokens",
                   "entries { sequence_id: SEQ base_length: 1 token_count: 9223372036854775807 }",
                   "entries[0].token_count"},
        BadRequest{"OtherIdCount", Entry("token_ids: [1, 2]"), "entries[0].token_ids"},
        BadRequest{"NegativeTokenId", Entry("token_ids: [-1]"), "entries[0].token_ids[0]"},
        BadRequest{"NoPhase", "entries { sequence_id: SEQ token_count: 1 }", "entries[0].phase"},
        BadRequest{"UnknownPhase", "entries { sequence_id: SEQ token_count: 1 phase: 9 }",
                   "entries[0].phase"},
        BadRequest{"PrefillEndOfDecode", Entry("prefill_end: true"), "entries[0].prefill_end"},
        BadRequest{"EmptyKey", Entry("extra_keys { key: '' }"), "entries[0].extra_keys[0].key"},
        BadRequest{"NegativeKeyPosition", Entry("extra_keys { key: 'k' first_position: -1 }"),
                   "entries[0].extra_keys[0].first_position"},
        BadRequest{"NegativeKeyCount", Entry("extra_keys { key: 'k' token_count: -1 }"),
                   "entries[0].extra_keys[0].token_count"},
        BadRequest{"Twice", Entry("") + Entry(""), "entries[1].sequence_id"},
        BadRequest{"NegativeWait", Entry("") + "max_wait { seconds: -1 }", "max_wait"},
        BadRequest{"LongWait", Entry("") + "max_wait { seconds: 301 }", "max_wait"},
        BadRequest{"MalformedWait", Entry("") + "max_wait { nanos: 2000000000 }", "max_wait"}),
    [](const auto& info) { return info.param.name; });

class AppendTest : public ::testing::TestWithParam<BadRequest> {};

TEST_P(AppendTest, IsRefused) {
  ExpectRefused(GetParam(), Validate(Parse<v1::AppendRequest>(GetParam().text), TestRules()));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, AppendTest,
    ::testing::Values(
        BadRequest{"NoTarget", Layer(""), "step_id"},
        BadRequest{"StaleStep", "step_id: 1 " + Layer(""), "step_id", kStaleEpoch},
        BadRequest{"BadEntry", "entry { sequence_id: SEQ }" + Layer(""), "entry.token_count"},
        BadRequest{"EntryInTheMiddle",
                   "entry { sequence_id: SEQ token_count: 1 phase: PHASE_DECODE } first_token: 1 " +
                       Layer(""),
                   "first_token"},
        BadRequest{"NegativeFirstToken", "step_id: STEP first_token: -1 " + Layer(""),
                   "first_token"},
        BadRequest{"NoLayers", "step_id: STEP", "layers"},
        BadRequest{"NegativeLayer", "step_id: STEP " + Layer("layer: -1"), "layers[0].layer"},
        BadRequest{"LayerOverLimit", "step_id: STEP " + Layer("layer: 1024"), "layers[0].layer"},
        BadRequest{"SameLayer", "step_id: STEP " + Layer("layer: 3") + Layer("layer: 3"),
                   "layers[1].layer"},
        BadRequest{"NoK", std::string("step_id: STEP layers { v { ") + kQ + " } }", "layers[0].k"},
        BadRequest{"NoV", std::string("step_id: STEP layers { k { ") + kQ + " } }", "layers[0].v"},
        BadRequest{"OtherRows",
                   std::string("step_id: STEP layers { k { ") + kQ +
                       " } v { dtype: DTYPE_BF16 shape: [2, 1, 1] inline: 'aabb' } }",
                   "layers[0].v.shape"},
        BadRequest{"Observations",
                   "step_id: STEP " + Layer("observation_queries { dtype: DTYPE_FP32 }"),
                   "layers[0].observation_queries.inline"}),
    [](const auto& info) { return info.param.name; });

class AttendTest : public ::testing::TestWithParam<BadRequest> {};

TEST_P(AttendTest, IsRefused) {
  ExpectRefused(GetParam(), Validate(Parse<v1::AttendRequest>(GetParam().text), TestRules()));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, AttendTest,
    ::testing::Values(
        BadRequest{"NoTarget", std::string("q { ") + kQ + " }", "step_id"},
        BadRequest{"NoSequences", std::string("sequences {} q { ") + kQ + " }",
                   "sequences.sequences"},
        BadRequest{"NoRows", "sequences { sequences { sequence_id: SEQ } }",
                   "sequences.sequences[0].row_count"},
        BadRequest{"SequenceTwice",
                   "sequences { sequences { sequence_id: SEQ row_count: 1 } "
                   "sequences { sequence_id: SEQ row_count: 1 } }",
                   "sequences.sequences[1].sequence_id"},
        BadRequest{"KWithoutStep",
                   "sequences { sequences { sequence_id: SEQ row_count: 1 } } k {}", "k"},
        BadRequest{"NegativeLayer", Attend("layer: -1"), "layer"},
        BadRequest{"NoQ", "step_id: STEP", "q"},
        BadRequest{"KAlone", Attend("k {}"), "v"},
        BadRequest{"VAlone", Attend("v {}"), "k"},
        BadRequest{"NoDtype", WithQ("shape: [1, 1, 1] inline: 'aaaa'"), "q.dtype"},
        BadRequest{"UnknownDtype", WithQ("dtype: 17 shape: [1, 1, 1] inline: 'aaaa'"), "q.dtype"},
        BadRequest{"NoBytes", WithQ("dtype: DTYPE_FP32 shape: [1, 1, 1]"), "q.inline"},
        BadRequest{"Slice", WithQ("dtype: DTYPE_FP32 shape: [1, 1, 1] slice { size_bytes: 4 }"),
                   "q.slice", kNotInVersion},
        BadRequest{"OtherRank", WithQ("dtype: DTYPE_FP32 shape: [1, 1] inline: 'aaaa'"), "q.shape"},
        BadRequest{"NegativeDim", WithQ("dtype: DTYPE_FP32 shape: [1, -1, 1] inline: 'aaaa'"),
                   "q.shape"},
        BadRequest{"ZeroDim", WithQ("dtype: DTYPE_FP32 shape: [1, 0, 1] inline: ''"), "q.shape"},
        BadRequest{"Truncated", WithQ("dtype: DTYPE_FP32 shape: [1, 1, 2] inline: 'aaaa'"),
                   "q.inline"},
        BadRequest{"TooLong", WithQ("dtype: DTYPE_FP16 shape: [1, 1, 1] inline: 'aaaa'"),
                   "q.inline"},
        BadRequest{"Overflow",
                   WithQ("dtype: DTYPE_FP32 shape: [4611686018427387904, 4, 4] inline: ''"),
                   "q.inline"},
        BadRequest{"OverLimit",
                   WithQ("dtype: DTYPE_FP32 shape: [1, 1, 1025] inline: '" +
                         std::string(4100, 'a') + "'"),
                   "q.inline"}),
    [](const auto& info) { return info.param.name; });

TEST(ValidateStepTest, GoodRequestsPass) {
  EXPECT_EQ(Validate(Parse<v1::BeginStepRequest>(Entry("token_ids: [5]")), TestRules()),
            absl::OkStatus());
  EXPECT_EQ(Validate(Parse<v1::AppendRequest>("step_id: STEP " + Layer("layer: 2")), TestRules()),
            absl::OkStatus());
  EXPECT_EQ(Validate(Parse<v1::AttendRequest>(Attend("")), TestRules()), absl::OkStatus());
  EXPECT_EQ(Validate(Parse<v1::EndStepRequest>("step_id: STEP abort: true"), TestRules()),
            absl::OkStatus());
}

TEST(ValidateStepTest, AnUnmappedStepIsOnlyAborted) {
  ExpectRefused({"", "", "abort", kNotInVersion},
                Validate(Parse<v1::EndStepRequest>("step_id: STEP"), TestRules()));
}

TEST(ValidateStepTest, TheLimitOfBytesIsOverAllTensors) {
  const std::string half = "dtype: DTYPE_FP32 shape: [1, 1, 600] inline: '" +
                           std::string(2400, 'a') + "'";
  const std::string layers = "layers { k { " + half + " } v { " + half + " } }";
  ExpectRefused({"", "", "layers[0].v.inline"},
                Validate(Parse<v1::AppendRequest>("step_id: STEP " + layers), TestRules()));
}

}  // namespace
}  // namespace sluice
