// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_sequence.h"

#include "daemon/rpc/validate_admin.h"
#include "tests/daemon/rpc/bad_request.h"

namespace sluice {
namespace {

using enum Reason;

class CreateSequenceTest : public ::testing::TestWithParam<BadRequest> {};

TEST_P(CreateSequenceTest, IsRefused) {
  const auto request = Parse<v1::CreateSequenceRequest>(GetParam().text);
  ExpectRefused(GetParam(), Validate(request, TestRules()));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, CreateSequenceTest,
    ::testing::Values(
        BadRequest{"NoModel", "", "model_id"},
        BadRequest{"StaleModel", "model_id: 9", "model_id", kStaleEpoch},
        BadRequest{"LongPreset", "model_id: MODEL policy { preset: '" + std::string(65, 'x') + "' }",
                   "policy.preset"},
        BadRequest{"BinaryPreset", "model_id: MODEL policy { preset: '\\001' }", "policy.preset"},
        BadRequest{"RatioOfNothing",
                   "model_id: MODEL policy { parameters { ratio { value: 0.5 } } }",
                   "policy.parameters.ratio.of"},
        BadRequest{"RatioUnrounded",
                   "model_id: MODEL policy { parameters { ratio { value: 0.5 of: OF_KEPT } } }",
                   "policy.parameters.ratio.rounding"},
        BadRequest{"RatioNan",
                   "model_id: MODEL policy { parameters { ratio { value: nan of: OF_KEPT "
                   "rounding: ROUNDING_CEIL } } }",
                   "policy.parameters.ratio.value"},
        BadRequest{"RatioAboveOne",
                   "model_id: MODEL policy { parameters { ratio { value: 1.5 of: OF_KEPT "
                   "rounding: ROUNDING_CEIL } } }",
                   "policy.parameters.ratio.value"},
        BadRequest{"RemovesAll",
                   "model_id: MODEL policy { parameters { ratio { value: 1 of: OF_REMOVED "
                   "rounding: ROUNDING_CEIL } } }",
                   "policy.parameters.ratio.value"},
        BadRequest{"OnceOfNothing", "model_id: MODEL policy { parameters { triggers { once: true } } }",
                   "policy.parameters.triggers.once"},
        BadRequest{"EveryZero", "model_id: MODEL policy { parameters { triggers { every {} } } }",
                   "policy.parameters.triggers.every.tokens"},
        BadRequest{"UnknownVisible", "model_id: MODEL policy { parameters { visible: 5 } }",
                   "policy.parameters.visible"},
        BadRequest{"UnknownShared", "model_id: MODEL policy { parameters { shared_prefix: 5 } }",
                   "policy.parameters.shared_prefix"},
        BadRequest{"UnknownPool", "model_id: MODEL policy { parameters { pool: 5 } }",
                   "policy.parameters.pool"},
        BadRequest{"UnknownReduce", "model_id: MODEL policy { parameters { group_reduce: 5 } }",
                   "policy.parameters.group_reduce"},
        BadRequest{"UnknownShare", "model_id: MODEL policy { parameters { head_budget: 5 } }",
                   "policy.parameters.head_budget"},
        BadRequest{"UnknownArithmetic", "model_id: MODEL policy { parameters { arithmetic: 5 } }",
                   "policy.parameters.arithmetic"},
        BadRequest{"ManyPeriods",
                   "model_id: MODEL policy { parameters { periods { "
                   "tokens: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8] } } }",
                   "policy.parameters.periods.tokens"},
        BadRequest{"NegativeToken", "model_id: MODEL token_ids: [3, -4]", "token_ids[1]"},
        BadRequest{"LongKey", "model_id: MODEL extra_keys { key: '" + std::string(257, 'k') + "' }",
                   "extra_keys[0].key"},
        BadRequest{"NegativeDrafts", "model_id: MODEL draft_tokens: -1", "draft_tokens"},
        BadRequest{"ManyDrafts", "model_id: MODEL draft_tokens: 1025", "draft_tokens"},
        BadRequest{"LowPriority", "model_id: MODEL priority: -101", "priority"},
        BadRequest{"ShortLease", "model_id: MODEL lease { nanos: 5 }", "lease"},
        BadRequest{"LongLease", "model_id: MODEL lease { seconds: 86401 }", "lease"},
        BadRequest{"HugeLease", "model_id: MODEL lease { seconds: 9223372036854775807 }", "lease"},
        BadRequest{"StaleSession", "model_id: MODEL session_id: 4", "session_id", kStaleEpoch},
        BadRequest{"LongRequestId",
                   "model_id: MODEL request_id: '" + std::string(37, 'r') + "'", "request_id"}),
    [](const auto& info) { return info.param.name; });

TEST(ValidateSequenceTest, ListsOfIdsAreBounded) {
  ExpectRefused({"", "", "parents"}, Validate(v1::ForkSequencesRequest(), TestRules()));
  ExpectRefused({"", "", "sequence_ids"}, Validate(v1::FreeSequencesRequest(), TestRules()));
  v1::FreeSequencesRequest many;
  for (int i = 1; i <= 4097; ++i) many.add_sequence_ids(TestId(static_cast<uint32_t>(i)));
  ExpectRefused({"", "", "sequence_ids"}, Validate(many, TestRules()));
}

TEST(ValidateSequenceTest, AParentMayOccurTwiceButIsFreedOnce) {
  EXPECT_EQ(Validate(Parse<v1::ForkSequencesRequest>("parents: [SEQ, SEQ]"), TestRules()),
            absl::OkStatus());
  ExpectRefused({"", "", "sequence_ids[1]"},
                Validate(Parse<v1::FreeSequencesRequest>("sequence_ids: [SEQ, SEQ]"), TestRules()));
}

TEST(ValidateSequenceTest, IdsOfAnotherLifeAreStale) {
  const BadRequest stale{"", "", "sequence_id", kStaleEpoch};
  ExpectRefused(stale, Validate(Parse<v1::GetSequenceRequest>("sequence_id: 1"), TestRules()));
  ExpectRefused(stale, Validate(Parse<v1::CompressRequest>("sequence_id: 1"), TestRules()));
  ExpectRefused(stale, Validate(Parse<v1::ExplainSequenceRequest>("sequence_id: 1"), TestRules()));
}

TEST(ValidateSequenceTest, SetPolicyNeedsAPolicy) {
  ExpectRefused({"", "", "policy"},
                Validate(Parse<v1::SetPolicyRequest>("sequence_id: SEQ"), TestRules()));
}

TEST(ValidateSequenceTest, CompressChecksItsBudget) {
  for (const char* text : {"sequence_id: SEQ budget_tokens: 0", "sequence_id: SEQ budget_tokens: -1",
                           "sequence_id: SEQ budget_tokens: 1001"}) {
    ExpectRefused({"", "", "budget_tokens"},
                  Validate(Parse<v1::CompressRequest>(text), TestRules()));
  }
}

TEST(ValidateSequenceTest, ExplainChecksItsPlace) {
  ExpectRefused({"", "", "layer"},
                Validate(Parse<v1::ExplainSequenceRequest>("sequence_id: SEQ layer: -1"),
                         TestRules()));
  ExpectRefused({"", "", "kv_head"},
                Validate(Parse<v1::ExplainSequenceRequest>("sequence_id: SEQ kv_head: -1"),
                         TestRules()));
}

TEST(ValidateAdminTest, PagesComeByTheirToken) {
  EXPECT_EQ(ToPageRequest(0, "")->limit, 1000);
  EXPECT_EQ(ToPageRequest(5, PageToken(77))->after, 77);
  ExpectRefused({"", "", "page_size"}, ToPageRequest(-1, "").status());
  ExpectRefused({"", "", "page_size"}, ToPageRequest(1001, "").status());
  ExpectRefused({"", "", "page_token"}, ToPageRequest(1, "next").status());
  ExpectRefused({"", "", "page_token"}, ToPageRequest(1, " 7").status());
}

TEST(ValidateAdminTest, NumbersAreBounded) {
  ExpectRefused({"", "", "target_bytes"}, Validate(Parse<v1::ReclaimRequest>("target_bytes: -1")));
  ExpectRefused({"", "", "timeout"}, Validate(Parse<v1::DrainRequest>("timeout { seconds: 601 }")));
}

}  // namespace
}  // namespace sluice
