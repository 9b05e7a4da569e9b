// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/append.h"

#include <algorithm>
#include <vector>

#include "kernels/device/append_kernels.h"
#include "kernels/device/parts.h"

namespace sluice::device {
namespace {

// From how many slots of a run on several warps share them.
constexpr int32_t kSharedSlots = 4;

bool TurnsBack(const RopeTable& rope, const PageFormat& format) {
  return rope.inv_freq != nullptr && rope.rotary_dim > 0 && rope.arrives_rotated &&
         format.key_space == KeySpace::kCachePosition;
}

void AddRuns(const PoolView& pool, const AppendArgs& args, const ViewEntry& entry,
             std::vector<AppendRun>* runs) {
  const PageFormat& format = pool.formats[entry.tail_format].page;
  const auto* const blocks =
      reinterpret_cast<const uint32_t*>(pool.tables + entry.block_list_offset);
  int64_t token = std::max(entry.first_token, args.first_token);
  const int64_t end_token =
      std::min(entry.first_token + entry.token_count, args.first_token + args.token_count);
  while (token < end_token) {
    AppendRun run;
    run.token = token - args.first_token;
    run.position = entry.base_length + token - entry.first_token;
    const int64_t tail_slot = entry.tail_start + run.position - entry.tail_first_position;
    run.page_word =
        blocks[tail_slot / format.page_size] + static_cast<uint32_t>(args.layer->first_row);
    run.first_slot = static_cast<int32_t>(tail_slot % format.page_size);
    run.slots = static_cast<int32_t>(
        std::min<int64_t>(format.page_size - run.first_slot, end_token - token));
    run.format = entry.tail_format;
    run.turns_back = TurnsBack(args.layer->rope, format);
    runs->push_back(run);
    token += run.slots;
  }
}

// In the order of their tokens.
std::vector<AppendRun> RunsOf(const PoolView& pool, const AppendArgs& args) {
  std::vector<AppendRun> runs;
  const StepView& view = *args.view;
  const ViewEntry* const end = view.entries + view.entry_count;
  const ViewEntry* entry = std::partition_point(view.entries, end, [&](const ViewEntry& e) {
    return e.first_token + e.token_count <= args.first_token;
  });
  const int64_t end_token = args.first_token + args.token_count;
  for (; entry != end && entry->first_token < end_token; ++entry) {
    AddRuns(pool, args, *entry, &runs);
  }
  return runs;
}

AppendKernel MakeKernel(const AppendArgs& args, Launcher& launcher) {
  const LayerShape& layer = *args.layer;
  const int64_t vectors = args.token_count * layer.kv_heads;
  AppendKernel kernel;
  kernel.pool = launcher.pool();
  kernel.kv_heads = layer.kv_heads;
  kernel.k = static_cast<const std::byte*>(
      launcher.InBytes(args.k, vectors * layer.k_dim * DtypeBytes(args.k_dtype)));
  kernel.v = static_cast<const std::byte*>(
      launcher.InBytes(args.v, vectors * layer.v_dim * DtypeBytes(args.v_dtype)));
  kernel.k_dtype = args.k_dtype;
  kernel.v_dtype = args.v_dtype;
  kernel.rope = layer.rope;
  kernel.rope.inv_freq = launcher.In(layer.rope.inv_freq, layer.rope.rotary_dim / 2);
  kernel.non_finite_count = launcher.Count(args.non_finite_count);
  return kernel;
}

// The number of runs from `first` on, at least one, of at most `tokens` tokens in all.
int64_t RunsWithin(const std::vector<AppendRun>& runs, int64_t first, int64_t tokens) {
  auto end = static_cast<size_t>(first) + 1;
  while (end < runs.size() && runs[end].token + runs[end].slots - runs[first].token <= tokens) {
    ++end;
  }
  return static_cast<int64_t>(end) - first;
}

// In parts of which the turns fit the scratch.
void LaunchTurningBack(const std::vector<AppendRun>& runs, AppendKernel kernel, LaunchShape shape,
                       Launcher& launcher) {
  const AppendRun* const placed = kernel.runs;
  const int64_t pairs = kernel.rope.rotary_dim / 2;
  shape.shared_bytes = shape.threads / kWarpThreads * AppendKernel::kTurnBytes;
  const auto run_count = static_cast<int64_t>(runs.size());
  for (int64_t first = 0; first < run_count; first += kernel.run_count) {
    launcher.ResetScratch();
    const int64_t most_tokens =
        launcher.scratch_left_bytes() / (pairs * static_cast<int64_t>(sizeof(Turn)));
    kernel.run_count = RunsWithin(runs, first, most_tokens);
    const AppendRun& last = runs[first + kernel.run_count - 1];
    kernel.runs = placed + first;
    kernel.first_token = runs[first].token;
    Turn* const turns =
        launcher.Scratch<Turn>((last.token + last.slots - kernel.first_token) * pairs);
    launcher.Launch(
        TurnsKernel{kernel.rope, kernel.runs, kernel.run_count, kernel.first_token, turns},
        {kernel.run_count, 128, 0});
    kernel.turns = turns;
    shape.items = kernel.run_count * kernel.kv_heads;
    launcher.Launch(kernel, shape);
  }
}

void LowerPart(const AppendArgs& args, Launcher& launcher) {
  const std::vector<AppendRun> runs = RunsOf(launcher.host_pool(), args);
  AppendKernel kernel = MakeKernel(args, launcher);
  kernel.run_count = static_cast<int64_t>(runs.size());
  kernel.runs = launcher.In(runs.data(), kernel.run_count);
  bool shared = false;
  bool turns_back = false;
  for (const AppendRun& run : runs) {
    shared = shared || run.slots >= kSharedSlots;
    turns_back = turns_back || run.turns_back;
  }
  const LaunchShape shape{kernel.run_count * kernel.kv_heads, shared ? 128 : kWarpThreads, 0};
  if (turns_back) {
    LaunchTurningBack(runs, kernel, shape, launcher);
  } else {
    launcher.Launch(kernel, shape);
  }
}

}  // namespace

void LowerAppend(const AppendArgs& args, Launcher& launcher) {
  const LayerShape& layer = *args.layer;
  const int64_t k_bytes = layer.kv_heads * layer.k_dim * DtypeBytes(args.k_dtype);
  const int64_t v_bytes = layer.kv_heads * layer.v_dim * DtypeBytes(args.v_dtype);
  TokenCut cut;
  cut.budget_bytes = launcher.part_bytes();
  cut.token_bytes = k_bytes + v_bytes + static_cast<int64_t>(sizeof(AppendRun));
  AppendArgs part = args;
  for (const TokenPart& tokens : CutTokens(*args.view, args.first_token, args.token_count, cut)) {
    if (tokens.first_token > args.first_token) launcher.NextPart();
    const int64_t before = tokens.first_token - args.first_token;
    part.first_token = tokens.first_token;
    part.token_count = tokens.token_count;
    part.k = From(args.k, before * k_bytes);
    part.v = From(args.v, before * v_bytes);
    LowerPart(part, launcher);
  }
}

}  // namespace sluice::device
