// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/observe.h"

#include <algorithm>
#include <vector>

#include "kernels/device/observe_kernels.h"
#include "kernels/device/parts.h"

namespace sluice::device {
namespace {

// Pieces of staging that an entry's query rows, or a ring's, take.
constexpr int64_t kEntryPieces = 2;

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

void LaunchCarries(const CarryObservationsArgs& args, int64_t first, int64_t count,
                   Launcher& launcher) {
  std::vector<RingCarry> rings(args.rings + first, args.rings + first + count);
  for (RingCarry& carry : rings) {
    const bool in_place = carry.source == carry.ring;
    carry.ring = launcher.InOut(carry.ring, args.layout.bytes);
    carry.source = in_place ? carry.ring : launcher.In(carry.source, args.layout.bytes);
  }
  CarryObservationsKernel kernel;
  kernel.rings = launcher.In(rings.data(), count);
  kernel.ring_count = count;
  kernel.layout = args.layout;
  kernel.length = args.length;
  launcher.Launch(kernel, {count * kernel.pieces(), 128, 0});
}

void LowerPart(const ObserveArgs& args, Launcher& launcher) {
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

}  // namespace

void LowerObserve(const ObserveArgs& args, Launcher& launcher) {
  const LayerShape& layer = *args.layer;
  const int64_t row_bytes = layer.k_dim * DtypeBytes(args.dtype);
  TokenCut cut;
  cut.budget_bytes = launcher.part_bytes();
  cut.token_bytes = layer.q_heads * (row_bytes + static_cast<int64_t>(sizeof(float)));
  cut.entry_bytes = sizeof(ObservedTokens) + kEntryPieces * Staging::kAlignment;
  ObserveArgs part = args;
  for (const TokenPart& tokens : CutTokens(*args.view, args.first_token, args.token_count, cut)) {
    if (tokens.first_token > args.first_token) launcher.NextPart();
    const int64_t before = (tokens.first_token - args.first_token) * layer.q_heads;
    part.first_token = tokens.first_token;
    part.token_count = tokens.token_count;
    part.q = From(args.q, before * row_bytes);
    part.lse = From(args.lse, before);
    LowerPart(part, launcher);
  }
}

void LowerCarryObservations(const CarryObservationsArgs& args, Launcher& launcher) {
  const auto bytes_of = [&](int64_t i) {
    const RingCarry& carry = args.rings[i];
    return static_cast<int64_t>(sizeof(RingCarry)) + kEntryPieces * Staging::kAlignment +
           launcher.StagedBytes(carry.ring, args.layout.bytes) +
           launcher.StagedBytes(carry.source, args.layout.bytes);
  };
  int64_t count = 0;
  for (int64_t first = 0; first < args.ring_count; first += count) {
    if (first > 0) launcher.NextPart();
    count = ItemsWithin(first, args.ring_count, launcher.part_bytes(), bytes_of);
    LaunchCarries(args, first, count, launcher);
  }
}

}  // namespace sluice::device
