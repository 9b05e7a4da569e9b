// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/cache/cache.h"
#include "tests/daemon/cache/cache_model.h"
#include "tests/daemon/cache/paged_memory.h"

namespace sluice {

// Applies a random list of operations to a Cache and to a CacheModel and compares
// them after every one, down to the token in every slot.
//
// Lanes lag at random, the pool is small enough to run full, and in half of the
// seeds what is given up is dropped in small slices at random times.
class CacheSimulation {
 public:
  explicit CacheSimulation(uint64_t seed);

  // Runs `operations` and then gives everything back. Empty, or the first
  // difference and the operation that showed it.
  std::string Run(int operations);

  // How often the rare things happened, so that a test can tell that they did.
  const std::map<std::string, int64_t>& events() const { return events_; }

 private:
  static constexpr int32_t kMaxPageSize = 8;
  static constexpr int64_t kSlabBytes = 1024;
  static constexpr int64_t kReserveSlabs = 2;
  static constexpr int64_t kObservationBytes = 70;
  static constexpr int64_t kScoreBytes = 64;
  static constexpr int64_t kBodyScoreBytes = 300;

  int64_t Random(int64_t below);
  bool OneIn(int64_t n) { return Random(n) == 0; }
  std::optional<SequenceId> RandomSequence();
  void Expect(bool condition, absl::string_view what);
  void ExpectReason(const absl::Status& status, absl::string_view reason);

  void DoOperation();
  void Create();
  void Fork();
  void Free();
  void FreeNow(SequenceId id);
  void Rollback();
  void DropObservations();
  void DropScores();
  void MarkLost();
  void BeginStep();
  void BeginWrongStep();
  void EndStep();
  void EndStepNow(SequenceId id, bool undo);
  void PlanJob();
  void ReadForJob();
  void AllocateForJob();
  void CommitJob();
  void CancelJob();
  void CancelJobNow(SequenceId id);
  void Reclaim();
  void Complete();
  void CheckAll();
  void CheckBytes();
  void CheckSlabs();
  int64_t BytesOf(const std::set<PageId>& pages) const;
  void GiveBackAll();

  std::vector<StepEntryRequest> RandomEntries();
  void ApplyGrant(const StepGrant& grant);
  void ApplyEntry(const StepEntryGrant& entry);
  void ApplyCopy(SequenceId id, const StepEntryGrant& entry);
  void ApplyObservations(const StepEntryGrant& entry, bool wanted);
  void ApplyScores(const StepGrant& grant);
  void ApplyScoresOf(const StepEntryGrant& entry);
  void CopyScores(SequenceId id, std::span<const PageId> pages, int64_t page_bytes,
                  ModelBlockPtr* scores);
  ModelBodyStep RandomBodyStep(const ModelSequence& sequence, int64_t tokens);
  void AddBodyWrites(const ModelSequence& sequence, ModelBodyStep& step);
  void ApplyBody(const StepEntryGrant& entry);
  void WriteBodyStep(ModelSequence& sequence);
  void MoveIntoBody(SequenceId id);
  void UndoBody(SequenceId id);
  void ApplyBodyScores(const StepEntryGrant& entry);
  void CutScores(ModelSequence& sequence, int64_t block_count);
  void CommitBodyScores(ModelSequence& sequence);
  std::optional<SizeClassId> ClassOfBodyScores(const ModelSequence& sequence);
  ObservationPages ObservationsOf(const ModelSequence& sequence) const;
  void ReadInForeground(SequenceId id);
  void ClearSlabs(const std::vector<SlabId>& slabs);
  void TakeOver(const ModelSequence& sequence, std::span<const PageId> pages);
  void TakeOver(TenantId tenant, std::span<const PageId> pages, int64_t page_bytes);
  std::optional<std::vector<PageId>> MoreJobPages(SequenceId id, int64_t count);
  std::vector<ModelRow> RandomKept(const ModelJob& job);
  std::vector<std::optional<PageId>> RandomReuse(const ModelSequence& sequence, size_t row,
                                                 const ModelRow& kept);
  void BuildAndCommit(SequenceId id, const std::vector<ModelRow>& kept,
                      const std::vector<std::vector<std::optional<PageId>>>& reuse,
                      std::vector<PageId> fresh);
  TokenUid NewToken(TenantId tenant);

  std::mt19937_64 random_;
  Cache cache_;
  CacheModel model_;
  PagedMemory memory_;
  std::vector<TenantId> tenants_;
  std::vector<CacheGeometry> geometries_;
  SizeClassId observation_class_;
  SizeClassId score_class_;
  SizeClassId body_score_class_;
  std::set<SequenceId> observing_;  // of the last RandomEntries
  std::map<SequenceId, ModelBodyStep> body_steps_;  // likewise
  bool lazy_reclaim_;
  LaneTickets submitted_;
  LaneTickets completed_;
  uint64_t next_token_ = 1;
  std::map<TokenUid, TenantId> token_tenants_;
  std::map<PageId, int64_t> page_bytes_;  // as last granted
  std::map<std::string, int64_t> events_;
  std::string operation_;
  std::string error_;
};

}  // namespace sluice
