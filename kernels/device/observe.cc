// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/observe.h"

#include <algorithm>
#include <vector>

#include "kernels/device/observe_kernels.h"

namespace sluice::device {
namespace {

// The tokens of an entry that the call has and its ring keeps; none: tokens is 0.
ObservedTokens TokensToKeep(const ObserveArgs& args, const ViewEntry& entry, Launcher& launcher) {
  const LayerShape& layer = *args.layer;
  ObservedTokens run;
  run.ring = ObservationRingOf(launcher.host_pool(), entry, layer.layer);
  if (run.ring == nullptr) return run;
  run.layout = ObservationLayoutOf(launcher.host_pool(), entry, layer.q_heads, layer.k_dim);
  const int64_t entry_end = entry.first_token + entry.token_count;
  const int64_t kept_from = FirstObservedPosition(entry_end, entry.observation_capacity);
  const int64_t begin = std::max({entry.first_token, args.first_token, kept_from});
  const int64_t end = std::min(entry_end, args.first_token + args.token_count);
  if (begin >= end) return run;
  run.position = entry.base_length + begin - entry.first_token;
  run.tokens = end - begin;
  // Of the call's rows, those that are kept alone.
  const int64_t first_row = (begin - args.first_token) * layer.q_heads;
  const int64_t rows = run.tokens * layer.q_heads;
  const int64_t row_bytes = int64_t{layer.k_dim} * DtypeBytes(args.dtype);
  run.q = launcher.InBytes(static_cast<const std::byte*>(args.q) + first_row * row_bytes,
                           rows * row_bytes);
  if (args.lse != nullptr) run.lse = launcher.In(args.lse + first_row, rows);
  return run;
}

}  // namespace

void LowerObserve(const ObserveArgs& args, Launcher& launcher) {
  std::vector<ObservedTokens> runs;
  ObserveKernel kernel;
  kernel.dtype = args.dtype;
  for (int32_t i = 0; i < args.view->entry_count; ++i) {
    ObservedTokens run = TokensToKeep(args, args.view->entries[i], launcher);
    if (run.tokens == 0) continue;
    run.first_item = kernel.items;
    kernel.items += run.tokens * args.layer->q_heads;
    runs.push_back(run);
  }
  kernel.run_count = static_cast<int32_t>(runs.size());
  kernel.runs = launcher.In(runs.data(), kernel.run_count);
  launcher.Launch(kernel, WarpItems(kernel.items));
}

void LowerCarryObservations(const CarryObservationsArgs& args, Launcher& launcher) {
  std::vector<RingCarry> rings(args.rings, args.rings + args.ring_count);
  for (RingCarry& carry : rings) {
    const bool in_place = carry.source == carry.ring;
    carry.ring = launcher.InOut(carry.ring, args.layout.bytes);
    carry.source = in_place ? carry.ring : launcher.In(carry.source, args.layout.bytes);
  }
  CarryObservationsKernel kernel;
  kernel.rings = launcher.In(rings.data(), args.ring_count);
  kernel.ring_count = args.ring_count;
  kernel.layout = args.layout;
  kernel.length = args.length;
  launcher.Launch(kernel, {args.ring_count * kernel.pieces(), 128, 0});
}

}  // namespace sluice::device
