// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// How the work of an Attend is cut, found out on the device: an item is a run of canonical
// chunks of one unit, and runs are about as long as makes kWantedItems of them. How it is
// cut has no influence on results.

#include <cstdint>

#include "kernels/device/block.h"
#include "kernels/device/row_tiles.h"

namespace sluice::device {

// Items beyond one for each unit.
inline constexpr int32_t kWantedItems = 512;

struct AttendUnit {
  int32_t row = 0;          // of the call
  int32_t first_query = 0;  // of the row's query rows
  int32_t queries = 0;      // 1 .. AttendEntry::unit_rows
  int32_t first_chunk = 0;  // the chunks that any of them sees
  int32_t last_chunk = 0;   // one past
  int32_t first_item = 0;
  int32_t first_state = 0;  // in floats among the states; -1: the unit is one item
  uint32_t arrivals = 0;    // items that are done

  SLUICE_HD constexpr int32_t chunks() const { return last_chunk - first_chunk; }
};

struct AttendTotals {
  int32_t items = 0;
  int32_t item_chunks = 1;  // chunks of an item, but for a unit's last
};

// The plan, in memory of the device.
//
// A unit of several items has a state for its first item, and then one for each of its
// chunks behind that: what the query rows got so far, which the last item to be done folds
// in order. A state is [StateRows] maxima in units of log2, as many sums, and values [queries,
// v_dim].
struct AttendPlan {
  AttendUnit* units = nullptr;      // [unit_count]
  AttendTotals* totals = nullptr;
  int32_t* first_tiles = nullptr;   // [row_count + 1]: tiles before each row; null: not wanted
  float* states = nullptr;          // [state_floats], 16-byte aligned
  int64_t state_floats = 0;
  float* log_sums = nullptr;        // [unit_count, unit_rows]: log-sum-exp in units of log2,
                                    // +inf: the row adds no mass; null: not wanted
};

SLUICE_HD constexpr int32_t StateRows(int32_t queries) {
  return (queries + kUnitRows - 1) / kUnitRows * kUnitRows;
}

SLUICE_HD constexpr int32_t StateFloats(int32_t queries, int32_t v_dim) {
  return 2 * StateRows(queries) + queries * v_dim;
}

SLUICE_HD constexpr int32_t ItemsOf(const AttendUnit& unit, int32_t item_chunks) {
  const int32_t items = (unit.chunks() + item_chunks - 1) / item_chunks;
  return items > 0 ? items : 1;
}

// Finds the units of the call and the chunks that they see. A block a row.
struct AttendCountKernel {
  AttendCall call;
  AttendPlan plan;

  static constexpr int32_t kThreads = 32;
  static constexpr int32_t kSharedBytes = static_cast<int32_t>(sizeof(RowTiles));

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    auto* const tiles = reinterpret_cast<RowTiles*>(block.shared());
    for (int64_t i = block.index(); i < call.row_count; i += block.count()) {
      const int32_t row = call.first_row + static_cast<int32_t>(i);
      MakeRowTiles(block, call, row, tiles);
      const int64_t queries = call.QueriesOf(row);
      AttendUnit* const units = plan.units + call.FirstUnit(row);
      const int64_t unit_rows = call.EntryOf(row).unit_rows;
      ForEachOfBlock(block, (queries + unit_rows - 1) / unit_rows, [&](int64_t unit) {
        const int64_t left = queries - unit * unit_rows;
        units[unit] = MakeUnit(*tiles, row, unit * unit_rows,
                               static_cast<int32_t>(left < unit_rows ? left : unit_rows));
      });
      if (block.thread() == 0 && plan.first_tiles != nullptr) {
        plan.first_tiles[i] = CountTiles(*tiles);
      }
      block.Sync();
    }
  }

 private:
  SLUICE_HD AttendUnit MakeUnit(const RowTiles& tiles, int32_t row, int64_t first_query,
                                int32_t queries) const {
    AttendUnit unit;
    unit.row = row;
    unit.first_query = static_cast<int32_t>(first_query);
    unit.queries = queries;
    const int64_t first = tiles.query_position + first_query / call.group;
    const int64_t last = tiles.query_position + (first_query + queries - 1) / call.group;
    bool any = false;
    for (int32_t span = 0; span < tiles.row.span_count; ++span) {
      const SlotRange seen = VisibleSlots(call, tiles, span, first, last);
      if (seen.begin >= seen.end) continue;
      const int32_t before = tiles.first_chunks[span];
      if (!any) unit.first_chunk = before + seen.begin / tiles.chunk_slots;
      unit.last_chunk = before + (seen.end + tiles.chunk_slots - 1) / tiles.chunk_slots;
      any = true;
    }
    return unit;
  }

  SLUICE_HD static int32_t CountTiles(const RowTiles& tiles) {
    int32_t count = 0;
    for (int32_t span = 0; span < tiles.row.span_count; ++span) count += tiles.TilesOf(span);
    return count;
  }
};

// Cuts the units into items and gives them their states. One block.
struct AttendCutKernel {
  AttendPlan plan;
  int32_t unit_count = 0;
  int32_t row_count = 0;
  int32_t v_dim = 0;

  static constexpr int32_t kThreads = 128;
  static constexpr int32_t kSharedBytes = kThreads * 8;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    if (block.index() > 0) return;
    const Strip units = StripOf(block, unit_count);
    const int32_t item_chunks = ChooseItemChunks(block, units);
    PlaceUnits(block, units, item_chunks);
    if (plan.first_tiles != nullptr) PlaceTiles(block, StripOf(block, row_count));
  }

 private:
  // What one thread goes through.
  struct Strip {
    int32_t begin = 0;
    int32_t end = 0;
  };

  struct Sum {
    int64_t before = 0;  // of the threads before
    int64_t all = 0;
  };

  template <class Block>
  SLUICE_HD static Strip StripOf(Block& block, int64_t count) {
    const int64_t threads = block.threads();
    return {static_cast<int32_t>(count * block.thread() / threads),
            static_cast<int32_t>(count * (block.thread() + 1) / threads)};
  }

  template <class Block>
  SLUICE_HD static Sum SumOfBlock(Block& block, int64_t value) {
    auto* const values = reinterpret_cast<int64_t*>(block.shared());
    block.Sync();
    values[block.thread()] = value;
    block.Sync();
    Sum sum;
    for (int32_t i = 0; i < block.threads(); ++i) {
      if (i < block.thread()) sum.before += values[i];
      sum.all += values[i];
    }
    return sum;
  }

  SLUICE_HD int64_t StatesOf(const AttendUnit& unit, int32_t item_chunks) const {
    if (unit.chunks() <= item_chunks) return 0;
    return int64_t{unit.chunks() - item_chunks + 1} * StateFloats(unit.queries, v_dim);
  }

  template <class Block>
  SLUICE_HD int32_t ChooseItemChunks(Block& block, const Strip& units) const {
    int64_t chunks = 0;
    for (int32_t i = units.begin; i < units.end; ++i) chunks += plan.units[i].chunks();
    const int64_t wanted = (SumOfBlock(block, chunks).all + kWantedItems - 1) / kWantedItems;
    auto item_chunks = static_cast<int32_t>(wanted > 0 ? wanted : 1);
    for (;; item_chunks *= 2) {
      int64_t floats = 0;
      for (int32_t i = units.begin; i < units.end; ++i) {
        floats += StatesOf(plan.units[i], item_chunks);
      }
      if (SumOfBlock(block, floats).all <= plan.state_floats) return item_chunks;
    }
  }

  template <class Block>
  SLUICE_HD void PlaceUnits(Block& block, const Strip& units, int32_t item_chunks) const {
    int64_t items = 0;
    int64_t floats = 0;
    for (int32_t i = units.begin; i < units.end; ++i) {
      items += ItemsOf(plan.units[i], item_chunks);
      floats += StatesOf(plan.units[i], item_chunks);
    }
    const Sum item_sum = SumOfBlock(block, items);
    int64_t first_item = item_sum.before;
    int64_t first_state = SumOfBlock(block, floats).before;
    for (int32_t i = units.begin; i < units.end; ++i) {
      AttendUnit& unit = plan.units[i];
      const int64_t states = StatesOf(unit, item_chunks);
      unit.first_item = static_cast<int32_t>(first_item);
      unit.first_state = states > 0 ? static_cast<int32_t>(first_state) : -1;
      first_item += ItemsOf(unit, item_chunks);
      first_state += states;
    }
    if (block.thread() == 0) *plan.totals = {static_cast<int32_t>(item_sum.all), item_chunks};
  }

  template <class Block>
  SLUICE_HD void PlaceTiles(Block& block, const Strip& rows) const {
    int64_t tiles = 0;
    for (int32_t i = rows.begin; i < rows.end; ++i) tiles += plan.first_tiles[i];
    const Sum sum = SumOfBlock(block, tiles);
    int64_t first = sum.before;
    for (int32_t i = rows.begin; i < rows.end; ++i) {
      const int32_t count = plan.first_tiles[i];
      plan.first_tiles[i] = static_cast<int32_t>(first);
      first += count;
    }
    if (block.thread() == 0) plan.first_tiles[row_count] = static_cast<int32_t>(sum.all);
  }
};

}  // namespace sluice::device
