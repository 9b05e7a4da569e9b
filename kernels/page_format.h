// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/dtype.h"

namespace sluice {

// Where a key's rotation comes from (design: "key space").
enum class KeySpace : uint8_t {
  kRotated = 0,        // stored as it arrived, or rotated by true position at append
  kCachePosition = 1,  // stored un-rotated; rotated by cache position inside attend
};

// Which two dims RoPE turns together. It decides the order of dims inside a page.
enum class RopePairing : uint8_t {
  kNone = 0,         // no RoPE table: dims in order, (2j, 2j + 1) share a lane
  kHalfSplit = 1,    // (j, j + rotary_dim / 2), then the unrotated dims in order
  kInterleaved = 2,  // (2j, 2j + 1), then the unrotated dims in order
};

// The order of the bytes inside a tile (kernels/core/layout.h): each backend's own.
enum class PageLayout : uint8_t {
  kGroup16 = 0,   // slots side by side in groups of 16, for vectors over slots
  kSwizzled = 1,  // a slot's dims side by side, for blocks of GPU threads
};

// For people.
SLUICE_HD constexpr const char* PageLayoutName(PageLayout layout) {
  return layout == PageLayout::kGroup16 ? "group16" : "swizzled";
}

// How the bytes of a page are read. Immutable.
//
// A page is `[K tile][V tile]`, each padded to a multiple of 128 bytes. The
// order inside a tile is kernels/core/layout.h's business.
struct PageFormat {
  Dtype dtype = Dtype::kBf16;
  KeySpace key_space = KeySpace::kRotated;
  RopePairing pairing = RopePairing::kNone;
  int32_t page_size = 32;  // slots: 16, 32 or 64
  int32_t k_dim = 0;       // a multiple of 16, <= 256
  int32_t v_dim = 0;       // a multiple of 16, <= 256
  int32_t rotary_dim = 0;  // even, <= k_dim; 0 without RoPE
  PageLayout layout = PageLayout::kGroup16;
};

SLUICE_HD constexpr int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

SLUICE_HD constexpr int64_t KTileBytes(const PageFormat& format) {
  return RoundUp(int64_t{format.page_size} * format.k_dim * DtypeBytes(format.dtype), 128);
}

SLUICE_HD constexpr int64_t VTileBytes(const PageFormat& format) {
  return RoundUp(int64_t{format.page_size} * format.v_dim * DtypeBytes(format.dtype), 128);
}

SLUICE_HD constexpr int64_t PageBytes(const PageFormat& format) {
  return KTileBytes(format) + VTileBytes(format);
}

// Page ids are 32 bits: slab number, then index in the slab.
inline constexpr int32_t kPageIndexBits = 14;
inline constexpr int64_t kMaxPagesPerSlab = int64_t{1} << kPageIndexBits;
inline constexpr uint32_t kNoPage = 0xffffffffu;

// Where things lie in a slab of one format: the pages first, then the side
// arrays, each `[pages, page_size]` and 128-byte aligned, then a flag word a
// page. Offsets are bytes from the slab's start.
struct SlabLayout {
  int64_t page_bytes = 0;
  int32_t pages = 0;            // pages in the slab, <= kMaxPagesPerSlab
  int32_t page_size = 0;        // slots
  int64_t position_offset = 0;  // int32: true position of the slot's token
  int64_t log_mass_offset = 0;  // fp32: added to the slot's logit; 0, or -inf where k or v was not finite
  int64_t key_norm_offset = 0;  // fp32: L2 norm of the key as stored; +inf where not finite
  int64_t flags_offset = 0;     // uint32 a page: PageFlag bits
};

// Set while any slot of the page has a log_mass other than 0.
inline constexpr uint32_t kPageHasMass = 1;

// The layout of a slab of `slab_bytes` in `format`, with as many pages as fit.
SLUICE_HD constexpr SlabLayout MakeSlabLayout(const PageFormat& format, int64_t slab_bytes) {
  SlabLayout layout;
  layout.page_bytes = PageBytes(format);
  layout.page_size = format.page_size;
  const int64_t side_bytes = int64_t{format.page_size} * 4;
  int64_t pages = slab_bytes / (layout.page_bytes + 3 * side_bytes + 4);
  if (pages > kMaxPagesPerSlab) pages = kMaxPagesPerSlab;
  for (; pages > 0; --pages) {
    const int64_t array_bytes = RoundUp(pages * side_bytes, 128);
    layout.position_offset = pages * layout.page_bytes;
    layout.log_mass_offset = layout.position_offset + array_bytes;
    layout.key_norm_offset = layout.log_mass_offset + array_bytes;
    layout.flags_offset = layout.key_norm_offset + array_bytes;
    if (layout.flags_offset + pages * 4 <= slab_bytes) break;
  }
  layout.pages = static_cast<int32_t>(pages);
  return layout;
}

// A page format with the slab layout that follows from it.
struct SpanFormat {
  PageFormat page;
  SlabLayout slab;
};

}  // namespace sluice
