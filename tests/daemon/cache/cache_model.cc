// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/daemon/cache/cache_model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice {

SlotAddress ModelSequence::TailSlot(size_t row, int64_t position) const {
  const int64_t slot = tail_start + position - tail_first;
  const ModelBlock& block = *tail[static_cast<size_t>(slot / geometry.page_size)];
  return {block.pages[row], slot % geometry.page_size};
}

std::vector<SlotAddress> ModelSequence::SlotsOf(size_t row) const {
  std::vector<SlotAddress> slots;
  int64_t in_body = 0;
  for (const ModelToken& token : rows[row]) {
    if (token.position >= tail_first) {
      slots.push_back(TailSlot(row, token.position));
      continue;
    }
    const PageId page = body->rows[row][static_cast<size_t>(in_body / geometry.page_size)];
    slots.push_back({page, in_body++ % geometry.page_size});
  }
  return slots;
}

void ModelSequence::DropEmptyTail() {
  if (length > tail_first) return;
  tail.clear();
  tail_start = 0;
}

void ModelSequence::RollBack(int64_t to_length) {
  length = to_length;
  tail.resize(static_cast<size_t>(BlocksFor(used())));
  DropEmptyTail();
  for (ModelRow& row : rows) {
    std::erase_if(row, [&](const ModelToken& token) { return token.position >= to_length; });
  }
}

bool CacheModel::MustCopyOpenBlock(SequenceId id) const {
  const ModelSequence& sequence = sequences.at(id);
  const ModelBlock& open = *sequence.tail.back();
  if (sequence.tail.back().use_count() > 1) return true;
  for (const auto& [other_id, other] : sequences) {
    if (other.body == nullptr) continue;
    for (const auto& row : other.body->rows) {
      for (const PageId page : row) {
        if (std::find(open.pages.begin(), open.pages.end(), page) != open.pages.end()) return true;
      }
    }
  }
  return false;
}

bool CacheModel::SharesObservations(SequenceId id) const {
  const ModelBlockPtr& rows = sequences.at(id).observations;
  return rows != nullptr && rows.use_count() > 1;
}

bool CacheModel::SharesScores(SequenceId id) const {
  const ModelSequence& sequence = sequences.at(id);
  if (sequence.body_scores != nullptr && sequence.body_scores.use_count() > 1) return true;
  if (sequence.scores != nullptr && sequence.scores.use_count() > 1) return true;
  std::set<PageId> own(sequence.scores->pages.begin(), sequence.scores->pages.end());
  return std::any_of(sequences.begin(), sequences.end(), [&](const auto& other) {
    if (other.first == id || other.second.scores == nullptr) return false;
    const std::vector<PageId>& pages = other.second.scores->pages;
    return std::any_of(pages.begin(), pages.end(),
                       [&](PageId page) { return own.contains(page); });
  });
}

std::set<PageId> CacheModel::PagesOf(SequenceId id) const {
  const ModelSequence& sequence = sequences.at(id);
  std::set<PageId> pages;
  for (const ModelBlockPtr& held :
       {sequence.observations, sequence.scores, sequence.body_scores}) {
    if (held != nullptr) pages.insert(held->pages.begin(), held->pages.end());
  }
  for (const std::vector<ModelBlockPtr>* blocks : {&sequence.tail, &sequence.body_blocks}) {
    for (const ModelBlockPtr& block : *blocks) {
      pages.insert(block->pages.begin(), block->pages.end());
    }
  }
  if (sequence.body == nullptr) return pages;
  for (const auto& row : sequence.body->rows) pages.insert(row.begin(), row.end());
  return pages;
}

std::set<PageId> CacheModel::UsedPages(std::optional<SequenceId> but) const {
  std::set<PageId> pages;
  for (const auto& [id, sequence] : sequences) {
    if (id != but) pages.merge(PagesOf(id));
    if (!sequence.job) continue;
    for (const ModelBlockPtr& block : sequence.job->held) {
      // Its job lets go of the rows with the sequence.
      if (id == but && block == sequence.observations) continue;
      pages.insert(block->pages.begin(), block->pages.end());
    }
  }
  return pages;
}

int64_t CacheModel::ReservedPages() const {
  int64_t pages = 0;
  for (const auto& [id, sequence] : sequences) {
    if (sequence.job) pages += static_cast<int64_t>(sequence.job->fresh_pages.size());
  }
  return pages;
}

std::string CacheModel::Compare(SequenceId id, const Cache& cache,
                                const PagedMemory& memory) const {
  const ModelSequence& model = sequences.at(id);
  const Sequence* const real = cache.Find(id);
  if (real == nullptr) return absl::StrCat("sequence ", id.value, " is gone");
  const std::string name = absl::StrCat("sequence ", id.value, ": ");
  if (real->length() != model.length || real->tail_first_position() != model.tail_first ||
      real->tail_start() != model.tail_start || real->step_token_count() != model.step_tokens ||
      real->rollback_floor() != model.tail_first || real->lost() != model.lost) {
    return name + "length, tail, step, floor or loss differ";
  }
  if (real->blocks().size() != model.tail.size()) return name + "the number of blocks differs";
  for (size_t i = 0; i < model.tail.size(); ++i) {
    const std::span<const PageId> pages = cache.BlockPages(real->blocks()[i]);
    if (!std::equal(pages.begin(), pages.end(), model.tail[i]->pages.begin(),
                    model.tail[i]->pages.end())) {
      return absl::StrCat(name, "the pages of block ", i, " differ");
    }
  }
  if (real->bodies().has_value() != (model.body != nullptr)) return name + "the body differs";
  if (model.body != nullptr) {
    std::vector<PageId> pages;
    for (const auto& row : model.body->rows) pages.insert(pages.end(), row.begin(), row.end());
    if (cache.BodiesOf(*real->bodies()).pages != pages) return name + "the body's pages differ";
  }
  const std::vector<int64_t> kept = cache.KeptSlots(id);
  for (size_t row = 0; row < kept.size(); ++row) {
    const size_t expected = model.body_slots.size() + model.rows[row].size();
    if (kept[row] != static_cast<int64_t>(expected)) {
      return absl::StrCat(name, "row ", row, " keeps ", kept[row], " slots, the model ",
                          expected);
    }
  }
  std::string wrong = CompareRows(model, memory);
  if (wrong.empty()) wrong = CompareBody(model, *real, cache, memory);
  if (wrong.empty()) wrong = CompareObservations(model, *real, cache, memory);
  if (wrong.empty()) wrong = CompareScores(model, *real, cache, memory);
  return wrong.empty() ? "" : name + wrong;
}

std::string CacheModel::CompareObservations(const ModelSequence& model, const Sequence& real,
                                            const Cache& cache, const PagedMemory& memory) {
  if (real.observations().has_value() != (model.observations != nullptr)) {
    return "has observation rows in one of model and cache";
  }
  if (model.observations == nullptr) return "";
  const std::span<const PageId> pages = cache.BlockPages(*real.observations());
  if (!std::equal(pages.begin(), pages.end(), model.observations->pages.begin(),
                  model.observations->pages.end())) {
    return "the pages of the observation rows differ";
  }
  const bool whole = std::all_of(pages.begin(), pages.end(), [&](PageId page) {
    return memory.Read({page, 0}) == model.observed;
  });
  return whole ? "" : "the observation rows were lost";
}

std::string CacheModel::CompareScores(const ModelSequence& model, const Sequence& real,
                                      const Cache& cache, const PagedMemory& memory) {
  const std::pair<ModelBlockPtr, std::optional<BlockId>> held[] = {
      {model.scores, real.scores()}, {model.body_scores, real.body_scores()}};
  for (const auto& [expected, block] : held) {
    if (block.has_value() != (expected != nullptr)) return "has scores in one of model and cache";
    if (expected == nullptr) continue;
    const std::span<const PageId> pages = cache.BlockPages(*block);
    if (!std::equal(pages.begin(), pages.end(), expected->pages.begin(),
                    expected->pages.end())) {
      return "the pages of the scores differ";
    }
    const bool whole = std::all_of(pages.begin(), pages.end(), [&](PageId page) {
      return memory.Read({page, 0}) == model.scored;
    });
    if (!whole) return "the scores were lost";
  }
  return "";
}

std::string CacheModel::CompareBody(const ModelSequence& model, const Sequence& real,
                                    const Cache& cache, const PagedMemory& memory) {
  if (real.body_blocks().size() != model.body_blocks.size()) return "the body's blocks differ";
  for (size_t i = 0; i < model.body_blocks.size(); ++i) {
    const std::span<const PageId> pages = cache.BlockPages(real.body_blocks()[i]);
    const std::vector<PageId>& expected = model.body_blocks[i]->pages;
    if (!std::equal(pages.begin(), pages.end(), expected.begin(), expected.end())) {
      return absl::StrCat("the pages of block ", i, " of the body differ");
    }
  }
  const auto page_size = static_cast<size_t>(model.geometry.page_size);
  for (size_t slot = 0; slot < model.body_slots.size(); ++slot) {
    for (const PageId page : model.body_blocks[slot / page_size]->pages) {
      const SlotAddress at{page, static_cast<int64_t>(slot % page_size)};
      if (memory.Read(at) != model.body_slots[slot]) return "a slot of the body was lost";
    }
  }
  return "";
}

std::string CacheModel::CompareRows(const ModelSequence& model, const PagedMemory& memory) const {
  for (size_t row = 0; row < model.rows.size(); ++row) {
    const std::vector<SlotAddress> slots = model.SlotsOf(row);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (memory.Read(slots[i]) == model.rows[row][i].uid) continue;
      return absl::StrCat("row ", row, " lost the token at position ",
                          model.rows[row][i].position);
    }
  }
  return "";
}

}  // namespace sluice
