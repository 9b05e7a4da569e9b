// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/row_table.h"

#include <algorithm>

#include "daemon/base/check.h"

namespace sluice {

RowTable::RowTable(const ModelFacts& model) {
  for (const LayerFacts& layer : model.layers) {
    if (layer.kv_heads == 0) continue;
    layers_.push_back({layer.first_row, layer.kv_heads, layer.window_tokens});
  }
  std::sort(layers_.begin(), layers_.end(), [](const LayerRows& a, const LayerRows& b) {
    return a.first_row < b.first_row;
  });
  for (const LayerRows& layer : layers_) {
    SLUICE_CHECK(static_cast<size_t>(layer.first_row) == windows_.size())
        << "row " << windows_.size() << " belongs to no layer";
    windows_.resize(static_cast<size_t>(layer.end_row()), layer.window_tokens);
  }
}

std::vector<int64_t> RowTable::OfRows(std::span<const int64_t> of_layers) const {
  std::vector<int64_t> of_rows;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    of_rows.resize(static_cast<size_t>(layers_[layer].end_row()), of_layers[layer]);
  }
  return of_rows;
}

void RowTable::Check(std::span<const RowFacts> held) const {
  SLUICE_CHECK(held.size() == row_count()) << held.size() << " rows, not " << row_count();
}

std::vector<RowState> RowTable::StatesOf(const JobFacts& facts,
                                         SharedPrefix shared_prefix) const {
  Check(facts.rows);
  const int64_t hot_tokens = facts.length_tokens - facts.snapshot_tokens;
  std::vector<RowState> states(windows_.size());
  for (size_t row = 0; row < states.size(); ++row) {
    RowState& state = states[row];
    state.row = static_cast<int32_t>(row);
    state.slots = facts.rows[row].slots - hot_tokens;
    state.window_tokens = windows_[row];
    SLUICE_CHECK(state.slots >= 0) << "row " << row << " holds " << facts.rows[row].slots
                                   << " slots, but its hot tail has " << hot_tokens;
    if (shared_prefix != SharedPrefix::kKeep) continue;
    state.shared_slots = facts.rows[row].shared_slots;
    state.shared_tokens = facts.shared_tokens;
  }
  return states;
}

std::vector<bool> RowsOfLayers(const ModelFacts& model, std::span<const int32_t> layers) {
  std::vector<bool> of_layers(RowTable(model).row_count());
  for (const int32_t index : layers) {
    const LayerFacts& layer = model.layers[static_cast<size_t>(index)];
    for (int32_t head = 0; head < layer.kv_heads; ++head) {
      of_layers[static_cast<size_t>(layer.first_row + head)] = true;
    }
  }
  return of_layers;
}

}  // namespace sluice
