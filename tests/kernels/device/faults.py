# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The defects of seeded_faults.py: as they are made when kernels are written."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Fault:
    family: str              # tests/kernels/sim/sim_<family>.cc compiles the header
    suites: tuple[str, ...]  # conformance_<suite>_test, one of which must fail
    name: str
    header: str              # from the repository's root
    text: str                # found in it exactly once
    replacement: str


FAULTS = [
    Fault("append", ("cascade",), "a key is turned before all lanes have brought their part",
          "kernels/device/append_kernels.h",
          "    block.SyncWarp();\n    const int32_t pairs = rope.rotary_dim / 2;\n",
          "    const int32_t pairs = rope.rotary_dim / 2;\n"),
    Fault("append", ("append",), "the slot behind a run's last one is not cleared",
          "kernels/device/slot_store.h",
          "  ClearTile(block, MakeSwizzledTile(shape.page_size, shape.k_dim, shape.dtype), slots,"
          " data);\n",
          "  if (slots < shape.page_size) {\n"
          "    ClearTile(block, MakeSwizzledTile(shape.page_size, shape.k_dim, shape.dtype),\n"
          "              slots + 1, data);\n"
          "  }\n"),
    Fault("transfer", ("transfer",), "off by one on the last partial page",
          "kernels/device/transfer_kernels.h",
          "static_cast<int32_t>(left < page_size ? left : page_size)",
          "static_cast<int32_t>(left < page_size ? left - 1 : page_size)"),
    Fault("transfer", ("transfer",), "a reader of pages that does not swizzle",
          "kernels/device/transfer_kernels.h",
          "SwizzledChunk(tile, slot, static_cast<int32_t>(i % chunks));",
          "(slot * chunks + static_cast<int32_t>(i % chunks)) * kChunkBytes;"),
    Fault("copy", ("compact",), "flags are set before they are cleared",
          "kernels/device/copy_kernels.h",
          "    if (block.thread() == 0) *flags = 0;\n    block.Sync();\n",
          "    if (block.thread() == 0) *flags = 0;\n"),
    Fault("select", ("select",), "ties go to the highest slots of a word",
          "kernels/device/select_mark_kernel.h",
          "if (left < count) equal = LowestBits(equal, left);",
          "for (int64_t n = left > 0 ? left : 0; n < count; ++n) equal &= equal - 1;"),
    Fault("select", ("select",), "ties are handed out anew to every 8192 slots",
          "kernels/device/select_mark_kernel.h",
          "      ties -= totals.all;\n",
          ""),
    Fault("select", ("select",), "a histogram still holds the digit before",
          "kernels/device/select_kernels.h",
          "    } else {\n"
          "      uint32_t* const histograms = work.Histogram(first);\n"
          "      ForEachOfBlock(block, (end - first) * work.bins, [&](int64_t i)"
          " { histograms[i] = 0; });\n"
          "    }\n",
          "    }\n"),
    Fault("attend", ("attend",), "values are used before their copies are waited for",
          "kernels/device/attend_unit_kernel.h",
          "block.template WaitCopies<1>();",
          "block.template WaitCopies<2>();"),
    Fault("attend", ("batch",), "states of chunks fold from the last to the first",
          "kernels/device/unit_item.h",
          "StateAt(plan, item, s, v_dim)",
          "StateAt(plan, item, count - 1 - s, v_dim)"),
    Fault("attend", ("attend", "batch"), "a unit is folded before its last item has arrived",
          "kernels/device/unit_item.h",
          "block.ArriveLast(&plan.units[item.number].arrivals, items)",
          "block.ArriveLast(&plan.units[item.number].arrivals, items - 1)"),
    Fault("attend", ("mass",), "scores decay by one token too few",
          "kernels/device/mass_kernels.h",
          "DecayPower(rule.decay, entry.token_count)",
          "DecayPower(rule.decay, entry.token_count - 1)"),
    Fault("attend", ("mass",), "the score of a new slot does not start from 0",
          "kernels/device/mass_kernels.h",
          "slot >= fresh || decay == 0.0f",
          "slot > fresh || decay == 0.0f"),
    Fault("tensor_attend", ("attend",), "weights lie where chunks do not change places",
          "kernels/device/tensor_attend_kernels.h",
          "        WeightColumn::Offset(kUnitRows, 0, query, slot / kElements);",
          "        query * kTileSlots * kPartBytes + slot / kElements * kChunkBytes;"),
    Fault("tensor_attend", ("attend",), "the second half of a group's dims is the first again",
          "kernels/device/tensor_attend_kernels.h",
          "    const int32_t chunk = 2 * group + of_values.chunk;\n",
          "    const int32_t chunk = 2 * group;\n"),
    Fault("tensor_attend", ("cascade",), "queries are multiplied before all have turned",
          "kernels/device/tensor_attend_kernels.h",
          "    block.Sync();\n    WriteDotsOf<Dtype::kBf16>",
          "    WriteDotsOf<Dtype::kBf16>"),
    Fault("tensor_prefill", ("attend",), "values of 64 query rows are not waited for",
          "kernels/device/tensor_prefill_kernels.h",
          "block.template WaitCopies<1>();",
          "block.template WaitCopies<2>();"),
    Fault("tensor_prefill", ("attend",), "all rows of a warp see what its last one sees",
          "kernels/device/prefill_tiles.h",
          "all = all && key <= rows.lowest",
          "all = all && key <= rows.highest"),
    Fault("tensor_prefill", ("attend",), "a row's sum lacks those of half of its lanes",
          "kernels/device/prefill_tiles.h",
          "for (int32_t mask = 2; mask > 0; mask /= 2) {",
          "for (int32_t mask = 1; mask > 0; mask /= 2) {"),
    Fault("compact", ("compact",), "what is kept is not carried on along a row",
          "kernels/device/compact_kernels.h",
          "      kept += block.Shuffle(upto, kWarpThreads - 1);\n",
          ""),
    Fault("compact", ("compact",), "slots of a page are found anew every 1024 slots",
          "kernels/device/compact_kernels.h",
          "int32_t n = found + upto - CountBits(bits);",
          "int32_t n = upto - CountBits(bits);"),
    Fault("job_score", ("compact",), "slots behind a row's last one are kept",
          "kernels/device/job_score_kernels.h",
          "word < words ? MaskWord(mask, word, row.slots) : 0u",
          "word < words ? MaskWord(mask, word, words * 32) : 0u"),
    Fault("job_score", ("compact",), "scores are moved to the row's start again every 4096 slots",
          "kernels/device/job_score_kernels.h",
          "      destination += totals.all;\n",
          ""),
    Fault("cascade", ("cascade", "cascade_stream"),
          "a row is decided before all of it is laid out",
          "kernels/device/cascade_kernels.h",
          "      ClearReachedPages(block, rows, row);\n      block.Sync();\n",
          "      ClearReachedPages(block, rows, row);\n"),
    Fault("cascade", ("cascade", "cascade_stream"),
          "slots on their way share scratch between two launches",
          "kernels/device/cascade_kernels.h",
          "reinterpret_cast<Vector16*>(scratch + item * slot_bytes);\n"
          "      const int32_t chunks = MovedChunks(format.page);\n"
          "      for (int32_t chunk = block.lane(); chunk < chunks; chunk += kWarpThreads) {\n"
          "        to[chunk]",
          "reinterpret_cast<Vector16*>(scratch + item / 2 * slot_bytes);\n"
          "      const int32_t chunks = MovedChunks(format.page);\n"
          "      for (int32_t chunk = block.lane(); chunk < chunks; chunk += kWarpThreads) {\n"
          "        to[chunk]"),
    Fault("window", ("window_score",), "a tile is overwritten while it is read",
          "kernels/device/window_kernels.h",
          "      block.Sync();\n      tile.Load(block, index);\n",
          "      tile.Load(block, index);\n"),
    Fault("window", ("window_score",), "the sum of a row's last half chunk is not folded",
          "kernels/device/window_kernels.h",
          "i < row.chunk_count() * 2;",
          "i < row.chunk_count() * 2 - 1;"),
    Fault("observe", ("observe",), "each lane decides for itself whether a row is finite",
          "kernels/device/observe_kernels.h",
          "const bool kept = block.Ballot(!finite) == 0;",
          "const bool kept = finite;"),
    Fault("observe", ("observe",), "a carried ring keeps the row at the length",
          "kernels/device/observe_kernels.h",
          "position < length ? position : -1",
          "position <= length ? position : -1"),
]
