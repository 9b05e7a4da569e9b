// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "daemon/policy/policy_spec.h"

namespace sluice {

// A layer as DynamicKV sees it: all its heads keep the same number of slots.
struct DynamicLayer {
  int64_t kv_heads = 0;
  int64_t slots = 0;  // before the window, of its fullest head
};

struct DynamicRule {
  int64_t mean_slots = 0;  // `base`: before the window, a layer and head on average; at least 1
  double r_max = 0;        // at first a layer keeps up to this times the mean; at least 1
  LayerArithmetic arithmetic = LayerArithmetic::kExact;
};

// The numbers of layers, counted from the first, at which budgets are revised: every
// `update_every_layers` (the paper's m), and at all of them.
std::vector<int64_t> DynamicUpdates(int64_t layers, int64_t update_every_layers);

// The layers' budgets by how many of the best slots of all they have (DynamicKV;
// core methods, 1(c), `Reallocate`, with the guards of 1(h)). A layer never gets
// back what an earlier update took.
//
// Layers may differ in heads in exact arithmetic: a layer's winners are then shared
// by its own, and the sum of slots over all heads is what counts.
//
// Not thread-safe: a local of one plan.
class DynamicBudget {
 public:
  // REQUIRES: at least one layer, none without heads; with kReference as many heads
  // in each.
  DynamicBudget(const DynamicRule& rule, std::span<const DynamicLayer> layers);

  // Revises the first winners.size() layers. `winners`: the slots of each, over its
  // heads, among the best mean_slots * heads of all these layers.
  void Update(std::span<const int64_t> winners);

  // [layers] what a head keeps before the window.
  const std::vector<int64_t>& kept() const { return kept_; }

 private:
  std::vector<int64_t> ExactBudgets(std::span<const int64_t> winners) const;
  // Empty where the authors' code would divide by zero.
  std::vector<int64_t> ReferenceBudgets(std::span<const int64_t> winners) const;

  const DynamicRule rule_;
  const std::vector<DynamicLayer> layers_;
  int64_t total_slots_ = 0;  // mean_slots over all heads of the model
  int64_t first_slots_ = 0;  // `bs`: what a layer starts with
  std::vector<int64_t> kept_;
};

}  // namespace sluice
