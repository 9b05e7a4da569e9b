// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/job_passes.h"

#include <algorithm>

#include "daemon/base/checked_math.h"

namespace sluice {
namespace {

// Whether the tail's pages lie on page boundaries of the row's longer body.
bool IsAligned(const HeldRows& held, size_t row) {
  return (held.body_slots[row] - held.tail_start) % held.page_size == 0;
}

// Pages that have to be copied when every slot below the snapshot stays.
int64_t CopiedPages(const HeldRows& held, int64_t snapshot) {
  int64_t pages = 0;
  for (size_t row = 0; row < held.body_slots.size(); ++row) {
    const int64_t slots = held.SlotsBelow(row, snapshot);
    int64_t taken = held.body_slots[row] / held.page_size;
    if (IsAligned(held, row)) {
      const int64_t of_tail = slots / held.page_size -
                              CeilDivide(held.body_slots[row], held.page_size);
      taken += std::max<int64_t>(0, of_tail);
    }
    pages += CeilDivide(slots, held.page_size) - taken;
  }
  return pages;
}

// The snapshot that `blocks` blocks of the tail end at.
int64_t EndOfBlocks(const HeldRows& held, int64_t blocks) {
  return held.tail_first_position + blocks * held.page_size - held.tail_start;
}

}  // namespace

bool IsTakenOver(const HeldRows& held, size_t row, int64_t page, int64_t snapshot) {
  const int64_t first = page * held.page_size;
  const int64_t end = first + held.page_size;
  if (end <= held.body_slots[row]) return true;
  return first >= held.body_slots[row] && end <= held.SlotsBelow(row, snapshot) &&
         IsAligned(held, row);
}

JobPasses::JobPasses(const JobRecipe& recipe, int64_t snapshot_tokens)
    : recipe_(recipe), snapshot_tokens_(snapshot_tokens), passed_(recipe.segments.size()) {}

bool JobPasses::Done(const HeldRows& held) const {
  if (held.tail_first_position < snapshot_tokens_) return false;
  for (size_t segment = 0; segment < passed_.size(); ++segment) {
    if (!passed_[segment] && IsPending(segment, held, snapshot_tokens_)) return false;
  }
  return true;
}

std::optional<JobPass> JobPasses::Next(const HeldRows& held, int64_t available_pages) const {
  if (recipe_.scorer == Scorer::kWindow && held.tail_first_position < snapshot_tokens_) {
    if (!MayTakeIn(held, snapshot_tokens_, available_pages)) return std::nullopt;
    return TakeIn(snapshot_tokens_);
  }
  const int64_t blocks =
      (held.tail_start + snapshot_tokens_ - held.tail_first_position) / held.page_size;
  for (const int64_t snapshot : {snapshot_tokens_, EndOfBlocks(held, blocks)}) {
    if (MayTakeIn(held, snapshot, available_pages)) return TakeIn(snapshot);
  }
  if (auto heads = NextHeads(held, available_pages)) return heads;
  return TakeInBlocks(held, available_pages);
}

void JobPasses::Passed(const JobPass& pass) {
  if (!pass.selects) {
    passed_.assign(passed_.size(), false);
    return;
  }
  std::fill_n(passed_.begin() + pass.first_segment, pass.segment_count, true);
}

// Whether the segment may lose a slot of those below the snapshot: by the counts, or
// by positions that no pass has looked at.
bool JobPasses::IsPending(size_t segment, const HeldRows& held, int64_t snapshot) const {
  const RecipeSegment& of = recipe_.segments[segment];
  int64_t slots = 0;
  bool beyond = false;
  for (int32_t i = 0; i < of.row_count; ++i) {
    const int64_t of_row = held.SlotsBelow(static_cast<size_t>(of.first_row + i), snapshot);
    slots = recipe_.combine == SegmentCombine::kNone ? slots + of_row : std::max(slots, of_row);
    beyond = beyond || of_row > recipe_.at_most;
  }
  const bool looked_at =
      passed_[segment] && of.drop_below_position <= held.tail_first_position;
  return beyond || slots > of.k ||
         (slots > 0 && of.drop_below_position > 0 && !looked_at);
}

int64_t JobPasses::PagesOf(size_t segment, const HeldRows& held, int64_t snapshot) const {
  const RecipeSegment& of = recipe_.segments[segment];
  int64_t pages = 0;
  for (int32_t i = 0; i < of.row_count; ++i) {
    const int64_t slots = held.SlotsBelow(static_cast<size_t>(of.first_row + i), snapshot);
    pages += CeilDivide(std::min({slots, of.k, recipe_.at_most}), held.page_size);
  }
  return pages;
}

// Whether the tail up to the snapshot finds room, and beside it the smallest head
// that the job is to shrink.
bool JobPasses::MayTakeIn(const HeldRows& held, int64_t snapshot,
                          int64_t available_pages) const {
  if (snapshot <= held.tail_first_position) return false;
  std::optional<int64_t> head;
  for (size_t segment = 0; segment < passed_.size(); ++segment) {
    if (!IsPending(segment, held, snapshot_tokens_)) continue;
    const int64_t pages = PagesOf(segment, held, snapshot_tokens_);
    head = std::min(head.value_or(pages), pages);
  }
  return head.value_or(0) + CopiedPages(held, snapshot) <= available_pages;
}

JobPass JobPasses::TakeIn(int64_t snapshot) const {
  return {snapshot, /*selects=*/false, 0, static_cast<int32_t>(passed_.size())};
}

std::optional<JobPass> JobPasses::NextHeads(const HeldRows& held,
                                            int64_t available_pages) const {
  const int64_t snapshot = held.tail_first_position;
  JobPass pass{snapshot, /*selects=*/true, 0, 0};
  int64_t pages = 0;
  for (size_t segment = 0; segment < passed_.size(); ++segment) {
    const int64_t more = PagesOf(segment, held, snapshot);
    const bool fits = !passed_[segment] && IsPending(segment, held, snapshot) &&
                      pages + more <= available_pages;
    if (!fits && pass.segment_count > 0) break;
    if (!fits) continue;
    if (pass.segment_count++ == 0) pass.first_segment = static_cast<int32_t>(segment);
    pages += more;
  }
  if (pass.segment_count == 0) return std::nullopt;
  return pass;
}

// As many whole blocks of the tail as fit.
std::optional<JobPass> JobPasses::TakeInBlocks(const HeldRows& held,
                                               int64_t available_pages) const {
  int64_t fits = 0;
  int64_t too_many = (held.tail_start + snapshot_tokens_ - held.tail_first_position) /
                         held.page_size + 1;
  while (too_many - fits > 1) {
    const int64_t blocks = (fits + too_many) / 2;
    (MayTakeIn(held, EndOfBlocks(held, blocks), available_pages) ? fits : too_many) = blocks;
  }
  if (fits == 0) return std::nullopt;
  return TakeIn(EndOfBlocks(held, fits));
}

}  // namespace sluice
