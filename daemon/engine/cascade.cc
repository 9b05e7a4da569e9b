// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/cascade.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "daemon/base/checked_math.h"
#include "daemon/engine/core.h"
#include "daemon/engine/scores.h"
#include "daemon/engine/state.h"

namespace sluice {
namespace {

constexpr int64_t kAlignment = 8;
constexpr int64_t kWordBytes = sizeof(uint32_t);
constexpr int64_t kOffsetBytes = sizeof(uint64_t);

// Adds the pages of the slots [first, first + slots).
void AddPages(int64_t first, int64_t slots, int64_t page_size, std::vector<int32_t>& pages) {
  if (slots == 0) return;
  for (int64_t page = first / page_size; page <= (first + slots - 1) / page_size; ++page) {
    pages.push_back(static_cast<int32_t>(page));
  }
}

// The pages of a row that an insertion of `count` tokens may write.
std::vector<int32_t> WrittenPages(const CascadeGeometry& geometry, int64_t first_token,
                                  int64_t count, int64_t page_size) {
  std::vector<int32_t> pages;
  if (count == 0) return pages;
  const CascadeChanges changes = ChangesOf(geometry, first_token, count);
  AddPages(changes.first_sink, changes.sinks, page_size, pages);
  for (int32_t ring = 0; ring < geometry.ring_count; ++ring) {
    const CascadeChanges::Run& run = changes.rings[ring];
    const int32_t to_end = std::min(run.slots, geometry.ring_slots - run.first);
    const int64_t first = geometry.first_slot(ring);
    AddPages(first + run.first, to_end, page_size, pages);
    AddPages(first, run.slots - to_end, page_size, pages);
  }
  // A ring may begin in the page that the one before it ends in.
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

// Builds the runs of a step one by one.
class RunCutter {
 public:
  RunCutter(const Sequence& state, CascadeStep& step)
      : page_size_(state.geometry().page_size),
        kept_blocks_(state.BlocksAt(state.length())),
        length_(state.length()),
        chunk_first_(state.tail_first_position()),
        tail_start_(state.length() == state.tail_first_position() ? 0 : state.tail_start()),
        step_(step) {
    step_.tail_blocks = kept_blocks_;
  }

  bool has_pending() const { return chunk_first_ < length_; }

  // The run [from, to) of the entry's tokens.
  void Add(int64_t from, int64_t to, bool inserts) {
    step_.runs.push_back({from, to - from, chunk_first_, first_block_, tail_start_, inserts});
    const int64_t slots = tail_start_ + length_ + to - chunk_first_;
    step_.tail_blocks = std::max(step_.tail_blocks, first_block_ + CeilDivide(slots, page_size_));
    if (!inserts) return;
    chunk_first_ = length_ + to;
    // The next chunk begins in blocks that nobody else lists.
    first_block_ = kept_blocks_;
    tail_start_ = 0;
  }

  void Finish(const CascadeGeometry& geometry) {
    step_.end = {chunk_first_, CascadeSlots(geometry, chunk_first_), first_block_, tail_start_};
    step_.writes.new_tail_blocks = step_.tail_blocks - kept_blocks_;
    step_.body_blocks = CeilDivide(step_.end.body_slots, page_size_);
  }

 private:
  const int64_t page_size_;
  const int64_t kept_blocks_;
  const int64_t length_;
  int64_t chunk_first_;
  int64_t first_block_ = 0;
  int32_t tail_start_;
  CascadeStep& step_;
};

void WriteScoreOffsets(const Core& core, std::optional<BlockId> scores, std::byte* at) {
  if (!scores.has_value()) return;
  const size_t count = core.cache.BlockPages(*scores).size();
  auto* offsets = reinterpret_cast<uint64_t*>(at);
  for (size_t page = 0; page < count; ++page) offsets[page] = ScoreOffset(core, *scores, page);
}

void WriteWords(const Core& core, const std::vector<BlockId>& blocks, std::byte* at) {
  auto* words = reinterpret_cast<uint32_t*>(at);
  for (const BlockId block : blocks) *words++ = core.tables.WordOf(block);
}

}  // namespace

std::shared_ptr<const CascadeGeometry> MakeCascadeGeometry(const Policy& policy) {
  const std::optional<CascadeRule>& rule = policy.needs().cascade;
  if (!rule.has_value()) return nullptr;
  return std::make_shared<const CascadeGeometry>(sluice::MakeCascadeGeometry(
      rule->sink_tokens, static_cast<int32_t>(rule->periods.size()), rule->ring_slots,
      rule->stride_tokens, rule->eager_fill, rule->periods.data()));
}

CascadeStep PlanCascade(const CascadeGeometry& geometry, const Sequence& state,
                        const StepEntry& entry) {
  CascadeStep step;
  RunCutter cutter(state, step);
  const bool decodes = entry.phase == Phase::kDecode;
  const int64_t end = state.length() + entry.token_count;
  if (decodes && cutter.has_pending()) cutter.Add(0, 0, true);
  for (int64_t from = state.length(); from < end;) {
    const int64_t chunk_end = PendingChunkEnd(geometry, from);
    const int64_t to = std::min(end, chunk_end);
    const bool is_last = to == end && (decodes || entry.prefill_end);
    cutter.Add(from - state.length(), to - state.length(), to == chunk_end || is_last);
    from = to;
  }
  cutter.Finish(geometry);
  const int64_t inserted = step.end.first_position - state.tail_first_position();
  step.writes.pages = WrittenPages(geometry, state.tail_first_position(), inserted,
                                   state.geometry().page_size);
  return step;
}

int64_t CascadeTableBytes(int64_t tail_blocks, int64_t body_blocks) {
  const int64_t blocks = tail_blocks + body_blocks;
  return RoundUp(static_cast<int64_t>(sizeof(CascadeGeometry)), kAlignment) +
         blocks * kOffsetBytes + RoundUp(blocks * kWordBytes, kAlignment);
}

void WriteCascade(const Core& core, const SequenceState& sequence, std::byte* at,
                  ViewEntry& entry) {
  const Sequence& state = core.cached(sequence);
  const auto tail_blocks = static_cast<int64_t>(state.blocks().size());
  const auto body_blocks = static_cast<int64_t>(state.body_blocks().size());
  const std::byte* const base = core.tables.base();
  const std::byte* const begin = at;
  const auto place = [&](int64_t bytes) {
    const auto offset = static_cast<uint64_t>(at - base);
    at += bytes;
    return offset;
  };
  new (at) CascadeGeometry(*sequence.cascade);
  entry.cascade_offset =
      place(RoundUp(static_cast<int64_t>(sizeof(CascadeGeometry)), kAlignment));
  if (state.scores().has_value()) {
    WriteScoreOffsets(core, state.scores(), at);
    entry.score_list_offset = place(tail_blocks * kOffsetBytes);
    WriteScoreOffsets(core, state.body_scores(), at);
    entry.body_score_list_offset = place(body_blocks * kOffsetBytes);
  }
  WriteWords(core, state.blocks(), at);
  entry.block_list_offset = place(tail_blocks * kWordBytes);
  WriteWords(core, state.body_blocks(), at);
  entry.body_list_offset = place(body_blocks * kWordBytes);
  core.tables.Written(begin, at - begin);
}

}  // namespace sluice
