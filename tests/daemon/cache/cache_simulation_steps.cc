// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "tests/daemon/cache/cache_simulation.h"

namespace sluice {

std::vector<StepEntryRequest> CacheSimulation::RandomEntries() {
  std::vector<StepEntryRequest> entries;
  body_steps_.clear();
  for (const auto& [id, sequence] : model_.sequences) {
    if (sequence.step_tokens > 0 || sequence.lost || OneIn(3)) continue;
    const auto tokens = static_cast<int32_t>(OneIn(3) ? 1 + Random(11) : 1);
    int64_t base_length = sequence.length;
    if (sequence.scores == nullptr && !sequence.is_in_place && OneIn(3)) {
      const int64_t floor = sequence.job ? sequence.job->snapshot : sequence.tail_first;
      base_length = std::max(floor, sequence.length - Random(12));
    }
    entries.push_back({id, base_length, tokens});
    if (sequence.is_in_place) {
      entries.back().body = &(body_steps_[id] = RandomBodyStep(sequence, tokens)).writes;
    }
    if (OneIn(2)) entries.back().observations = ObservationsOf(sequence);
  }
  std::shuffle(entries.begin(), entries.end(), random_);
  return entries;
}

ObservationPages CacheSimulation::ObservationsOf(const ModelSequence& sequence) const {
  return {observation_class_, 1 + sequence.geometry.row_count % 3};
}

void CacheSimulation::BeginStep() {
  const std::vector<StepEntryRequest> entries = RandomEntries();
  observing_.clear();
  for (const StepEntryRequest& entry : entries) {
    if (entry.observations.count > 0) observing_.insert(entry.sequence);
  }
  const DroppedPages dropped = OneIn(8) ? DroppedPages::kStillRead : DroppedPages::kReuse;
  const int64_t missing_bytes = cache_.MissingBytes(entries, dropped);
  const bool needs_pages = cache_.NeedsPages(entries, dropped);
  const std::vector<size_t> with_room = cache_.EntriesWithRoom(entries, dropped);
  const bool rolls_back = std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
    return entry.base_length < model_.sequences.at(entry.sequence).length;
  });
  // In their order, an entry does not know yet what a later one drops.
  Expect(with_room.size() == entries.size() ? missing_bytes == 0 : rolls_back || missing_bytes > 0,
         "room differs");
  if (rolls_back) ++events_[missing_bytes == 0 ? "step with rollback" : "rollback without room"];
  const PoolBytes before = cache_.pool_bytes();
  std::vector<int64_t> allowed_bytes;
  for (const TenantId tenant : tenants_) {
    const int64_t used_bytes = cache_.tenants().usage(tenant).bytes;
    allowed_bytes.push_back(std::max(cache_.tenants().limits(tenant).max_bytes, used_bytes));
  }
  absl::StatusOr<StepGrant> grant = cache_.BeginStep(entries, dropped);
  Expect(grant.ok() == (missing_bytes == 0), "room and refusal differ");
  const bool takes_pages = cache_.pool_bytes().in_use > before.in_use;
  Expect(!grant.ok() || takes_pages == needs_pages, "needed and taken pages differ");
  Expect(cache_.pool_bytes().reserved == before.reserved, "an append took from the reserve");
  for (size_t i = 0; i < tenants_.size(); ++i) {
    Expect(cache_.tenants().usage(tenants_[i]).bytes <= allowed_bytes[i],
           "a tenant holds more than its maximum");
  }
  if (grant.ok()) return ApplyGrant(*grant);
  CheckAll();
  ++events_[std::string(ReasonName(RefusalOf(grant.status())->reason))];
  Expect(absl::IsResourceExhausted(grant.status()), grant.status().ToString());
  Expect(cache_.pool_bytes() == before, "a refusal changed the pool");
  std::vector<StepEntryRequest> fewer;
  for (const size_t index : with_room) fewer.push_back(entries[index]);
  grant = cache_.BeginStep(fewer, dropped);
  Expect(grant.ok(), "the entries that find room found none");
  if (grant.ok()) ApplyGrant(*grant);
}

void CacheSimulation::BeginWrongStep() {
  std::vector<StepEntryRequest> entries = RandomEntries();
  if (entries.empty()) return;
  const PoolBytes before = cache_.pool_bytes();
  const int64_t kind = Random(4);
  if (kind == 0) entries.back().base_length = model_.sequences.at(entries.back().sequence).length + 1;
  if (kind == 1) entries.back().token_count = static_cast<int32_t>(-Random(2));
  if (kind == 2) entries.push_back(entries.front());
  if (kind == 3) entries.back().sequence.value = 1 << 20;
  const char* const reasons[] = {"LENGTH_MISMATCH", "FIELD_INVALID", "FIELD_INVALID",
                                 "UNKNOWN_SEQUENCE"};
  ExpectReason(cache_.BeginStep(entries).status(), reasons[kind]);
  Expect(cache_.pool_bytes() == before, "a refusal changed the pool");
}

void CacheSimulation::ApplyGrant(const StepGrant& grant) {
  ClearSlabs(grant.slabs_to_clear);
  size_t new_blocks = 0;
  for (const StepEntryGrant& entry : grant.entries) {
    model_.sequences.at(entry.sequence).RollBack(entry.base_length);
  }
  for (const StepEntryGrant& entry : grant.entries) {
    const size_t had = model_.sequences.at(entry.sequence).body_blocks.size();
    ApplyEntry(entry);
    new_blocks += static_cast<size_t>(entry.new_block_count) + (entry.copy ? 1 : 0) +
                  entry.body_copies.size() +
                  model_.sequences.at(entry.sequence).body_blocks.size() - had;
  }
  // All are copied before anything is written.
  for (const StepEntryGrant& entry : grant.entries) {
    ApplyObservations(entry, observing_.contains(entry.sequence));
  }
  ApplyScores(grant);
  for (const StepEntryGrant& entry : grant.entries) {
    if (!observing_.contains(entry.sequence)) continue;
    ModelSequence& sequence = model_.sequences.at(entry.sequence);
    sequence.observed = NewToken(sequence.tenant);
    for (const PageId page : sequence.observations->pages) {
      memory_.Write(TestLane::kForeground, {page, 0}, sequence.observed);
    }
  }
  Expect(new_blocks == grant.new_blocks.size(), "the list of new blocks is not complete");
  ++submitted_.foreground;
}

void CacheSimulation::ApplyEntry(const StepEntryGrant& entry) {
  ModelSequence& sequence = model_.sequences.at(entry.sequence);
  Expect(entry.base_length == sequence.length, "the granted length differs");
  if (entry.copy) ApplyCopy(entry.sequence, entry);
  // With counts queued to be dropped a copy may happen that the model does not need.
  const bool copies = sequence.used() % sequence.geometry.page_size != 0 && !entry.copy &&
                      model_.MustCopyOpenBlock(entry.sequence);
  Expect(!copies, "a shared block would be written");
  const std::vector<BlockId>& blocks = cache_.Find(entry.sequence)->blocks();
  const int64_t wanted = sequence.is_in_place
                             ? body_steps_.at(entry.sequence).writes.new_tail_blocks
                             : sequence.BlocksFor(sequence.used() + entry.token_count) -
                                   static_cast<int64_t>(sequence.tail.size());
  if (sequence.is_in_place) ApplyBody(entry);
  Expect(entry.new_block_count == wanted, "the number of new blocks differs");
  sequence.step_first_block = static_cast<int64_t>(sequence.tail.size());
  sequence.step_tokens = entry.token_count;
  while (sequence.tail.size() < blocks.size()) {
    const std::span<const PageId> pages = cache_.BlockPages(blocks[sequence.tail.size()]);
    TakeOver(sequence, pages);
    sequence.tail.push_back(std::make_shared<ModelBlock>());
    sequence.tail.back()->pages.assign(pages.begin(), pages.end());
  }
  sequence.step_uids.clear();
  for (int64_t i = 0; i < entry.token_count; ++i) {
    sequence.step_uids.push_back(NewToken(sequence.tenant));
    for (size_t row = 0; row < sequence.rows.size() && !sequence.is_in_place; ++row) {
      memory_.Write(TestLane::kForeground, sequence.TailSlot(row, sequence.length + i),
                    sequence.step_uids.back());
    }
  }
}

void CacheSimulation::ApplyCopy(SequenceId id, const StepEntryGrant& entry) {
  ModelSequence& sequence = model_.sequences.at(id);
  const int64_t page_size = sequence.geometry.page_size;
  Expect(sequence.used() % page_size == entry.copy->slots, "the copied slots differ");
  Expect(cache_.reclaim_pending() || lazy_reclaim_ || model_.MustCopyOpenBlock(id),
         "a block was copied for nothing");
  const ModelBlockPtr source = sequence.tail.back();
  ++events_[source.use_count() > 2 ? "copy of a shared block" : "copy of a block with body pages"];
  const std::span<const PageId> pages = cache_.BlockPages(entry.copy->destination);
  TakeOver(sequence, pages);
  for (size_t row = 0; row < pages.size(); ++row) {
    memory_.CopyPage(source->pages[row], pages[row], entry.copy->slots);
  }
  const auto last = static_cast<int64_t>(sequence.tail.size()) - 1;
  const int64_t block_first = std::max(
      sequence.tail_first + last * page_size - sequence.tail_start, sequence.tail_first);
  if (sequence.job && block_first < sequence.job->snapshot) {
    ++events_["block held by a job"];
    sequence.job->held.push_back(source);
  }
  sequence.tail.back() = std::make_shared<ModelBlock>();
  sequence.tail.back()->pages.assign(pages.begin(), pages.end());
}

void CacheSimulation::ApplyObservations(const StepEntryGrant& entry, bool wanted) {
  ModelSequence& sequence = model_.sequences.at(entry.sequence);
  const bool had = sequence.observations != nullptr;
  Expect(!wanted || entry.new_observations.has_value() ||
             (had && !model_.SharesObservations(entry.sequence)),
         "shared observation rows would be written");
  Expect(entry.observations_source.has_value() == (had && entry.new_observations.has_value()),
         "the source of observation rows differs");
  if (!entry.new_observations) return;
  Expect(wanted, "observation rows that nobody wants");
  // With counts queued to be dropped a copy may happen that the model does not need.
  Expect(!had || lazy_reclaim_ || cache_.reclaim_pending() ||
             model_.SharesObservations(entry.sequence),
         "observation rows were copied for nothing");
  const std::span<const PageId> pages = cache_.BlockPages(*entry.new_observations);
  TakeOver(sequence.tenant, pages, kObservationBytes);
  for (size_t i = 0; had && i < pages.size(); ++i) {
    memory_.CopyPage(sequence.observations->pages[i], pages[i], 1);
  }
  ++events_[had ? "copy of observation rows" : "new observation rows"];
  sequence.observations = std::make_shared<ModelBlock>();
  sequence.observations->pages.assign(pages.begin(), pages.end());
}

void CacheSimulation::EndStep() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id || model_.sequences.at(*id).step_tokens == 0) return;
  EndStepNow(*id, OneIn(4));
}

void CacheSimulation::EndStepNow(SequenceId id, bool undo) {
  ModelSequence& sequence = model_.sequences.at(id);
  ++events_[undo ? "undo" : "close"];
  if (sequence.is_in_place && (!undo || OneIn(2))) {
    WriteBodyStep(sequence);
    if (undo) {
      Expect(cache_.MarkLost(id).ok(), "MarkLost failed");
      sequence.lost = true;
    }
  }
  if (undo) {
    cache_.UndoStep(id);
    if (sequence.is_in_place) UndoBody(id);
    sequence.tail.resize(static_cast<size_t>(sequence.step_first_block));
    if (sequence.scores != nullptr) {
      sequence.scores->pages.resize(static_cast<size_t>(sequence.step_first_block));
      ++events_["undo with scores"];
    }
  } else {
    cache_.CloseStep(id);
    for (const TokenUid uid : sequence.step_uids) {
      for (ModelRow& row : sequence.rows) row.push_back({sequence.length, uid});
      ++sequence.length;
    }
    if (sequence.is_in_place) MoveIntoBody(id);
  }
  sequence.step_tokens = 0;
  if (!undo && OneIn(2)) ReadInForeground(id);
}

void CacheSimulation::ReadInForeground(SequenceId id) {
  const ModelSequence& sequence = model_.sequences.at(id);
  std::vector<SlotAddress> slots;
  for (size_t row = 0; row < sequence.rows.size(); ++row) {
    const std::vector<SlotAddress> of_row = sequence.SlotsOf(row);
    slots.insert(slots.end(), of_row.begin(), of_row.end());
  }
  memory_.BeginRead(TestLane::kForeground, ++submitted_.foreground, slots);
}

void CacheSimulation::ClearSlabs(const std::vector<SlabId>& slabs) {
  events_["slab cleared"] += static_cast<int64_t>(slabs.size());
  for (const SlabId slab : slabs) memory_.ClearSlab(slab);
}

// A new page may hold old bytes of its tenant, never those of another.
void CacheSimulation::TakeOver(const ModelSequence& sequence, std::span<const PageId> pages) {
  TakeOver(sequence.tenant, pages,
           cache_.BlockBytes(sequence.geometry) / sequence.geometry.row_count);
}

void CacheSimulation::TakeOver(TenantId tenant, std::span<const PageId> pages,
                               int64_t page_bytes) {
  for (const PageId page : pages) {
    page_bytes_[page] = page_bytes;
    for (const TokenUid token : memory_.Tokens(page)) {
      Expect(token == 0 || token_tenants_.at(token) == tenant,
             "a page shows another tenant's bytes");
    }
  }
}

TokenUid CacheSimulation::NewToken(TenantId tenant) {
  const TokenUid uid = next_token_++;
  token_tenants_[uid] = tenant;
  return uid;
}

}  // namespace sluice
