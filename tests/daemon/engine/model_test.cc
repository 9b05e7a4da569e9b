// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/model.h"

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <set>

#include "tests/daemon/engine/refusal_matcher.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr int64_t kSlabBytes = int64_t{1} << 20;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

ModelGeometry Good() {
  ModelGeometry geometry;
  geometry.name = "good";
  geometry.query_heads = 8;
  geometry.k_dim = 64;
  geometry.v_dim = 32;
  LayerGeometry layer;
  layer.kv_heads = 2;
  layer.rope_table = 0;
  geometry.layers.assign(3, layer);
  geometry.layers[2].source_layer = 0;
  RopeAngles table;
  table.rotary_dim = 4;
  table.inv_freq = {1.0f, 0.5f};
  geometry.rope_tables = {table};
  return geometry;
}

// What is changed of a good geometry, and the field that is named.
struct BadGeometry {
  const char* field;
  std::function<void(ModelGeometry&)> change;
};

void PrintTo(const BadGeometry& bad, std::ostream* out) { *out << bad.field; }

class BadGeometryTest : public ::testing::TestWithParam<BadGeometry> {};

TEST_P(BadGeometryTest, IsRefusedNamingTheField) {
  ModelGeometry geometry = Good();
  GetParam().change(geometry);
  EXPECT_THAT(Model::Create(std::move(geometry), kSlabBytes), RefusedField(GetParam().field));
}

using G = ModelGeometry;
const BadGeometry kScalars[] = {
    {"name", [](G& g) { g.name = ""; }},
    {"name", [](G& g) { g.name = std::string(257, 'x'); }},
    {"query_head_count", [](G& g) { g.query_heads = 0; }},
    {"query_head_count", [](G& g) { g.query_heads = 1025; }},
    {"k_dim", [](G& g) { g.k_dim = 0; }},
    {"k_dim", [](G& g) { g.k_dim = 24; }},
    {"k_dim", [](G& g) { g.k_dim = 272; }},
    {"v_dim", [](G& g) { g.v_dim = -16; }},
    {"v_dim", [](G& g) { g.v_dim = 17; }},
    {"page_size_tokens", [](G& g) { g.page_size_tokens = 8; }},
    {"page_size_tokens", [](G& g) { g.page_size_tokens = 0; }},
    {"scale", [](G& g) { g.scale = 0.0f; }},
    {"scale", [](G& g) { g.scale = std::nanf(""); }},
    {"logit_soft_cap", [](G& g) { g.logit_soft_cap = -1.0f; }},
    {"logit_soft_cap", [](G& g) { g.logit_soft_cap = kInfinity; }},
    {"layers", [](G& g) { g.layers.clear(); }},
    {"layers", [](G& g) { g.layers.resize(1025, g.layers[0]); }},
    {"layers", [](G& g) {
       g.query_heads = 128;
       for (LayerGeometry& layer : g.layers) layer.kv_heads = 128;
       g.layers.resize(514, g.layers[0]);
     }},
    {"query_head_count", [](G& g) { g.query_heads = 512, g.k_dim = 240; }},
};
INSTANTIATE_TEST_SUITE_P(Scalars, BadGeometryTest, ::testing::ValuesIn(kScalars));

const BadGeometry kLayers[] = {
    {"layers[1].kv_head_count", [](G& g) { g.layers[1].kv_heads = 0; }},
    {"layers[1].kv_head_count", [](G& g) { g.layers[1].kv_heads = 3; }},
    {"layers[0].kv_head_count", [](G& g) { g.query_heads = 34; }},
    {"layers[1].window_tokens", [](G& g) { g.layers[1].window_tokens = -1; }},
    {"layers[1].window_tokens", [](G& g) { g.layers[1].window_tokens = int64_t{1} << 31; }},
    {"layers[1].rope_table_index", [](G& g) { g.layers[1].rope_table = 1; }},
    {"layers[1].rope_table_index", [](G& g) { g.layers[1].rope_table = -2; }},
    {"layers[1].sink_logits", [](G& g) { g.layers[1].sink_logits = {1.0f}; }},
    {"layers[1].sink_logits", [](G& g) { g.layers[1].sink_logits.assign(8, kInfinity); }},
    {"layers[0].source_layer", [](G& g) { g.layers[0].source_layer = 0; }},
    {"layers[1].source_layer", [](G& g) { g.layers[1].source_layer = 2; }},
    {"layers[1].source_layer", [](G& g) { g.layers[1].source_layer = -2; }},
    {"layers[2].source_layer", [](G& g) { g.layers[1].source_layer = 0;
                                          g.layers[2].source_layer = 1; }},
    {"layers[2].source_layer", [](G& g) { g.layers[2].kv_heads = 1; }},
};
INSTANTIATE_TEST_SUITE_P(Layers, BadGeometryTest, ::testing::ValuesIn(kLayers));

const BadGeometry kRopeTables[] = {
    {"rope_tables[0].rotary_dim", [](G& g) { g.rope_tables[0].rotary_dim = 0; }},
    {"rope_tables[0].rotary_dim", [](G& g) { g.rope_tables[0].rotary_dim = 5; }},
    {"rope_tables[0].rotary_dim", [](G& g) { g.rope_tables[0].rotary_dim = 66; }},
    {"rope_tables[0].inv_freq", [](G& g) { g.rope_tables[0].inv_freq = {1.0f}; }},
    {"rope_tables[0].inv_freq", [](G& g) { g.rope_tables[0].inv_freq[1] = kInfinity; }},
    {"rope_tables[0].attention_factor", [](G& g) { g.rope_tables[0].attention_factor = 0; }},
    {"rope_tables[1]", [](G& g) { g.rope_tables.push_back(g.rope_tables[0]);
                                  g.rope_tables[1].pairing = RopePairing::kInterleaved; }},
};
INSTANTIATE_TEST_SUITE_P(RopeTables, BadGeometryTest, ::testing::ValuesIn(kRopeTables));

TEST(ModelTest, RowsAreThoseOfLayersWithTheirOwnCache) {
  const auto model = Model::Create(Good(), kSlabBytes);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->row_count(), 4);
  EXPECT_EQ(model->shape(1).first_row, 2);
  EXPECT_EQ(model->shape(2).first_row, 0);
  for (int32_t layer = 0; layer < 3; ++layer) EXPECT_EQ(model->shape(layer).layer, layer);
  EXPECT_FALSE(model->owns_cache(2));
  EXPECT_EQ(model->block_bytes(), 4 * 32 * (64 + 32) * 2);
  EXPECT_FLOAT_EQ(model->shape(0).scale, 0.125f);
}

TEST(ModelTest, LayersAreAlikeWithAsManyHeadsAndTheSameWindow) {
  ModelGeometry geometry = Good();
  geometry.layers.resize(6, geometry.layers[0]);
  geometry.layers[1].window_tokens = 7;
  geometry.layers[3].window_tokens = 7;
  geometry.layers[4].kv_heads = 4;
  const auto model = Model::Create(geometry, kSlabBytes);
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<int32_t> firsts;
  for (int32_t layer = 0; layer < 6; ++layer) firsts.push_back(model->first_alike(layer));
  EXPECT_EQ(firsts, (std::vector<int32_t>{0, 1, 0, 1, 4, 0}));
}

TEST(ModelTest, SaysWhetherKeysComeRotated) {
  ModelGeometry geometry = Good();
  for (const bool rotated : {false, true}) {
    geometry.keys_rotated = rotated;
    const auto model = Model::Create(geometry, kSlabBytes);
    ASSERT_TRUE(model.ok());
    EXPECT_EQ(model->shape(0).rope.arrives_rotated, rotated);
  }
}

TEST(ModelTest, TheFingerprintIsOfEveryField) {
  const std::function<void(G&)> changes[] = {
      [](G&) {},
      [](G& g) { g.name = "other"; },
      [](G& g) { g.dtype = Dtype::kF32; },
      [](G& g) { g.scale = 0.5f; },
      [](G& g) { g.logit_soft_cap = 2; },
      [](G& g) { g.page_size_tokens = 16; },
      [](G& g) { g.layers[1].window_tokens = 5; },
      [](G& g) { g.layers[1].sink_logits.assign(8, 1.0f); },
      [](G& g) { g.layers[2].source_layer = 1; },
      [](G& g) { g.layers[1].rope_table = -1; },
      [](G& g) { g.rope_tables[0].inv_freq[0] = 2; },
      [](G& g) { g.rope_tables[0].pairing = RopePairing::kInterleaved; },
      [](G& g) { g.rope_tables[0].attention_factor = 2; },
  };
  std::set<std::string> fingerprints;
  for (const auto& change : changes) {
    ModelGeometry geometry = Good();
    change(geometry);
    fingerprints.insert(Model::Create(geometry, kSlabBytes)->fingerprint());
  }
  EXPECT_EQ(fingerprints.size(), std::size(changes));
}

}  // namespace
}  // namespace sluice
