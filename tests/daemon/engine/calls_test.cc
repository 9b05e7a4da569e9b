// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/calls.h"

#include "daemon/base/check.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

// Two rows of two query heads in fp32.
AttendResult Make(Attend& command, int32_t v_dim) {
  LayerShape shape;
  shape.q_heads = 2;
  shape.k_dim = 64;
  shape.v_dim = v_dim;
  return MakeAttendResult(command, shape, /*rows=*/2);
}

TEST(AttendResultTest, StaysInTheCallersStorage) {
  Attend command;
  command.want_lse = true;
  command.out.resize(2 * 2 * 64 * 4);
  command.lse.resize(1000);
  const char* const out = command.out.data();
  const char* const lse = command.lse.data();
  const AttendResult result = Make(command, 64);
  EXPECT_EQ(result.out.data(), out);
  EXPECT_EQ(result.lse.data(), lse);
  EXPECT_EQ(result.lse.size(), 2 * 2 * sizeof(float));
}

TEST(AttendResultTest, IsSizedAnewWhereTheStorageDoesNotFit) {
  Attend command;
  command.out.resize(2 * 2 * 64 * 4);
  command.lse.resize(8);
  const AttendResult result = Make(command, 128);
  EXPECT_EQ(result.out.size(), 2 * 2 * 128 * 4);
  EXPECT_TRUE(result.lse.empty()) << "nobody asked for it";
}

// A step of a prefill and a decode of long sequences, for a model whose layer 1 has a window.
class StepPiecesTest : public ::testing::Test {
 protected:
  StepPiecesTest() {
    ModelGeometry geometry;
    geometry.name = "windows";
    geometry.query_heads = 32;
    geometry.k_dim = geometry.v_dim = 128;
    geometry.layers.resize(4);
    for (LayerGeometry& layer : geometry.layers) layer.kv_heads = 8;
    geometry.layers[1].window_tokens = geometry.layers[3].window_tokens = 64;
    auto model = Model::Create(geometry, int64_t{2} << 20);
    SLUICE_CHECK(model.ok()) << model.status().ToString();
    model_.model = std::make_shared<const Model>(*std::move(model));
    entries_[0] = {.base_length = 100000, .token_count = 64};
    entries_[1] = {.base_length = 50000, .token_count = 1, .first_token = 64};
    step_.model = &model_;
    step_.view = {entries_, 2, 65};
    step_.row_slots = {100064, 50001};
    step_.pieces.resize(4);
  }

  ModelState model_;
  ViewEntry entries_[2];
  StepState step_;
};

TEST_F(StepPiecesTest, CoverTheWholeStep) {
  for (int32_t layer = 0; layer < 4; ++layer) {
    int64_t next = 0;
    for (const Piece& piece : PiecesOf(step_, layer)) {
      EXPECT_EQ(piece.first_token, next);
      next += piece.token_count;
    }
    EXPECT_EQ(next, 65) << "layer " << layer;
  }
}

TEST_F(StepPiecesTest, AreWorkedOutOnceForLayersThatAreAlike) {
  const std::vector<Piece>& whole = PiecesOf(step_, 0);
  const std::vector<Piece>& window = PiecesOf(step_, 1);
  EXPECT_LT(window.size(), whole.size());
  EXPECT_EQ(&PiecesOf(step_, 2), &whole);
  EXPECT_EQ(&PiecesOf(step_, 3), &window);
}

}  // namespace
}  // namespace sluice
