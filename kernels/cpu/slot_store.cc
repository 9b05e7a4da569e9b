// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/slot_store.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/core/layout.h"
#include "kernels/core/number.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/slot_store.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/cpu/group-inl.h"
#include "kernels/cpu/stage-inl.h"

#ifndef SLUICE_KERNELS_CPU_SLOT_STORE_ONCE
#define SLUICE_KERNELS_CPU_SLOT_STORE_ONCE
namespace sluice::cpu {
inline constexpr int64_t kMaxRowBytes = 256 * 4;  // of the largest k_dim or v_dim, in fp32
}  // namespace sluice::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

// The rows of one group of 16 slots in the stored dtype, and what is kept
// beside them.
struct StagedGroup {
  const std::byte* k[kGroupSlots];  // lane order
  const std::byte* v[kGroupSlots];  // plain order
  float log_mass[kGroupSlots];
  float key_norm[kGroupSlots];
  int32_t count = 0;
  int32_t non_finite = 0;
};

// Room for rows that cannot be used where they lie. In the worker's scratch.
struct StageRoom {
  std::byte zeros[kMaxRowBytes];
  std::byte converted_k[kGroupSlots][kMaxRowBytes];
  std::byte converted_v[kGroupSlots][kMaxRowBytes];
  std::byte ordered_k[kGroupSlots][kMaxRowBytes];
  std::byte streamed[kGroupSlots * kMaxRowBytes];  // a group's part of a tile
};

// `row` in the stored dtype: itself, or converted into `room`.
const std::byte* AsStored(const std::byte* row, Dtype dtype, Dtype stored, int32_t dim,
                          std::byte* room) {
  if (dtype == stored) return row;
  ConvertRow(row, dtype, stored, dim, room);
  return room;
}

void StageSlot(const PageFormat& format, const SlotSource& source, int64_t index, StageRoom* room,
               StagedGroup* group) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const int32_t slot = group->count++;
  const std::byte* k = AsStored(source.k + index * source.k_stride_bytes, source.k_dtype,
                                format.dtype, format.k_dim, room->converted_k[slot]);
  const std::byte* v = AsStored(source.v + index * source.v_stride_bytes, source.v_dtype,
                                format.dtype, format.v_dim, room->converted_v[slot]);
  const float log_mass = source.log_mass == nullptr ? 0.0f : source.log_mass[index];
  k = InLaneOrder(format, k, room->ordered_k[slot]);
  float norm = 0.0f;
  if (FiniteNorm(k, format.dtype, format.k_dim, &norm) &&
      RowIsFinite(v, format.dtype, format.v_dim) && log_mass != -kInfinity) {
    group->k[slot] = k;
    group->v[slot] = v;
    group->log_mass[slot] = log_mass;
    group->key_norm[slot] = norm;
    return;
  }
  group->k[slot] = group->v[slot] = room->zeros;
  group->log_mass[slot] = -kInfinity;
  group->key_norm[slot] = kInfinity;
  ++group->non_finite;
}

void StoreKeys(const PageFormat& format, const StagedGroup& group, int32_t first_slot,
               std::byte* tile) {
  const int64_t units = int64_t{format.k_dim} * DtypeBytes(format.dtype) / 4;
  auto* lines = reinterpret_cast<uint32_t*>(tile) + first_slot / kGroupSlots * units * kGroupSlots;
  if (group.count == kGroupSlots) {
    TurnRows(group.k, units, lines);
    return;
  }
  for (int32_t i = 0; i < group.count; ++i) {
    ScatterSlot(group.k[i], units, lines + first_slot % kGroupSlots + i);
  }
}

void StoreValues(const PageFormat& format, const StagedGroup& group, int32_t first_slot,
                 std::byte* tile) {
  const int64_t row_bytes = int64_t{format.v_dim} * DtypeBytes(format.dtype);
  if (format.dtype == Dtype::kF32) {
    for (int32_t i = 0; i < group.count; ++i) {
      std::memcpy(tile + (first_slot + i) * row_bytes, group.v[i], static_cast<size_t>(row_bytes));
    }
    return;
  }
  for (int32_t i = 0; i < group.count;) {
    const int32_t slot = first_slot + i;
    auto* pair = reinterpret_cast<uint16_t*>(tile + slot / 2 * 2 * row_bytes);
    if (slot % 2 == 0 && i + 1 < group.count) {
      Interleave(reinterpret_cast<const uint16_t*>(group.v[i]),
                 reinterpret_cast<const uint16_t*>(group.v[i + 1]), format.v_dim, pair);
      i += 2;
    } else {
      StoreHalfPair(group.v[i], format.v_dim, pair + slot % 2);
      i += 1;
    }
  }
}

void StoreSideArrays(const PoolView& pool, const SpanFormat& format, uint32_t page,
                     int32_t first_slot, int64_t index, const SlotSource& source,
                     const StagedGroup& group) {
  int32_t* positions = PagePositions(pool, format.slab, page) + first_slot;
  float* log_mass = PageLogMass(pool, format.slab, page) + first_slot;
  float* norms = PageKeyNorms(pool, format.slab, page) + first_slot;
  bool has_mass = false;
  for (int32_t i = 0; i < group.count; ++i) {
    positions[i] = source.positions != nullptr
                       ? source.positions[index + i]
                       : static_cast<int32_t>(source.first_position + index + i);
    log_mass[i] = group.log_mass[i];
    norms[i] = group.key_norm[i];
    has_mass = has_mass || group.log_mass[i] != 0.0f;
  }
  if (has_mass) *PageFlags(pool, format.slab, page) |= kPageHasMass;
}

// Fills a tile's part of a group by write(kStream, words): past the caches, if
// wanted, through `room` where lines are more than a vector.
template <class Write>
bool FillPart(bool stream, int64_t bytes, StageRoom* room, std::byte* part, const Write& write) {
  if (!stream) return write(std::false_type(), reinterpret_cast<uint32_t*>(part));
  if constexpr (kLineIsVector) {
    return write(std::true_type(), reinterpret_cast<uint32_t*>(part));
  } else {
    const bool written = write(std::false_type(), reinterpret_cast<uint32_t*>(room->streamed));
    StreamBytes(room->streamed, bytes, part);
    return written;
  }
}

// False, if the sums of squares of the keys are not those of finite numbers or in doubt.
bool StoreGroupKeys(const PageFormat& format, bool stream, int32_t first_slot, std::byte* tile,
                    const Ahead& ahead, StageRoom* room, StagedGroup* group) {
  const int64_t row_bytes = format.k_dim * DtypeBytes(format.dtype);
  FillPart(stream, kGroupSlots * row_bytes, room, tile + first_slot * row_bytes,
           [&](auto streams, uint32_t* lines) HWY_ATTR {
             if (format.dtype == Dtype::kF32) {
               TurnKeys<false, streams>(format, group->k, ahead, lines, group->key_norm);
             } else {
               TurnKeys<true, streams>(format, group->k, ahead, lines, group->key_norm);
             }
             return true;
           });
  return NormsOfSums(group->key_norm);
}

// False, if a value is not finite.
bool StoreGroupValues(const PageFormat& format, bool stream, int32_t first_slot, std::byte* tile,
                      const Ahead& ahead, StageRoom* room, const StagedGroup& group) {
  const int64_t row_bytes = format.v_dim * DtypeBytes(format.dtype);
  return FillPart(stream, kGroupSlots * row_bytes, room, tile + first_slot * row_bytes,
                  [&](auto streams, uint32_t* words) HWY_ATTR {
                    return format.dtype == Dtype::kF32
                               ? CopyValues<streams>(group.v, format.v_dim, ahead, words)
                               : PairValues<streams>(group.v, format.v_dim, 0x7f80, ahead, words);
                  });
}

// Rows of a group in the stored dtype, each `dim` elements long, and what is
// fetched when they are stored. Rows that were converted fetch it here.
Ahead StageRows(const std::byte* first, int64_t stride_bytes, Dtype dtype, Dtype stored,
                int32_t dim, const Ahead& wanted, std::byte (*room)[kMaxRowBytes],
                const std::byte** rows) {
  for (int32_t i = 0; i < kGroupSlots; ++i) {
    const std::byte* row = first + i * stride_bytes;
    rows[i] = AsStored(row, dtype, stored, dim, room[i]);
    if (rows[i] == row) continue;
    const int64_t row_bytes = dim * DtypeBytes(dtype);
    for (int64_t byte = 0; byte < row_bytes; byte += kCacheLineBytes) {
      FetchNext(wanted, row + byte);
      FetchLater(wanted, i * row_bytes + byte);
    }
  }
  return dtype == stored ? wanted : Ahead();
}

// Brings a group's rows side by side. Where they lie, often a power of 2 apart,
// they share so few sets of the first cache that turning them, which reads each
// line several times, would find them gone.
void CopyRows(int64_t row_bytes, std::byte* room, const std::byte** rows) {
  const hn::CappedTag<uint32_t, 8> d;
  auto* to = reinterpret_cast<uint32_t*>(room);
  const int64_t words = row_bytes / 4;
  for (int32_t i = 0; i < kGroupSlots; ++i, to += words) {
    const auto* from = reinterpret_cast<const uint32_t*>(rows[i]);
    for (int64_t word = 0; word < words; word += static_cast<int64_t>(hn::Lanes(d))) {
      hn::StoreU(hn::LoadU(d, from + word), d, to + word);
    }
    rows[i] = reinterpret_cast<const std::byte*>(to);
  }
}

// A whole group of fp32 or bf16: keys are summed when they lie side by side.
// False, if something is not finite (or the sums are in doubt): the group is
// then to be stored slot by slot.
bool StoreWholeGroup(const PageFormat& format, const SlotSource& source, int64_t index,
                     int32_t first_slot, std::byte* page, StageRoom* room, StagedGroup* group) {
  if (format.dtype == Dtype::kF16 || source.log_mass != nullptr) return false;
  group->count = kGroupSlots;
  Ahead k_ahead = StageRows(source.k + index * source.k_stride_bytes, source.k_stride_bytes,
                                  source.k_dtype, format.dtype, format.k_dim,
                                  {source.k_ahead_bytes, source.k_later}, room->converted_k,
                                  group->k);
  const Ahead v_ahead = StageRows(source.v + index * source.v_stride_bytes, source.v_stride_bytes,
                                  source.v_dtype, format.dtype, format.v_dim,
                                  {source.v_ahead_bytes, source.v_later}, room->converted_v,
                                  group->v);
  if (!TurnsInPlace(format)) {
    for (int32_t i = 0; i < kGroupSlots; ++i) {
      group->k[i] = InLaneOrder(format, group->k[i], room->ordered_k[i]);
    }
  } else if (source.stream && source.k_dtype == format.dtype) {
    CopyRows(format.k_dim * DtypeBytes(format.dtype), room->ordered_k[0], group->k);
    k_ahead.row_bytes = 0;
  }
  std::fill_n(group->log_mass, kGroupSlots, 0.0f);
  if (StoreGroupKeys(format, source.stream, first_slot, page, k_ahead, room, group) &&
      StoreGroupValues(format, source.stream, first_slot, page + KTileBytes(format), v_ahead, room,
                       *group)) {
    return true;
  }
  if (source.stream) hwy::FlushStream();  // the group is written again
  return false;
}

int64_t StoreSlotsImpl(const PoolView& pool, const SpanFormat& format, uint32_t page,
                       int32_t first_slot, int32_t count, const SlotSource& source,
                       WorkerScratch& scratch) {
  auto* room = reinterpret_cast<StageRoom*>(scratch.data);
  std::byte* data = PageData(pool, format.slab, page);
  int64_t non_finite = 0;
  for (int32_t done = 0; done < count;) {
    const int32_t slot = first_slot + done;
    const int32_t end = std::min(count, done + kGroupSlots - slot % kGroupSlots);
    StagedGroup group;
    if (end - done < kGroupSlots ||
        !StoreWholeGroup(format.page, source, done, slot, data, room, &group)) {
      group.count = 0;
      std::memset(room->zeros, 0, sizeof(room->zeros));
      for (int32_t i = done; i < end; ++i) StageSlot(format.page, source, i, room, &group);
      StoreKeys(format.page, group, slot, data);
      StoreValues(format.page, group, slot, data + KTileBytes(format.page));
    }
    StoreSideArrays(pool, format, page, slot, done, source, group);
    non_finite += group.non_finite;
    done = end;
  }
  return non_finite;
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(StoreSlotsImpl);

int64_t StoreSlots(const PoolView& pool, const SpanFormat& format, uint32_t page,
                   int32_t first_slot, int32_t count, const SlotSource& source,
                   WorkerScratch& scratch) {
  return HWY_DYNAMIC_DISPATCH(StoreSlotsImpl)(pool, format, page, first_slot, count, source,
                                              scratch);
}

void OpenPage(const PoolView& pool, const SpanFormat& format, uint32_t page, int64_t slots) {
  if (slots < format.page.page_size) {
    ClearPage(pool, format, page);
  } else {
    *PageFlags(pool, format.slab, page) = 0;
  }
}

void PrefetchSlots(const PoolView& pool, const SpanFormat& format, uint32_t page,
                   int32_t first_slot, int32_t count) {
  constexpr int64_t kLineBytes = 64;
  const auto prefetch = [](const std::byte* data, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i += kLineBytes) __builtin_prefetch(data + i, 1, 3);
  };
  const int64_t element_bytes = DtypeBytes(format.page.dtype);
  const std::byte* data = PageData(pool, format.slab, page);
  const int64_t group_bytes = format.page.k_dim * element_bytes * kGroupSlots;
  const int64_t row_bytes = format.page.v_dim * element_bytes;
  prefetch(data + first_slot / kGroupSlots * group_bytes, group_bytes);
  prefetch(data + KTileBytes(format.page) + first_slot / 2 * 2 * row_bytes,
           RoundUp(count, 2) * row_bytes);
  PrefetchSides(pool, format, page, first_slot);
}

void PrefetchSides(const PoolView& pool, const SpanFormat& format, uint32_t page,
                   int32_t first_slot) {
  __builtin_prefetch(PagePositions(pool, format.slab, page) + first_slot, 1, 3);
  __builtin_prefetch(PageLogMass(pool, format.slab, page) + first_slot, 1, 3);
  __builtin_prefetch(PageKeyNorms(pool, format.slab, page) + first_slot, 1, 3);
  __builtin_prefetch(PageFlags(pool, format.slab, page), 1, 3);
}

void ClearPage(const PoolView& pool, const SpanFormat& format, uint32_t page) {
  const SlabLayout& slab = format.slab;
  std::memset(PageData(pool, slab, page), 0, static_cast<size_t>(slab.page_bytes));
  std::fill_n(PagePositions(pool, slab, page), slab.page_size, 0);
  std::fill_n(PageLogMass(pool, slab, page), slab.page_size, 0.0f);
  std::fill_n(PageKeyNorms(pool, slab, page), slab.page_size, 0.0f);
  *PageFlags(pool, slab, page) = 0;
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
