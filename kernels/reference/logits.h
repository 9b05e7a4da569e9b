// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Logits of one query row against the slots of a row, in double. Stateless.

#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/ops.h"
#include "kernels/reference/slot.h"
#include "kernels/reference/turn.h"

namespace sluice::reference {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A slot as queries see it.
struct Key {
  SlotContent content;
  Numbers k;  // as it stands at its position
  int64_t position = 0;
};

// All slots of a row, in order.
std::vector<Key> ReadRow(const PoolView& pool, const Row& row, const RopeTable& rope);

// One a key: scale * q . k with the soft cap, plus log_mass; -inf where a query at
// `position` does not see the key.
std::vector<double> Logits(const LayerShape& layer, const std::vector<Key>& keys, const Numbers& q,
                           int64_t position);

// The sink logit of a query head; -inf: the layer has none.
double SinkLogit(const LayerShape& layer, int32_t head);

// log(exp(sink) + sum exp(logits)), natural; -inf where all logits are -inf.
double LogSumExp(const std::vector<double>& logits, double sink);

}  // namespace sluice::reference
