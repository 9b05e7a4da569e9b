// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_window.h"

#include <optional>

namespace sluice {
namespace {

// The wire's enums are the domain's, one higher: 0 is "not set".
template <class T>
constexpr int WireNumber(T value) {
  return static_cast<int>(value) + 1;
}
static_assert(WireNumber(ScorePool::kNone) == v1::SCORE_POOL_NONE &&
              WireNumber(ScorePool::kAverage) == v1::SCORE_POOL_AVERAGE &&
              WireNumber(ScorePool::kMax) == v1::SCORE_POOL_MAX);
static_assert(WireNumber(HeadReduce::kMean) == v1::GROUP_REDUCE_MEAN &&
              WireNumber(HeadReduce::kMax) == v1::GROUP_REDUCE_MAX &&
              WireNumber(HeadReduce::kSum) == v1::GROUP_REDUCE_SUM &&
              WireNumber(HeadReduce::kMedian) == v1::GROUP_REDUCE_MEDIAN);
static_assert(WireNumber(HeadBudget::kOfficial) == v1::HEAD_BUDGET_OFFICIAL &&
              WireNumber(HeadBudget::kSafeguard) == v1::HEAD_BUDGET_SAFEGUARD);
static_assert(WireNumber(LayerArithmetic::kReference) == v1::LAYER_ARITHMETIC_REFERENCE &&
              WireNumber(LayerArithmetic::kExact) == v1::LAYER_ARITHMETIC_EXACT);
static_assert(WireNumber(ScoreNormalise::kNone) == v1::SCORE_NORMALISE_NONE &&
              WireNumber(ScoreNormalise::kMean) == v1::SCORE_NORMALISE_MEAN);

template <class T>
std::optional<T> FromWireNumber(int number) {
  if (number == 0) return std::nullopt;
  return static_cast<T>(number - 1);
}

template <class T>
std::optional<T> Optional(bool has, T value) {
  return has ? std::optional<T>(value) : std::nullopt;
}

}  // namespace

void ToWindowSpec(const v1::Parameters& from, PolicySpec& spec) {
  spec.window_tokens = Optional<int64_t>(from.has_window_tokens(), from.window_tokens());
  spec.pool = FromWireNumber<ScorePool>(from.pool());
  spec.pool_width = Optional<int64_t>(from.has_pool_width(), from.pool_width());
  spec.group_reduce = FromWireNumber<HeadReduce>(from.group_reduce());
  spec.beta = Optional<int64_t>(from.has_beta(), from.beta());
  spec.low_end_tokens = Optional<int64_t>(from.has_low_end_tokens(), from.low_end_tokens());
  spec.alpha = Optional<double>(from.has_alpha(), from.alpha());
  spec.head_budget = FromWireNumber<HeadBudget>(from.head_budget());
  spec.r_max = Optional<double>(from.has_r_max(), from.r_max());
  spec.update_every_layers =
      Optional<int64_t>(from.has_update_every_layers(), from.update_every_layers());
  spec.arithmetic = FromWireNumber<LayerArithmetic>(from.arithmetic());
}

void ToAccumulatedSpec(const v1::Parameters& from, PolicySpec& spec) {
  spec.heavy_tokens = Optional<int64_t>(from.has_heavy_tokens(), from.heavy_tokens());
  spec.decay = Optional<double>(from.has_decay(), from.decay());
  spec.squared = Optional<bool>(from.has_squared(), from.squared());
  spec.normalise = FromWireNumber<ScoreNormalise>(from.normalise());
}

void FromAccumulatedSpec(const PolicySpec& spec, v1::Parameters* to) {
  if (spec.heavy_tokens) to->set_heavy_tokens(*spec.heavy_tokens);
  if (spec.decay) to->set_decay(*spec.decay);
  if (spec.squared) to->set_squared(*spec.squared);
  if (spec.normalise) {
    to->set_normalise(static_cast<v1::ScoreNormalise>(WireNumber(*spec.normalise)));
  }
}

void FromWindowSpec(const PolicySpec& spec, v1::Parameters* to) {
  if (spec.window_tokens) to->set_window_tokens(*spec.window_tokens);
  if (spec.pool) to->set_pool(static_cast<v1::ScorePool>(WireNumber(*spec.pool)));
  if (spec.pool_width) to->set_pool_width(*spec.pool_width);
  if (spec.group_reduce) {
    to->set_group_reduce(static_cast<v1::GroupReduce>(WireNumber(*spec.group_reduce)));
  }
  if (spec.beta) to->set_beta(*spec.beta);
  if (spec.low_end_tokens) to->set_low_end_tokens(*spec.low_end_tokens);
  if (spec.alpha) to->set_alpha(*spec.alpha);
  if (spec.head_budget) {
    to->set_head_budget(static_cast<v1::HeadBudget>(WireNumber(*spec.head_budget)));
  }
  if (spec.r_max) to->set_r_max(*spec.r_max);
  if (spec.update_every_layers) to->set_update_every_layers(*spec.update_every_layers);
  if (spec.arithmetic) {
    to->set_arithmetic(static_cast<v1::LayerArithmetic>(WireNumber(*spec.arithmetic)));
  }
}

}  // namespace sluice
