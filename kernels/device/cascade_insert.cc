// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/cascade_insert.h"

#include <algorithm>
#include <vector>

#include "kernels/device/cascade_kernels.h"

namespace sluice::device {
namespace {

// What a row needs of scratch until its slots were moved.
int64_t DecisionBytes(const CascadeChanges& changes) {
  return int64_t{changes.slots} * static_cast<int64_t>(sizeof(int32_t) + sizeof(float)) +
         changes.count * static_cast<int64_t>(sizeof(float));
}

// The part of scratch that decisions get; the rest is for slots on their way.
int64_t DecisionBudget(const Launcher& launcher) { return launcher.scratch_left_bytes() / 4; }

// The rows of an entry, in sets whose decisions fit `budget`.
void AddRows(const PoolView& pool, const CascadeInsertArgs& args, int32_t index, int64_t budget,
             std::vector<CascadeRows>* sets) {
  const ViewEntry& entry = args.view->entries[index];
  const CascadeGeometry* const geometry = CascadeOf(pool, entry);
  const int64_t tokens = entry.base_length + entry.token_count - entry.tail_first_position;
  if (geometry == nullptr || tokens == 0) return;
  CascadeRows rows;
  rows.changes = ChangesOf(*geometry, entry.tail_first_position, tokens);
  rows.entry = index;
  rows.used_slots = CascadeSlots(*geometry, entry.tail_first_position);
  rows.used_after = CascadeSlots(*geometry, entry.tail_first_position + tokens);
  rows.decay = DecayPower(args.mass.decay, tokens);
  const int64_t most = std::max<int64_t>(1, budget / DecisionBytes(rows.changes));
  const int32_t kv_heads = args.layer->kv_heads;
  for (int32_t head = 0; head < kv_heads; head += rows.heads) {
    rows.first_head = head;
    rows.heads = static_cast<int32_t>(std::min<int64_t>(most, kv_heads - head));
    sets->push_back(rows);
  }
}

// Numbers what a run of sets has, up to as many as fit `budget`; returns the launch they
// make and sets how many they are.
CascadeLaunch NumberRows(const PoolView& pool, const CascadeInsertArgs& args, int64_t budget,
                         CascadeRows* sets, int64_t count, int64_t* pending) {
  CascadeLaunch launch;
  int64_t bytes = 0;
  *pending = 0;
  for (; launch.row_sets < count; ++launch.row_sets) {
    CascadeRows& rows = sets[launch.row_sets];
    bytes += rows.heads * DecisionBytes(rows.changes);
    if (launch.row_sets > 0 && bytes > budget) break;
    rows.first_row = launch.row_count;
    rows.first_change = launch.changes;
    rows.first_pending = *pending;
    rows.first_page = launch.pages;
    launch.row_count += rows.heads;
    launch.changes += int64_t{rows.heads} * rows.changes.slots;
    *pending += rows.heads * rows.changes.count;
    const ViewEntry& entry = args.view->entries[rows.entry];
    launch.pages += int64_t{rows.heads} * ScorePagesOf(pool, entry, rows).count();
  }
  return launch;
}

int64_t LargestSlotBytes(const PoolView& pool, const StepView& view,
                         const std::vector<CascadeRows>& sets) {
  int64_t largest = kChunkBytes;
  for (const CascadeRows& rows : sets) {
    const PageFormat& format = pool.formats[view.entries[rows.entry].body_format].page;
    largest = std::max(largest, MovedSlotBytes(format));
  }
  return largest;
}

// Takes slots to scratch and brings them to their places, as many at a time as fit.
void LaunchMoves(const CascadeLaunch& launch, int64_t slot_bytes, Launcher& launcher) {
  const int64_t fitting = std::max<int64_t>(1, launcher.scratch_left_bytes() / slot_bytes);
  const int64_t most = std::min(fitting, launch.changes);
  auto* const scratch = launcher.Scratch<std::byte>(most * slot_bytes);
  for (int64_t first = 0; first < launch.changes; first += most) {
    const int64_t count = std::min(most, launch.changes - first);
    launcher.Launch(TakeCascadeSlotsKernel{launch, first, count, scratch, slot_bytes},
                    WarpItems(count));
    launcher.Launch(PutCascadeSlotsKernel{launch, first, count, scratch, slot_bytes},
                    WarpItems(count));
  }
}

}  // namespace

void LowerCascadeInsert(const CascadeInsertArgs& args, Launcher& launcher) {
  const LayerShape& layer = *args.layer;
  const PoolView& pool = launcher.host_pool();
  const int64_t budget = DecisionBudget(launcher);
  std::vector<CascadeRows> sets;
  for (int32_t i = 0; i < args.view->entry_count; ++i) AddRows(pool, args, i, budget, &sets);
  if (sets.empty()) return;
  const int64_t slot_bytes = LargestSlotBytes(pool, *args.view, sets);
  const auto count = static_cast<int64_t>(sets.size());
  for (int64_t first = 0; first < count;) {
    int64_t pending = 0;
    CascadeLaunch launch =
        NumberRows(pool, args, budget, sets.data() + first, count - first, &pending);
    if (first > 0) launcher.NextPart();
    launch.pool = launcher.pool();
    launch.entries = launcher.In(args.view->entries, args.view->entry_count);
    launch.rows = launcher.In(sets.data() + first, launch.row_sets);
    launch.layer_first_row = layer.first_row;
    launch.reduce = args.mass.reduce;
    launch.sums = PendingSums(args.mass.reduce, layer.q_heads / layer.kv_heads);
    launcher.ResetScratch();
    launch.sources = launcher.Scratch<int32_t>(launch.changes);
    launch.scores = launcher.Scratch<float>(launch.changes);
    launch.pending_scores = launcher.Scratch<float>(pending);
    launcher.Launch(AddPendingKernel{launch}, WarpItems(launch.pages));
    launcher.Launch(DecideCascadeKernel{launch}, {launch.row_count, 128, 0});
    LaunchMoves(launch, slot_bytes, launcher);
    first += launch.row_sets;
  }
}

}  // namespace sluice::device
