// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/pending_kernel.h"

#include "kernels/core/mass.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/pending_kernel.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The slots [begin, count) one by one.
void AddRest(const PendingSlots& slots, float decay, GroupReduce reduce, int64_t begin) {
  for (int64_t i = begin; i < slots.count; ++i) {
    float* score = slots.scores + i;
    float* pending = score + slots.page_size;
    const float sum = ReducePending(pending, slots.page_size, slots.sum_count, reduce);
    *score = (decay == 0.0f ? 0.0f : decay * *score) + sum;
    for (int32_t k = 0; k < slots.sum_count; ++k) pending[k * slots.page_size] = 0.0f;
  }
}

void AddPendingImpl(const PendingSlots& slots, float decay, GroupReduce reduce) {
  const hn::CappedTag<float, 16> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t begin = 0;
  const bool by_vectors = slots.sum_count == 1 || reduce == GroupReduce::kMax;
  for (; by_vectors && begin + lanes <= slots.count; begin += lanes) {
    float* score = slots.scores + begin;
    float* pending = score + slots.page_size;
    auto sum = hn::LoadU(d, pending);
    hn::StoreU(hn::Zero(d), d, pending);
    for (int32_t k = 1; k < slots.sum_count; ++k) {
      pending += slots.page_size;
      sum = hn::Max(sum, hn::LoadU(d, pending));
      hn::StoreU(hn::Zero(d), d, pending);
    }
    // A product and a sum, rounded each, as slot by slot.
    const auto kept = decay == 0.0f ? hn::Zero(d) : hn::Mul(hn::LoadU(d, score), hn::Set(d, decay));
    hn::StoreU(hn::Add(kept, sum), d, score);
  }
  AddRest(slots, decay, reduce, begin);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(AddPendingImpl);

void AddPending(const PendingSlots& slots, float decay, GroupReduce reduce) {
  HWY_DYNAMIC_DISPATCH(AddPendingImpl)(slots, decay, reduce);
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
