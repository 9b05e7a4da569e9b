// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/attend.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/device/attend_kernels.h"
#include "kernels/device/attend_layouts.h"
#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/mass_kernels.h"
#include "kernels/device/parts.h"
#include "kernels/device/tensor_attend_kernels.h"
#include "kernels/device/tensor_prefill_kernels.h"
#include "kernels/device/turns.h"

namespace sluice::device {
namespace {

// Room for the alignment of what is taken of the scratch.
constexpr int64_t kScratchSlack = 4096;

// A call and what is decided for all of it.
struct Lowered {
  const AttendArgs& args;
  Launcher& launcher;
  std::vector<AttendEntry> entries;  // of the host; those with the smaller units first
  AttendCall call;                   // of the device, for any rows
  int32_t unit_rows = 2;             // a power of 2; the most of a unit, up to kUnitRows
  bool turns = false;                // some keys stand at cache positions and turn
  AttendAnswers answers = {};
};

AttendShape ShapeOf(const AttendArgs& args, const Launcher& launcher, Dtype stored, bool turns) {
  return {*args.layer,
          stored,
          turns,
          OnTensorCores(launcher.arithmetic(), stored),
          launcher.shared_bytes_of_block()};
}

// Which has no influence on results.
int32_t UnitRowsOf(const AttendArgs& args, const Launcher& launcher, const ViewEntry& entry,
                   int64_t tokens) {
  const LayerShape& layer = *args.layer;
  const Dtype stored = launcher.host_pool().formats[entry.tail_format].page.dtype;
  const bool prefills = tokens * (layer.q_heads / layer.kv_heads) > kUnitRows &&
                        entry.cascade_offset == kNoOffset &&
                        OnTensorCores(launcher.arithmetic(), stored) &&
                        CanPrefill(layer, stored, args.dtype, launcher.shared_bytes_of_block());
  return prefills ? kPrefillRows : kUnitRows;
}

std::vector<AttendEntry> EntriesOf(const AttendArgs& args, const Launcher& launcher) {
  std::vector<AttendEntry> entries;
  const int64_t call_end = args.first_token + args.token_count;
  for (int32_t i = 0; i < args.view->entry_count; ++i) {
    const ViewEntry& entry = args.view->entries[i];
    const int64_t begin = std::max(entry.first_token, args.first_token);
    const int64_t end = std::min(entry.first_token + entry.token_count, call_end);
    if (begin >= end) continue;
    entries.push_back({i, 0, begin - args.first_token, end - begin,
                       entry.base_length + begin - entry.first_token});
    entries.back().unit_rows = UnitRowsOf(args, launcher, entry, end - begin);
  }
  std::stable_partition(entries.begin(), entries.end(), [](const AttendEntry& entry) {
    return entry.unit_rows == kUnitRows;
  });
  int32_t units = 0;
  for (AttendEntry& entry : entries) {
    entry.first_unit = units;
    units += args.layer->kv_heads * UnitsOfRow(entry, args.layer->q_heads / args.layer->kv_heads);
  }
  return entries;
}

// The shapes, and the operation's arrays where kernels reach them.
Lowered Prepare(const AttendArgs& args, Launcher& launcher) {
  const LayerShape& layer = *args.layer;
  const int32_t group = layer.q_heads / layer.kv_heads;
  Lowered lowered{args, launcher, EntriesOf(args, launcher), {}};
  for (const AttendEntry& entry : lowered.entries) {
    while (lowered.unit_rows < kUnitRows && lowered.unit_rows < entry.token_count * group) {
      lowered.unit_rows *= 2;
    }
    const ViewEntry& view_entry = args.view->entries[entry.entry];
    if (view_entry.cascade_offset != kNoOffset && layer.rope.inv_freq != nullptr) {
      lowered.turns = true;
    }
  }
  AttendCall& call = lowered.call;
  // Taken first: mass reads the queries once a tile of keys, so that they should have a place in
  // the ring, and with it in the device's memory.
  const int64_t queries = args.token_count * layer.q_heads;
  call.q = launcher.InBytes(args.q, queries * layer.k_dim * DtypeBytes(args.dtype));
  call.pool = launcher.pool();
  call.layer = launcher.Layer(layer);
  call.view_entries = launcher.View(*args.view).entries;
  call.entries = launcher.In(lowered.entries.data(), static_cast<int64_t>(lowered.entries.size()));
  call.dtype = args.dtype;
  call.group = group;
  lowered.answers.out = launcher.OutBytes(args.out, queries * layer.v_dim * DtypeBytes(args.dtype));
  lowered.answers.lse = launcher.Out(args.lse, queries);
  lowered.answers.non_finite = launcher.Count(args.non_finite_count);
  return lowered;
}

int32_t UnitRowsFrom(const Lowered& lowered, int32_t row) {
  return lowered.entries[static_cast<size_t>(row / lowered.call.layer.kv_heads)].unit_rows;
}

// Takes rows from first_row on, as many as have units of one size and scratch has room for with
// half of it left to states, at least one; and counts their units.
void TakeRows(const Lowered& lowered, int32_t first_row, AttendCall* call) {
  const int32_t kv_heads = call->layer.kv_heads;
  const auto rows = static_cast<int32_t>(lowered.entries.size()) * kv_heads;
  const int32_t unit_rows = UnitRowsFrom(lowered, first_row);
  const int64_t unit_bytes = static_cast<int64_t>(sizeof(AttendUnit)) +
                             (lowered.args.accumulate_mass ? unit_rows * 4 : 0);
  const int64_t room = lowered.launcher.scratch_left_bytes() / 2;
  call->first_row = first_row;
  call->row_count = 0;
  call->unit_count = 0;
  for (int32_t row = first_row; row < rows; ++row) {
    const AttendEntry& entry = lowered.entries[static_cast<size_t>(row / kv_heads)];
    const int32_t units = UnitsOfRow(entry, call->group);
    if (row == first_row) call->first_unit = entry.first_unit + row % kv_heads * units;
    const int64_t bytes = (call->unit_count + units) * unit_bytes + (call->row_count + 2) * 4;
    if (call->row_count > 0 && (bytes > room || entry.unit_rows != unit_rows)) return;
    ++call->row_count;
    call->unit_count += units;
  }
}

AttendPlan TakePlan(const Lowered& lowered, const AttendCall& call) {
  Launcher& launcher = lowered.launcher;
  const int32_t unit_rows = UnitRowsFrom(lowered, call.first_row);
  AttendPlan plan;
  plan.units = launcher.Scratch<AttendUnit>(call.unit_count);
  plan.totals = launcher.Scratch<AttendTotals>(1);
  if (lowered.args.accumulate_mass) {
    plan.first_tiles = launcher.Scratch<int32_t>(call.row_count + 1);
    plan.log_sums = launcher.Scratch<float>(int64_t{call.unit_count} * unit_rows);
  }
  // More states than this are never of use, and numbers of floats fit 32 bits.
  const int64_t most = (int64_t{call.unit_count} + kWantedItems) * kMaxChunks *
                       StateFloats(unit_rows, call.layer.v_dim);
  const int64_t left = (launcher.scratch_left_bytes() - kScratchSlack) / 4;
  plan.state_floats = std::clamp<int64_t>(left, 0, std::min<int64_t>(most, INT32_MAX));
  plan.states = launcher.Scratch<float>(plan.state_floats);
  return plan;
}

int64_t TilesOf(const Row& row) {
  int64_t tiles = 0;
  for (int32_t span = 0; span < row.span_count; ++span) {
    tiles += (ChunksOf(row.spans[span], kTileSlots).end + kTileSlots - 1) / kTileSlots;
  }
  return tiles;
}

// Of all rows of the call.
int64_t MostTiles(const Lowered& lowered, const AttendCall& call) {
  const int32_t kv_heads = call.layer.kv_heads;
  int64_t tiles = 0;
  int64_t row_tiles = 0;
  for (int32_t i = 0; i < call.row_count; ++i) {
    const int32_t head = (call.first_row + i) % kv_heads;
    const AttendEntry& entry =
        lowered.entries[static_cast<size_t>((call.first_row + i) / kv_heads)];
    const ViewEntry& view_entry = lowered.args.view->entries[entry.entry];
    // An entry's rows are alike under a cascade, whose pieces take long to find.
    if (i == 0 || head == 0 || view_entry.cascade_offset == kNoOffset) {
      row_tiles = TilesOf(MakeRow(lowered.launcher.host_pool(), view_entry,
                                  call.layer.first_row + head,
                                  entry.first_position + entry.token_count));
    }
    tiles += row_tiles;
  }
  return tiles;
}

template <class Kernel>
void LaunchItems(const Lowered& lowered, const AttendCall& call, const Kernel& kernel,
                 int32_t shared_bytes) {
  lowered.launcher.Launch(
      kernel, {int64_t{call.unit_count} + kWantedItems, kernel.kThreads, shared_bytes});
}

template <class Products>
void LaunchAttend(const Lowered& lowered, const AttendPlan& plan, const Products& products,
                  int32_t shared_bytes) {
  const AttendUnitKernel<Products> attend = {products, plan, lowered.answers};
  LaunchItems(lowered, products.tiles.call, attend, shared_bytes);
}

template <Dtype kDtype>
void LaunchPrefill(const Lowered& lowered, const AttendCall& call, const AttendPlan& plan) {
  TensorPrefillKernel<kDtype> prefill;
  prefill.tiles = {call, MakePrefillLayout(*lowered.args.layer, kDtype, call.dtype)};
  prefill.plan = plan;
  prefill.answers = lowered.answers;
  LaunchItems(lowered, call, prefill, prefill.tiles.layout.bytes);
}

template <Dtype kDtype>
void LaunchMass(const Lowered& lowered, const AttendCall& call, const AttendPlan& plan,
                const Turn* key_turns) {
  const AttendShape shape = ShapeOf(lowered.args, lowered.launcher, kDtype, lowered.turns);
  MassKernel<kDtype> mass;
  mass.tiles = {call, MassLayout(shape, lowered.unit_rows), key_turns};
  mass.plan = plan;
  mass.rule = lowered.args.mass;
  lowered.launcher.Launch(mass,
                          {MostTiles(lowered, call), mass.kThreads, mass.tiles.layout.bytes});
}

template <Dtype kDtype>
void LaunchUnits(const Lowered& lowered, const AttendCall& call, const AttendPlan& plan,
                 const Turn* key_turns) {
  const AttendShape shape = ShapeOf(lowered.args, lowered.launcher, kDtype, lowered.turns);
  const UnitLayout layout = AttendLayout(shape, lowered.unit_rows);
  const UnitTiles<kDtype> tiles = {call, layout, key_turns};
  bool launched = false;
  if constexpr (kDtype != Dtype::kF32) {
    if (UnitRowsFrom(lowered, call.first_row) == kPrefillRows) {
      LaunchPrefill<kDtype>(lowered, call, plan);
      launched = true;
    } else if (shape.on_tensor_cores) {
      const TensorLayout tensor =
          MakeTensorLayout(layout, shape.layer, lowered.unit_rows, shape.turns);
      LaunchAttend(lowered, plan, TensorProducts<kDtype>{tiles, tensor}, tensor.bytes);
      launched = true;
    }
  }
  if (!launched) LaunchAttend(lowered, plan, ScalarProducts<kDtype>{tiles}, layout.bytes);
  if (lowered.args.accumulate_mass) LaunchMass<kDtype>(lowered, call, plan, key_turns);
}

void LaunchRows(const Lowered& lowered, const AttendCall& call, const AttendPlan& plan,
                const Turn* key_turns) {
  Launcher& launcher = lowered.launcher;
  launcher.Launch(AttendCountKernel{call, plan},
                  {call.row_count, AttendCountKernel::kThreads, AttendCountKernel::kSharedBytes});
  launcher.Launch(AttendCutKernel{plan, call.unit_count, call.row_count, call.layer.v_dim},
                  {1, AttendCutKernel::kThreads, AttendCutKernel::kSharedBytes});
  const ViewEntry& entry = lowered.args.view->entries[lowered.entries.front().entry];
  switch (launcher.host_pool().formats[entry.tail_format].page.dtype) {
    case Dtype::kF32: return LaunchUnits<Dtype::kF32>(lowered, call, plan, key_turns);
    case Dtype::kBf16: return LaunchUnits<Dtype::kBf16>(lowered, call, plan, key_turns);
    case Dtype::kF16: return LaunchUnits<Dtype::kF16>(lowered, call, plan, key_turns);
  }
}

void LowerPart(const AttendArgs& args, Launcher& launcher) {
  const Lowered lowered = Prepare(args, launcher);
  AttendCall call = lowered.call;
  const auto rows = static_cast<int32_t>(lowered.entries.size()) * call.layer.kv_heads;
  for (int32_t row = 0; row < rows; row += call.row_count) {
    launcher.ResetScratch();
    Turn* key_turns = nullptr;
    if (lowered.turns) {
      const int64_t pairs = call.layer.rope.rotary_dim / 2;
      key_turns = launcher.Scratch<Turn>(kTileSlots * pairs);
      launcher.Launch(KeyTurnsKernel{call.layer.rope, key_turns}, {kTileSlots, 32, 0});
    }
    TakeRows(lowered, row, &call);
    LaunchRows(lowered, call, TakePlan(lowered, call), key_turns);
  }
}

// Tokens that parts of the call may end behind: where units do, so that parts change nothing.
// Mass counts the query rows of an entry together.
int64_t TokensOfUnits(const AttendArgs& args) {
  if (args.accumulate_mass) return 0;
  return kUnitRows / std::gcd(kUnitRows, args.layer->q_heads / args.layer->kv_heads);
}

}  // namespace

void LowerAttend(const AttendArgs& args, Launcher& launcher) {
  const LayerShape& layer = *args.layer;
  const int64_t element_bytes = DtypeBytes(args.dtype);
  TokenCut cut;
  cut.budget_bytes = launcher.part_bytes();
  cut.token_bytes = layer.q_heads * ((layer.k_dim + layer.v_dim) * element_bytes +
                                     static_cast<int64_t>(sizeof(float)));
  cut.entry_bytes = sizeof(ViewEntry) + sizeof(AttendEntry);
  cut.multiple = TokensOfUnits(args);
  AttendArgs part = args;
  for (const TokenPart& tokens : CutTokens(*args.view, args.first_token, args.token_count, cut)) {
    if (tokens.first_token > args.first_token) launcher.NextPart();
    const int64_t queries = (tokens.first_token - args.first_token) * layer.q_heads;
    const StepView view{args.view->entries + tokens.first_entry, tokens.entry_count,
                        args.view->total_tokens};
    part.view = &view;
    part.first_token = tokens.first_token;
    part.token_count = tokens.token_count;
    part.q = From(args.q, queries * layer.k_dim * element_bytes);
    part.out = From(args.out, queries * layer.v_dim * element_bytes);
    part.lse = From(args.lse, queries);
    LowerPart(part, launcher);
  }
}

}  // namespace sluice::device
