// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_model.h"

#include "tests/daemon/rpc/bad_request.h"

namespace sluice {
namespace {

std::string Geometry(const std::string& change) {
  return "geometry { name: 'm' dtype: DTYPE_BF16 layers { kv_head_count: 1 } " + change + " }";
}

class RegisterModelTest : public ::testing::TestWithParam<BadRequest> {};

TEST_P(RegisterModelTest, IsRefused) {
  const auto request = Parse<v1::RegisterModelRequest>(GetParam().text);
  ExpectRefused(GetParam(), Validate(request, TestRules()));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, RegisterModelTest,
    ::testing::Values(
        BadRequest{"NoGeometry", "", "geometry"},
        BadRequest{"NoDtype", "geometry { layers {} }", "geometry.dtype"},
        BadRequest{"UnknownDtype", "geometry { dtype: 9 layers {} }", "geometry.dtype"},
        BadRequest{"UnknownKeySpace", Geometry("key_space: 9"), "geometry.key_space"},
        BadRequest{"CapZero", Geometry("logit_soft_cap: 0"), "geometry.logit_soft_cap"},
        BadRequest{"CapNan", Geometry("logit_soft_cap: nan"), "geometry.logit_soft_cap"},
        BadRequest{"NegativePage", Geometry("page_size_tokens: -32"), "geometry.page_size_tokens"},
        BadRequest{"NoLayers", "geometry { dtype: DTYPE_FP32 }", "geometry.layers"},
        BadRequest{"NegativeSource", Geometry("layers { source_layer: -1 }"),
                   "geometry.layers[1].source_layer"},
        BadRequest{"SourceBeyond", Geometry("layers { source_layer: 2 }"),
                   "geometry.layers[1].source_layer"},
        BadRequest{"NegativeTable", Geometry("layers { rope_table_index: -1 }"),
                   "geometry.layers[1].rope_table_index"},
        BadRequest{"NoSuchTable", Geometry("layers { rope_table_index: 0 }"),
                   "geometry.layers[1].rope_table_index"},
        BadRequest{"NoPairing", Geometry("rope_tables { rotary_dim: 2 }"),
                   "geometry.rope_tables[0].pairing"},
        BadRequest{"FactorZero",
                   Geometry("rope_tables { pairing: PAIRING_HALF_SPLIT attention_factor: 0 }"),
                   "geometry.rope_tables[0].attention_factor"},
        BadRequest{"LongFingerprint",
                   Geometry("") + "expected_fingerprint: '" + std::string(65, 'f') + "'",
                   "expected_fingerprint"}),
    [](const auto& info) { return info.param.name; });

TEST(ValidateModelTest, TooManyTablesAreRefused) {
  std::string tables;
  for (int i = 0; i < 9; ++i) tables += "rope_tables { pairing: PAIRING_HALF_SPLIT } ";
  ExpectRefused({"", "", "geometry.rope_tables"},
                Validate(Parse<v1::RegisterModelRequest>(Geometry(tables)), TestRules()));
}

TEST(ValidateModelTest, AGoodGeometryPasses) {
  EXPECT_EQ(Validate(Parse<v1::RegisterModelRequest>(Geometry("logit_soft_cap: 30")), TestRules()),
            absl::OkStatus());
}

}  // namespace
}  // namespace sluice
