// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/sequence.h"

#include <algorithm>

#include "daemon/base/checked_math.h"

namespace sluice {

Sequence::Sequence(SequenceId id, const CacheGeometry& geometry, TenantId tenant)
    : id_(id), geometry_(geometry), tenant_(tenant) {}

int64_t Sequence::UsedTailSlotsAt(int64_t length) const {
  return length == tail_first_position_ ? 0 : tail_start_ + length - tail_first_position_;
}

int64_t Sequence::BlocksAt(int64_t length) const {
  return CeilDivide(UsedTailSlotsAt(length), geometry_.page_size);
}

int32_t Sequence::OpenBlockSlotsAt(int64_t length) const {
  return static_cast<int32_t>(UsedTailSlotsAt(length) % geometry_.page_size);
}

int64_t Sequence::NewBlocksAt(int64_t length, int64_t token_count) const {
  return CeilDivide(UsedTailSlotsAt(length) + token_count, geometry_.page_size) -
         BlocksAt(length);
}

bool Sequence::BlockIsFrom(int64_t block, int64_t position) const {
  const int64_t first_live_slot = std::max<int64_t>(block * geometry_.page_size, tail_start_);
  return tail_first_position_ + first_live_slot - tail_start_ >= position;
}

Sequence Sequence::ForkAs(SequenceId id) const {
  Sequence copy = *this;
  copy.id_ = id;
  copy.job_.reset();
  return copy;
}

std::vector<BlockId> Sequence::Truncate(int64_t length) {
  const int64_t kept = BlocksAt(length);
  length_ = length;
  if (length == tail_first_position_) tail_start_ = 0;
  return TakeBlocksFrom(kept);
}

std::vector<BlockId> Sequence::CutFront(int64_t snapshot) {
  const int64_t first_slot = tail_start_ + snapshot - tail_first_position_;
  tail_first_position_ = snapshot;
  if (snapshot == length_) {
    tail_start_ = 0;
    return TakeBlocksFrom(0);
  }
  tail_start_ = static_cast<int32_t>(first_slot % geometry_.page_size);
  const auto kept = blocks_.begin() + first_slot / geometry_.page_size;
  std::vector<BlockId> cut(blocks_.begin(), kept);
  blocks_.erase(blocks_.begin(), kept);
  return cut;
}

std::vector<BlockId> Sequence::TakeBlocksFrom(int64_t first) {
  std::vector<BlockId> taken(blocks_.begin() + first, blocks_.end());
  blocks_.resize(static_cast<size_t>(first));
  return taken;
}

}  // namespace sluice
