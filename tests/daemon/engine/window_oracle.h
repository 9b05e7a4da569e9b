// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the plain implementations of the window-score methods keep of a prompt.

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/policy/policy_spec.h"
#include "tests/oracle/adakv.h"
#include "tests/oracle/dynamickv.h"
#include "tests/oracle/pyramidkv.h"
#include "tests/oracle/snapkv.h"
#include "tests/oracle/window_scores.h"
#include "tests/testing/engine_driver.h"

namespace sluice {

inline const std::vector<std::string>& WindowForms() {
  static const std::vector<std::string> forms = {"snapkv", "pyramidkv", "adakv", "safeguard",
                                                 "dynamickv", "dynamickv_reference"};
  return forms;
}

// A window of 8 in a budget of 24, a pool of 5; other defaults are the preset's.
inline PolicySpec WindowPolicySpec(const std::string& form) {
  PolicySpec spec;
  spec.preset = form == "safeguard"             ? "adakv"
                : form == "dynamickv_reference" ? "dynamickv"
                                                : form;
  spec.window_tokens = 8;
  spec.budget_tokens = 24;
  spec.pool_width = 5;
  if (form == "safeguard") spec.head_budget = HeadBudget::kSafeguard;
  if (form == "dynamickv_reference") spec.arithmetic = LayerArithmetic::kReference;
  if (spec.preset == "dynamickv") spec.update_every_layers = 2;
  return spec;
}

inline oracle::LayerTensors OracleTensors(const ModelGeometry& geometry, int32_t layer,
                                          const std::vector<int64_t>& tags) {
  const auto heads = [&](VectorKind kind, int32_t count) {
    std::vector<oracle::Rows> all(static_cast<size_t>(count));
    for (int32_t head = 0; head < count; ++head) {
      for (const int64_t tag : tags) {
        const std::vector<float> vector = TokenVector(tag, layer, kind, head, geometry.k_dim);
        all[static_cast<size_t>(head)].emplace_back(vector.begin(), vector.end());
      }
    }
    return all;
  };
  return {.q = heads(VectorKind::kQuery, geometry.query_heads),
          .k = heads(VectorKind::kKey, geometry.layers[static_cast<size_t>(layer)].kv_heads)};
}

inline oracle::WindowRule OracleRule(const std::string& form) {
  const bool averages = WindowPolicySpec(form).preset == "dynamickv";
  return {.window = 8,
          .pool = averages ? oracle::PoolKind::kAverage : oracle::PoolKind::kMax,
          .pool_width = 5};
}

inline oracle::LayerScores OracleScores(const std::string& form, const ModelGeometry& geometry,
                                        const std::vector<int64_t>& tags) {
  const oracle::WindowRule rule = OracleRule(form);
  oracle::LayerScores scores;
  for (size_t layer = 0; layer < geometry.layers.size(); ++layer) {
    const oracle::LayerTensors tensors =
        OracleTensors(geometry, static_cast<int32_t>(layer), tags);
    scores.push_back(oracle::PromptWindowScores(tensors, static_cast<int>(tags.size()), rule));
  }
  return scores;
}

inline oracle::Outcome OracleOutcome(const std::string& form, const oracle::LayerScores& scores) {
  const int layers = oracle::Size(scores);
  if (form == "snapkv") return oracle::SnapKv(scores, {.capacity = 24, .window = 8});
  if (form == "pyramidkv") {
    return oracle::PyramidKv(scores, {.layers = layers, .capacity = 24, .window = 8});
  }
  if (form == "adakv") return oracle::AdaKv(scores, 24, 8, {});
  if (form == "safeguard") {
    oracle::Outcome all;
    for (const oracle::Rows& layer : scores) {
      const oracle::Outcome one = oracle::AdaKvSafeguard(layer, 24, 8, 0.2);
      all.kept.push_back(one.kept[0]);
      all.decisions.insert(all.decisions.end(), one.decisions.begin(), one.decisions.end());
    }
    return all;
  }
  const auto arithmetic = form == "dynamickv" ? oracle::DynamicKvArithmetic::kExact
                                              : oracle::DynamicKvArithmetic::kReference;
  return oracle::DynamicKv(scores, {.window = 8,
                                    .capacity = 24,
                                    .update_every = 2,
                                    .arithmetic = arithmetic})
      .outcome;
}

// What is kept of the tokens with `tags`, all of them a prompt; empty where a decision
// was too close for computed scores (the margin rule).
inline HeldPositions OracleHeld(const std::string& form, const ModelGeometry& geometry,
                                const std::vector<int64_t>& tags) {
  const oracle::Outcome outcome = OracleOutcome(form, OracleScores(form, geometry, tags));
  HeldPositions held;
  if (oracle::SmallestMargin(outcome.decisions) < 1e-4) return held;
  for (const oracle::HeadSets& layer : outcome.kept) {
    for (const oracle::Indices& head : layer) held.emplace_back(head.begin(), head.end());
  }
  return held;
}

// What SnapKV keeps of a row that holds the positions `held`, once all of the tokens with
// `tags` came; empty where the decision was close.
inline std::vector<int64_t> OracleHeldOf(const oracle::LayerTensors& tensors, int32_t kv_head,
                                         const std::vector<int64_t>& held) {
  const oracle::Indices positions(held.begin(), held.end());
  const oracle::Row scores = oracle::WindowScores(tensors, kv_head, tensors.tokens(), positions,
                                                  OracleRule("snapkv"));
  const oracle::PrefixChoice choice = oracle::KeepPrefixAndWindow(scores, 16, 8);
  if (choice.decision.margin < 1e-4) return {};
  const oracle::Indices kept = oracle::Gather(positions, choice.kept);
  return {kept.begin(), kept.end()};
}

}  // namespace sluice
