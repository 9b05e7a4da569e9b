// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of Append (ops.h).

#include "kernels/core/rope.h"
#include "kernels/core/view.h"
#include "kernels/device/block.h"
#include "kernels/device/exact_turn.h"
#include "kernels/device/slot_store.h"
#include "kernels/ops.h"

namespace sluice::device {

// The slots of one block of a tail that a call writes: of a page in every row. A page is
// one run's, so that one block of threads clears it and owns its flags.
struct AppendRun {
  int64_t token = 0;       // of the call's tokens: the run's first
  int64_t position = 0;    // its true position
  uint32_t page_word = 0;  // in tables: the page of the layer's first row
  int32_t first_slot = 0;  // of the page
  int32_t slots = 0;
  uint16_t format = 0;
  bool turns_back = false;  // keys come rotated and are stored un-rotated
};

// Writes the turns of tokens whose keys are turned back: once for all heads.
struct TurnsKernel {
  RopeTable rope;         // inv_freq: of the device
  const AppendRun* runs;  // [run_count]
  int64_t run_count = 0;
  int64_t first_token = 0;  // of the call's tokens
  Turn* turns = nullptr;    // [tokens from first_token on, rotary_dim / 2]

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t pairs = rope.rotary_dim / 2;
    for (int64_t i = block.index(); i < run_count; i += block.count()) {
      const AppendRun& run = runs[i];
      if (!run.turns_back) continue;
      Turn* const to = turns + (run.token - first_token) * pairs;
      ForEachOfBlock(block, run.slots * pairs, [&](int64_t j) {
        to[j] = ExactTrueTurn(rope.inv_freq[j % pairs], run.position + j / pairs);
      });
    }
  }
};

// A block writes a run's slots of one kv head, a warp one of them at a time. Shared memory:
// kTurnBytes a warp, where a run turns keys back.
struct AppendKernel {
  static constexpr int32_t kTurnBytes = 256 * 4;  // a key's elements in fp32

  PoolView pool;
  const AppendRun* runs;  // [run_count]
  int64_t run_count = 0;
  int32_t kv_heads = 0;
  const std::byte* k = nullptr;
  const std::byte* v = nullptr;
  Dtype k_dtype = Dtype::kF32;
  Dtype v_dtype = Dtype::kF32;
  RopeTable rope;
  const Turn* turns = nullptr;  // as TurnsKernel wrote them
  int64_t first_token = 0;
  uint64_t* non_finite_count = nullptr;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t items = run_count * kv_heads;
    for (int64_t item = block.index(); item < items; item += block.count()) {
      AppendHead(block, runs[item / kv_heads], static_cast<int32_t>(item % kv_heads));
    }
  }

 private:
  template <class Block>
  SLUICE_HD void AppendHead(Block& block, const AppendRun& run, int32_t head) const {
    const SpanFormat& format = pool.formats[run.format];
    const auto* const words = reinterpret_cast<const uint32_t*>(pool.tables);
    const uint32_t page = words[run.page_word + static_cast<uint32_t>(head)];
    if (run.first_slot == 0) OpenPage(block, pool, format, page, run.slots);
    const int32_t warps = block.threads() / kWarpThreads;
    for (int32_t i = block.thread() / kWarpThreads; i < run.slots; i += warps) {
      SlotSource source = SourceOf(format.page, (run.token + i) * kv_heads + head);
      source.position = static_cast<int32_t>(run.position + i);
      if (run.turns_back) TurnKeyBack(block, format.page.k_dim, run.token + i, &source);
      const bool stored = StoreSlot(block, pool, format, page, run.first_slot + i, source);
      if (!stored && block.lane() == 0 && non_finite_count != nullptr) {
        block.AtomicAdd(non_finite_count, uint64_t{1});
      }
    }
  }

  SLUICE_HD SlotSource SourceOf(const PageFormat& format, int64_t vector) const {
    SlotSource source;
    source.k = k + vector * format.k_dim * DtypeBytes(k_dtype);
    source.v = v + vector * format.v_dim * DtypeBytes(v_dtype);
    source.k_dtype = k_dtype;
    source.v_dtype = v_dtype;
    return source;
  }

  // Puts a key un-rotated into the warp's part of shared memory, from where it is stored.
  template <class Block>
  SLUICE_HD void TurnKeyBack(Block& block, int32_t k_dim, int64_t token, SlotSource* source) const {
    std::byte* const room = block.shared() + block.thread() / kWarpThreads * kTurnBytes;
    auto* const key = reinterpret_cast<float*>(room);
    block.SyncWarp();
    for (int32_t dim = 8 * block.lane(); dim < k_dim; dim += 8 * kWarpThreads) {
      float values[8];
      LoadFloats(source->k, k_dtype, dim, values);
      for (int32_t i = 0; i < 8; ++i) key[dim + i] = values[i];
    }
    block.SyncWarp();
    const int32_t pairs = rope.rotary_dim / 2;
    const Turn* const turns_of_token = turns + (token - first_token) * pairs;
    const float factor = 1.0f / rope.attention_factor;
    for (int32_t pair = block.lane(); pair < pairs; pair += kWarpThreads) {
      const DimPair dims = PairDims(rope.pairing, rope.rotary_dim, pair);
      const Turn& turn = turns_of_token[pair];
      RotatePair(turn.cosine, -turn.sine, &key[dims.first], &key[dims.second]);
      key[dims.first] *= factor;
      key[dims.second] *= factor;
    }
    block.SyncWarp();
    source->k = room;
    source->k_dtype = Dtype::kF32;
  }
};

}  // namespace sluice::device
