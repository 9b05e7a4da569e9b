// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/daemon/cache/cache_simulation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"

namespace sluice {

CacheSimulation::CacheSimulation(uint64_t seed)
    : random_(seed),
      cache_({.slab_count = 8 + static_cast<int64_t>(seed % 17),
              .slab_bytes = kSlabBytes,
              .job_reserve_bytes = kReserveSlabs * kSlabBytes - 1}),
      memory_(kMaxPageSize),
      lazy_reclaim_(seed % 2 == 1) {
  const int64_t quota = OneIn(2) ? INT64_MAX : 5000;
  tenants_.push_back(cache_.tenants().Add({.max_bytes = quota}));
  tenants_.push_back(cache_.tenants().Add({.max_sequences = 4}));
  const SizeClassId small = cache_.AddSizeClass(8, 100, 4);
  const SizeClassId large = cache_.AddSizeClass(3, 330, 4);
  const SizeClassId longer = cache_.AddSizeClass(8, 100, kMaxPageSize);
  observation_class_ = cache_.AddSizeClass(5, kObservationBytes, 1);
  score_class_ = cache_.AddSizeClass(6, kScoreBytes, 1);
  body_score_class_ = cache_.AddSizeClass(2, kBodyScoreBytes, 1);
  geometries_ = {{1, 4, small}, {3, 4, small}, {2, 4, large}, {2, kMaxPageSize, longer}};
}

std::string CacheSimulation::Run(int operations) {
  for (int i = 0; i < operations && error_.empty(); ++i) DoOperation();
  if (error_.empty()) GiveBackAll();
  return error_.empty() ? "" : absl::StrCat(operation_, ": ", error_);
}

void CacheSimulation::DoOperation() {
  using Operation = void (CacheSimulation::*)();
  struct Choice {
    absl::string_view name;
    int64_t weight;
    Operation run;
  };
  using S = CacheSimulation;
  static constexpr Choice kChoices[] = {
      {"create", 3, &S::Create},          {"fork", 4, &S::Fork},
      {"free", 3, &S::Free},              {"rollback", 5, &S::Rollback},
      {"mark lost", 1, &S::MarkLost},     {"begin step", 20, &S::BeginStep},
      {"drop observations", 2, &S::DropObservations}, {"drop scores", 1, &S::DropScores},
      {"wrong step", 2, &S::BeginWrongStep}, {"end step", 25, &S::EndStep},
      {"plan job", 8, &S::PlanJob},       {"read for job", 6, &S::ReadForJob},
      {"job pages", 3, &S::AllocateForJob}, {"commit job", 7, &S::CommitJob},
      {"cancel job", 1, &S::CancelJob},   {"reclaim", 6, &S::Reclaim},
      {"complete", 6, &S::Complete},
  };
  static constexpr int64_t kTotal = [] {
    int64_t total = 0;
    for (const Choice& choice : kChoices) total += choice.weight;
    return total;
  }();
  int64_t pick = Random(kTotal);
  const Choice* choice = kChoices;
  for (; pick >= choice->weight; ++choice) pick -= choice->weight;
  operation_ = std::string(choice->name);
  (this->*choice->run)();
  CheckAll();
}

int64_t CacheSimulation::Random(int64_t below) {
  return static_cast<int64_t>(random_() % static_cast<uint64_t>(below));
}

std::optional<SequenceId> CacheSimulation::RandomSequence() {
  if (model_.sequences.empty()) return std::nullopt;
  auto it = model_.sequences.begin();
  std::advance(it, Random(static_cast<int64_t>(model_.sequences.size())));
  return it->first;
}

void CacheSimulation::Expect(bool condition, absl::string_view what) {
  if (!condition && error_.empty()) error_ = std::string(what);
}

void CacheSimulation::ExpectReason(const absl::Status& status, absl::string_view reason) {
  const std::optional<Refusal> refusal = RefusalOf(status);
  const absl::string_view got = refusal ? ReasonName(refusal->reason) : "no reason";
  Expect(got == reason, absl::StrCat("expected ", reason, ", got ", status.ToString()));
}

// --- sequences

void CacheSimulation::Create() {
  const CacheGeometry geometry = geometries_[static_cast<size_t>(Random(std::ssize(geometries_)))];
  const TenantId tenant = tenants_[static_cast<size_t>(Random(2))];
  const TenantLedger& ledger = cache_.tenants();
  const bool is_full = ledger.usage(tenant).sequences >= ledger.limits(tenant).max_sequences;
  if (model_.sequences.size() >= 8) return;
  const absl::StatusOr<SequenceId> id = cache_.CreateSequence(geometry, tenant);
  if (is_full) return ExpectReason(id.status(), "TENANT_QUOTA");
  Expect(id.ok(), id.status().ToString());
  if (!id.ok()) return;
  ModelSequence& sequence = model_.sequences[*id];
  sequence.geometry = geometry;
  sequence.tenant = tenant;
  sequence.rows.resize(static_cast<size_t>(geometry.row_count));
  sequence.is_in_place = OneIn(4);
  if (!OneIn(3)) return;
  cache_.KeepScores(*id, score_class_);
  sequence.scores = std::make_shared<ModelBlock>();
}

void CacheSimulation::Fork() {
  const std::optional<SequenceId> parent = RandomSequence();
  if (!parent || model_.sequences.size() >= 8) return;
  const ModelSequence& source = model_.sequences.at(*parent);
  const TenantLedger& ledger = cache_.tenants();
  const bool is_full =
      ledger.usage(source.tenant).sequences >= ledger.limits(source.tenant).max_sequences;
  const absl::StatusOr<SequenceId> child = cache_.Fork(*parent);
  if (source.step_tokens > 0) return ExpectReason(child.status(), "STEP_OPEN");
  if (source.lost) return ExpectReason(child.status(), "SEQUENCE_LOST");
  if (is_full) return ExpectReason(child.status(), "TENANT_QUOTA");
  Expect(child.ok(), child.status().ToString());
  if (!child.ok()) return;
  ModelSequence copy = source;
  copy.job.reset();
  model_.sequences.emplace(*child, std::move(copy));
}

void CacheSimulation::Free() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id || (model_.sequences.size() < 3 && !OneIn(4))) return;
  if (model_.sequences.at(*id).step_tokens > 0) {
    return ExpectReason(cache_.Free(*id), "STEP_OPEN");
  }
  FreeNow(*id);
  ExpectReason(cache_.Free(*id), "UNKNOWN_SEQUENCE");
}

void CacheSimulation::FreeNow(SequenceId id) {
  const ModelSequence& sequence = model_.sequences.at(id);
  if (sequence.job) memory_.ForgetReads(TestLane::kBackground, sequence.job->read_tickets);
  Expect(cache_.Free(id).ok(), "a free failed");
  model_.sequences.erase(id);
}

void CacheSimulation::Rollback() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id) return;
  ModelSequence& sequence = model_.sequences.at(*id);
  if (sequence.scores != nullptr) return;
  int64_t length = std::max<int64_t>(sequence.length + 1 - Random(12), 0);
  const bool is_refused = sequence.step_tokens > 0 || sequence.lost ||
                          length > sequence.length || length < sequence.tail_first;
  if (!is_refused && sequence.job && length < sequence.job->snapshot) CancelJobNow(*id);
  const absl::Status status = cache_.Rollback(*id, length);
  if (sequence.step_tokens > 0) return ExpectReason(status, "STEP_OPEN");
  if (sequence.lost) return ExpectReason(status, "SEQUENCE_LOST");
  if (length > sequence.length) return ExpectReason(status, "LENGTH_MISMATCH");
  if (length < sequence.tail_first) return ExpectReason(status, "BELOW_FLOOR");
  Expect(status.ok(), status.ToString());
  if (length < sequence.length) ++events_["rollback"];
  sequence.RollBack(length);
}

void CacheSimulation::DropObservations() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id || model_.sequences.at(*id).step_tokens > 0) return;
  cache_.DropObservations(*id);
  model_.sequences.at(*id).observations.reset();
}

void CacheSimulation::MarkLost() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id || !OneIn(4)) return;
  Expect(cache_.MarkLost(*id).ok(), "MarkLost failed");
  model_.sequences.at(*id).lost = true;
}

// --- jobs

void CacheSimulation::PlanJob() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id) return;
  ModelSequence& sequence = model_.sequences.at(*id);
  if (sequence.job || sequence.is_in_place) return;
  const int64_t beyond = sequence.length - sequence.tail_first;
  const int64_t snapshot = sequence.length - Random(std::min<int64_t>(beyond, 9) + 1);
  const absl::StatusOr<std::vector<int64_t>> slots = cache_.PlanJob(*id, snapshot);
  if (sequence.lost) return ExpectReason(slots.status(), "SEQUENCE_LOST");
  Expect(slots.ok(), slots.status().ToString());
  if (!slots.ok()) return;
  ModelJob job;
  job.snapshot = snapshot;
  for (size_t row = 0; row < sequence.rows.size(); ++row) {
    ModelRow tokens = sequence.rows[row];
    std::erase_if(tokens, [&](const ModelToken& token) { return token.position >= snapshot; });
    std::vector<SlotAddress> places = sequence.SlotsOf(row);
    places.resize(tokens.size());
    Expect((*slots)[row] == static_cast<int64_t>(tokens.size()), "the plan's slots differ");
    job.tokens.push_back(std::move(tokens));
    job.slots.push_back(std::move(places));
  }
  if (OneIn(2)) {
    const std::optional<BlockId> held = cache_.HoldObservations(*id);
    Expect(held == cache_.Find(*id)->observations(), "the held observation rows differ");
    if (held) job.held.push_back(sequence.observations);
    if (held) job.observations = sequence.observations;
  }
  sequence.job = std::move(job);
}

void CacheSimulation::ReadForJob() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id || !model_.sequences.at(*id).job) return;
  ModelJob& job = *model_.sequences.at(*id).job;
  std::vector<SlotAddress> slots;
  for (const auto& row : job.slots) slots.insert(slots.end(), row.begin(), row.end());
  if (job.observations != nullptr) {
    for (const PageId page : job.observations->pages) slots.push_back({page, 0});
  }
  job.read_tickets.insert(++submitted_.background);
  memory_.BeginRead(TestLane::kBackground, submitted_.background, slots);
}

void CacheSimulation::AllocateForJob() {
  const std::optional<SequenceId> id = RandomSequence();
  if (id && model_.sequences.at(*id).job) MoreJobPages(*id, Random(5));
}

std::optional<std::vector<PageId>> CacheSimulation::MoreJobPages(SequenceId id, int64_t count) {
  ModelSequence& sequence = model_.sequences.at(id);
  const PoolBytes before = cache_.pool_bytes();
  const std::optional<SizeClassId> body_scores = ClassOfBodyScores(sequence);
  const int64_t available = cache_.AvailableJobPages(id, body_scores);
  const absl::StatusOr<JobPages> granted = cache_.AllocateJobPages(id, count, body_scores);
  Expect(granted.ok() == (count <= available), "the available pages differ");
  if (!granted.ok()) {
    ++events_["no job pages"];
    ExpectReason(granted.status(), "POOL_FULL");
    Expect(cache_.pool_bytes() == before, "a refusal changed the pool");
    return std::nullopt;
  }
  ClearSlabs(granted->slabs_to_clear);
  TakeOver(sequence, granted->pages);
  Expect(granted->body_scores.has_value() == body_scores.has_value(), "a page for scores");
  if (granted->body_scores) {
    TakeOver(sequence.tenant, {&*granted->body_scores, 1}, kBodyScoreBytes);
    sequence.job->body_scores = granted->body_scores;
  }
  std::vector<PageId>& fresh = sequence.job->fresh_pages;
  fresh.insert(fresh.end(), granted->pages.begin(), granted->pages.end());
  return granted->pages;
}

std::vector<ModelRow> CacheSimulation::RandomKept(const ModelJob& job) {
  std::vector<ModelRow> kept = job.tokens;
  for (ModelRow& row : kept) {
    const int64_t mode = Random(4);  // 0: all stay; else some go, from somewhere on
    const int64_t from = Random(static_cast<int64_t>(row.size()) + 1);
    int64_t index = 0;
    std::erase_if(row, [&](const ModelToken&) {
      return mode > 0 && index++ >= from && Random(4) < mode;
    });
  }
  return kept;
}

// Which pages of the new body could be taken over: just what one page held from its
// first slot on; full, or at the end of the row in a page of the old body.
std::vector<std::optional<PageId>> CacheSimulation::RandomReuse(const ModelSequence& sequence,
                                                                size_t row, const ModelRow& kept) {
  const ModelJob& job = *sequence.job;
  const auto page_size = static_cast<size_t>(sequence.geometry.page_size);
  std::map<TokenUid, SlotAddress> places;
  for (size_t i = 0; i < job.tokens[row].size(); ++i) {
    places[job.tokens[row][i].uid] = job.slots[row][i];
  }
  const std::vector<PageId> old = sequence.body ? sequence.body->rows[row] : std::vector<PageId>();
  std::vector<std::optional<PageId>> reuse;
  for (size_t first = 0; first < kept.size(); first += page_size) {
    std::optional<PageId> page = places.at(kept[first].uid).page;
    const size_t slots = std::min(page_size, kept.size() - first);
    const bool is_old = std::find(old.begin(), old.end(), *page) != old.end();
    if (slots < page_size && !is_old) page.reset();
    for (size_t i = 0; page && i < slots; ++i) {
      const SlotAddress expected{*page, static_cast<int64_t>(i)};
      if (places.at(kept[first + i].uid) != expected) page.reset();
    }
    if (OneIn(4)) page.reset();
    if (page && slots < page_size) ++events_["partly filled page taken over"];
    reuse.push_back(page);
  }
  return reuse;
}

void CacheSimulation::CommitJob() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id) return;
  const ModelSequence& sequence = model_.sequences.at(*id);
  if (!sequence.job || sequence.step_tokens > 0) return;
  const std::vector<ModelRow> kept = RandomKept(*sequence.job);
  std::vector<std::vector<std::optional<PageId>>> reuse;
  int64_t needed = 0;
  for (size_t row = 0; row < kept.size(); ++row) {
    reuse.push_back(RandomReuse(sequence, row, kept[row]));
    needed += std::count(reuse.back().begin(), reuse.back().end(), std::nullopt);
  }
  std::vector<PageId> fresh = sequence.job->fresh_pages;
  const int64_t missing = needed - static_cast<int64_t>(fresh.size());
  if (missing > 0 || ClassOfBodyScores(sequence)) {
    const auto more = MoreJobPages(*id, std::max<int64_t>(missing, 0));
    if (!more) return;
    fresh.insert(fresh.end(), more->begin(), more->end());
  }
  BuildAndCommit(*id, kept, reuse, std::move(fresh));
}

void CacheSimulation::BuildAndCommit(
    SequenceId id, const std::vector<ModelRow>& kept,
    const std::vector<std::vector<std::optional<PageId>>>& reuse, std::vector<PageId> fresh) {
  ModelSequence& sequence = model_.sequences.at(id);
  const auto page_size = static_cast<size_t>(sequence.geometry.page_size);
  JobResult result;
  auto body = std::make_shared<ModelBody>();
  for (size_t row = 0; row < kept.size(); ++row) {
    const auto first_page = static_cast<int64_t>(result.pages.size());
    result.rows.push_back({first_page, static_cast<int64_t>(kept[row].size())});
    std::vector<PageId>& pages = body->rows.emplace_back();
    for (size_t i = 0; i < reuse[row].size(); ++i) {
      pages.push_back(reuse[row][i] ? *reuse[row][i] : fresh.back());
      if (reuse[row][i]) {
        ++events_["page taken over"];
        continue;
      }
      fresh.pop_back();
      for (size_t slot = 0; slot < page_size && i * page_size + slot < kept[row].size(); ++slot) {
        memory_.Write(TestLane::kBackground, {pages.back(), static_cast<int64_t>(slot)},
                      kept[row][i * page_size + slot].uid);
      }
    }
    result.pages.insert(result.pages.end(), pages.begin(), pages.end());
  }
  completed_.background = ++submitted_.background;  // the build has completed
  memory_.CompleteReads(completed_);
  const int64_t snapshot = sequence.job->snapshot;
  ++events_["commit"];
  if (cache_.pool_bytes().reserved < kReserveSlabs * kSlabBytes) ++events_["reserve used"];
  sequence.body = result.pages.empty() ? nullptr : body;
  if (sequence.scores != nullptr) CommitBodyScores(sequence);
  cache_.CommitJob(id, std::move(result));
  for (size_t row = 0; row < kept.size(); ++row) {
    std::erase_if(sequence.rows[row], [&](const ModelToken& t) { return t.position < snapshot; });
    sequence.rows[row].insert(sequence.rows[row].begin(), kept[row].begin(), kept[row].end());
  }
  const int64_t first_slot = sequence.tail_start + snapshot - sequence.tail_first;
  const auto had = std::ssize(sequence.tail);
  const int64_t gone = std::min<int64_t>(first_slot / sequence.geometry.page_size,
                                         static_cast<int64_t>(sequence.tail.size()));
  sequence.tail.erase(sequence.tail.begin(), sequence.tail.begin() + gone);
  sequence.tail_start = first_slot % sequence.geometry.page_size;
  sequence.tail_first = snapshot;
  if (sequence.tail_start > 0) ++events_["tail inside a block"];
  sequence.DropEmptyTail();
  if (sequence.scores != nullptr) CutScores(sequence, had - std::ssize(sequence.tail));
  sequence.job.reset();
}

void CacheSimulation::CancelJob() {
  const std::optional<SequenceId> id = RandomSequence();
  if (id && model_.sequences.at(*id).job) CancelJobNow(*id);
}

void CacheSimulation::CancelJobNow(SequenceId id) {
  ModelSequence& sequence = model_.sequences.at(id);
  memory_.ForgetReads(TestLane::kBackground, sequence.job->read_tickets);
  cache_.CancelJob(id);
  sequence.job.reset();
}

// --- giving back

void CacheSimulation::Reclaim() { cache_.ReclaimSlice(1 + Random(6), submitted_); }

void CacheSimulation::Complete() {
  completed_.foreground += static_cast<uint64_t>(
      Random(static_cast<int64_t>(submitted_.foreground - completed_.foreground) + 1));
  completed_.background += static_cast<uint64_t>(
      Random(static_cast<int64_t>(submitted_.background - completed_.background) + 1));
  memory_.CompleteReads(completed_);
  cache_.Passed(completed_, 1 + Random(20));
}

void CacheSimulation::CheckAll() {
  if (!lazy_reclaim_) {
    while (cache_.ReclaimSlice(1000, submitted_).more) {
    }
  }
  if (error_.empty()) error_ = cache_.CheckInvariants();
  const PoolBytes bytes = cache_.pool_bytes();
  Expect(bytes.free >= 0 && bytes.free + bytes.reserved + bytes.in_use + bytes.cached +
                                    bytes.retired == bytes.total,
         "the pool's bytes do not add up");
  CheckBytes();
  CheckSlabs();
  for (const auto& [id, sequence] : model_.sequences) {
    const std::string wrong = model_.Compare(id, cache_, memory_);
    Expect(wrong.empty(), wrong);
  }
  Expect(memory_.error().empty(), memory_.error());
}

// What is in use is what the model accounts for, to the page.
void CacheSimulation::CheckBytes() {
  const std::set<PageId> used = model_.UsedPages();
  const int64_t expected = BytesOf(used);
  const int64_t in_use = cache_.pool_bytes().in_use;
  Expect(cache_.reclaim_pending() ? in_use >= expected : in_use == expected,
         absl::StrCat(in_use, " bytes in use, the model accounts for ", expected));
  const std::optional<SequenceId> id = RandomSequence();
  if (cache_.reclaim_pending() || !id) return;
  const std::set<PageId> others = model_.UsedPages(*id);
  std::set<PageId> alone = model_.PagesOf(*id);
  Expect(cache_.HeldBytes(*id) == BytesOf(alone), "the bytes held differ");
  std::erase_if(alone, [&](PageId page) { return others.contains(page); });
  Expect(cache_.BytesAlone(*id) == BytesOf(alone), "the bytes held alone differ");
}

// What lies beside a slab's pages is laid out by their slots.
void CacheSimulation::CheckSlabs() {
  std::map<uint32_t, int64_t> page_sizes;
  for (const auto& [id, sequence] : model_.sequences) {
    std::set<PageId> pages = model_.PagesOf(id);
    for (const ModelBlockPtr& other :
         {sequence.observations, sequence.scores, sequence.body_scores}) {
      if (other == nullptr) continue;
      for (const PageId page : other->pages) pages.erase(page);
    }
    for (const PageId page : pages) {
      const int64_t page_size = sequence.geometry.page_size;
      const int64_t known = page_sizes.emplace(page.slab().value, page_size).first->second;
      Expect(known == page_size, "a slab has pages of two page sizes");
    }
  }
}

int64_t CacheSimulation::BytesOf(const std::set<PageId>& pages) const {
  int64_t bytes = 0;
  for (const PageId page : pages) bytes += page_bytes_.at(page);
  return bytes;
}

void CacheSimulation::GiveBackAll() {
  operation_ = "give back all";
  while (!model_.sequences.empty() && error_.empty()) {
    const SequenceId id = model_.sequences.begin()->first;
    if (model_.sequences.at(id).step_tokens > 0) EndStepNow(id, OneIn(2));
    FreeNow(id);
    CheckAll();
  }
  while (cache_.ReclaimSlice(7, submitted_).more) {
  }
  completed_ = submitted_;
  while (cache_.Passed(completed_, 7)) {
  }
  const PoolBytes bytes = cache_.pool_bytes();
  Expect(bytes.in_use == 0 && bytes.retired == 0 &&
             bytes.reserved == kReserveSlabs * kSlabBytes &&
             bytes.free == bytes.total - bytes.reserved,
         "pages leaked");
  Expect(cache_.CheckInvariants().empty(), cache_.CheckInvariants());
}

}  // namespace sluice
