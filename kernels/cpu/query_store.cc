// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/query_store.h"

#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/query_store.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/stage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

void StoreQueryTokenImpl(const QueryToken& token, const ObservationLayout& layout,
                         std::byte* ring) {
  const auto position = static_cast<int32_t>(token.position);
  std::memcpy(ring + ObservedPositionOffset(layout, token.position), &position, sizeof(position));
  auto* lse = reinterpret_cast<float*>(ring + ObservedLseOffset(layout, token.position));
  const int64_t from_bytes = layout.k_dim * DtypeBytes(token.dtype);
  const int64_t bytes = layout.k_dim * DtypeBytes(layout.dtype);
  std::byte* kept = ring + ObservedQueryOffset(layout, token.position, 0);
  for (int32_t head = 0; head < layout.q_heads; ++head, kept += bytes) {
    const std::byte* q = token.q + head * from_bytes;
    if (token.dtype == layout.dtype) {
      std::memcpy(kept, q, static_cast<size_t>(bytes));
    } else {
      ConvertRow(q, token.dtype, layout.dtype, layout.k_dim, kept);
    }
    lse[head] = token.lse == nullptr ? FloatFromBits(kUnknownLseBits) : token.lse[head];
    if (RowIsFinite(kept, layout.dtype, layout.k_dim)) continue;
    std::memset(kept, 0, static_cast<size_t>(bytes));
    lse[head] = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(StoreQueryTokenImpl);

void StoreQueryToken(const QueryToken& token, const ObservationLayout& layout, std::byte* ring) {
  HWY_DYNAMIC_DISPATCH(StoreQueryTokenImpl)(token, layout, ring);
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
