// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/cache_audit.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/checked_math.h"

namespace sluice {

CacheAudit::CacheAudit(const PagePool& pool, const TenantLedger& tenants,
                       const BlockTable& blocks, const BodiesTable& bodies)
    : pool_(pool),
      tenants_(tenants),
      blocks_(blocks),
      bodies_(bodies),
      block_counts_(blocks.id_limit()),
      bodies_counts_(bodies.id_limit()),
      usage_(static_cast<size_t>(tenants.tenant_count())) {}

void CacheAudit::AddSequence(const Sequence& sequence) {
  ++usage_[sequence.tenant().value].sequences;
  for (const BlockId id : sequence.blocks()) ++block_counts_[id.value];
  for (const BlockId id : sequence.body_blocks()) ++block_counts_[id.value];
  if (sequence.bodies()) ++bodies_counts_[sequence.bodies()->value];
  for (const auto& held :
       {sequence.observations(), sequence.scores(), sequence.body_scores()}) {
    if (held) ++block_counts_[held->value];
  }
  if (sequence.job()) {
    for (const BlockId id : sequence.job()->held_blocks) ++block_counts_[id.value];
    const std::vector<PageId>& fresh = sequence.job()->fresh_pages;
    reserved_pages_.insert(reserved_pages_.end(), fresh.begin(), fresh.end());
    if (sequence.job()->fresh_scores) reserved_pages_.push_back(*sequence.job()->fresh_scores);
  }
  if (wrong_.empty()) wrong_ = CheckTail(sequence);
}

void CacheAudit::AddHeld(const std::vector<BlockId>& blocks) {
  for (const BlockId id : blocks) ++block_counts_[id.value];
}

void CacheAudit::AddQueued(const ReclaimQueue::Queued& queued) {
  for (const BlockId id : queued.blocks) ++block_counts_[id.value];
  for (const BodiesId id : queued.bodies) ++bodies_counts_[id.value];
  used_pages_ = queued.used_pages;
  reserved_pages_.insert(reserved_pages_.end(), queued.reserved_pages.begin(),
                         queued.reserved_pages.end());
}

std::string CacheAudit::Finish() {
  if (wrong_.empty()) wrong_ = CheckBlocks();
  if (wrong_.empty()) wrong_ = CheckBodies();
  if (wrong_.empty()) wrong_ = CheckUsedPages();
  if (wrong_.empty()) wrong_ = CheckReservedPages();
  if (wrong_.empty()) wrong_ = CheckTenants();
  if (wrong_.empty()) wrong_ = pool_.CheckInvariants();
  return wrong_;
}

std::string CacheAudit::CheckTail(const Sequence& sequence) const {
  const int32_t page_size = sequence.geometry().page_size;
  const int64_t slots = sequence.used_tail_slots() + sequence.step_token_count();
  const auto blocks = static_cast<int64_t>(sequence.blocks().size());
  // A step that writes the body in place uses the blocks of its tail again and again.
  const bool uses_again = sequence.step_open() && !sequence.body_blocks().empty();
  if (blocks != CeilDivide(slots, page_size) && !uses_again) {
    return absl::StrCat("sequence ", sequence.id().value, " has ", blocks, " blocks for ", slots,
                        " slots of its tail");
  }
  if (sequence.tail_start() < 0 || sequence.tail_start() >= page_size ||
      sequence.tail_first_position() > sequence.length()) {
    return absl::StrCat("sequence ", sequence.id().value, " has a tail from slot ",
                        sequence.tail_start(), ", position ", sequence.tail_first_position());
  }
  return CheckBody(sequence);
}

std::string CacheAudit::CheckBody(const Sequence& sequence) const {
  const auto blocks = static_cast<int64_t>(sequence.body_blocks().size());
  const int64_t wanted = CeilDivide(sequence.body_slots(), sequence.geometry().page_size);
  // An open step has those that it will reach.
  if (sequence.step_open() ? blocks < wanted : blocks != wanted) {
    return absl::StrCat("sequence ", sequence.id().value, " has ", blocks,
                        " blocks of a body for ", sequence.body_slots(), " slots");
  }
  if (blocks > 0 && sequence.bodies()) {
    return absl::StrCat("sequence ", sequence.id().value, " has a job's body and one in place");
  }
  return CheckScores(sequence);
}

std::string CacheAudit::CheckScores(const Sequence& sequence) const {
  if (!sequence.scores()) return sequence.body_scores() ? "scores of a body alone" : "";
  const size_t pages = blocks_[*sequence.scores()].pages.size();
  if (pages != sequence.blocks().size()) {
    return absl::StrCat("sequence ", sequence.id().value, " has ", pages,
                        " pages of scores for ", sequence.blocks().size(), " blocks");
  }
  const size_t body_pages = sequence.body_scores().has_value()
                                ? blocks_[*sequence.body_scores()].pages.size()
                                : 0;
  const size_t wanted =
      sequence.bodies().has_value() ? 1 : sequence.body_blocks().size();
  if (body_pages != wanted) {
    return absl::StrCat("sequence ", sequence.id().value, " has ", body_pages,
                        " pages of scores of its body, not ", wanted);
  }
  return "";
}

std::string CacheAudit::CheckBlocks() {
  for (uint32_t i = 0; i < block_counts_.size(); ++i) {
    const Block& block = blocks_[BlockId{i}];
    if (block.references != block_counts_[i]) {
      return absl::StrCat("block ", i, " counts ", block.references, ", ", block_counts_[i],
                          " list it");
    }
    if (block.references == 0) continue;
    used_pages_.insert(used_pages_.end(), block.pages.begin(), block.pages.end());
  }
  return "";
}

std::string CacheAudit::CheckBodies() {
  for (uint32_t i = 0; i < bodies_counts_.size(); ++i) {
    const Bodies& bodies = bodies_[BodiesId{i}];
    if (bodies.references != bodies_counts_[i]) {
      return absl::StrCat("bodies ", i, " count ", bodies.references, ", ", bodies_counts_[i],
                          " have them");
    }
    if (bodies.references == 0) continue;
    std::vector<PageId> sorted = bodies.pages;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      return absl::StrCat("bodies ", i, " list a page twice");
    }
    used_pages_.insert(used_pages_.end(), sorted.begin(), sorted.end());
  }
  return "";
}

std::string CacheAudit::CheckUsedPages() {
  std::sort(used_pages_.begin(), used_pages_.end());
  int64_t in_use_bytes = 0;
  for (auto it = used_pages_.begin(); it != used_pages_.end();) {
    const auto next = std::upper_bound(it, used_pages_.end(), *it);
    const int32_t count = pool_.reference_count(*it);
    if (count != next - it) {
      return absl::StrCat("page ", it->value, " counts ", count, ", ", next - it, " hold it");
    }
    in_use_bytes += pool_.bytes_of(*it);
    usage_[pool_.tenant_of(*it).value].bytes += pool_.bytes_of(*it);
    it = next;
  }
  const int64_t counted_bytes = pool_.bytes().in_use;
  if (in_use_bytes == counted_bytes) return "";
  return absl::StrCat(in_use_bytes, " bytes are held, ", counted_bytes, " count as in use");
}

std::string CacheAudit::CheckReservedPages() {
  std::sort(reserved_pages_.begin(), reserved_pages_.end());
  if (std::adjacent_find(reserved_pages_.begin(), reserved_pages_.end()) !=
      reserved_pages_.end()) {
    return "a page is reserved twice";
  }
  int64_t bytes = 0;
  for (const PageId page : reserved_pages_) {
    if (!pool_.is_reserved(page)) return absl::StrCat("page ", page.value, " is not reserved");
    bytes += pool_.bytes_of(page);
  }
  if (bytes == pool_.reserved_page_bytes()) return "";
  return absl::StrCat("jobs hold ", bytes, " bytes, ", pool_.reserved_page_bytes(),
                      " count as reserved");
}

std::string CacheAudit::CheckTenants() const {
  for (uint32_t i = 0; i < usage_.size(); ++i) {
    const TenantUsage& usage = tenants_.usage({i});
    if (usage == usage_[i]) continue;
    return absl::StrCat("tenant ", i, " is charged ", usage.bytes, " bytes and ", usage.sequences,
                        " sequences, it holds ", usage_[i].bytes, " and ", usage_[i].sequences);
  }
  return "";
}

}  // namespace sluice
