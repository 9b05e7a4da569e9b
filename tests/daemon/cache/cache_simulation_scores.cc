// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tests/daemon/cache/cache_simulation.h"

namespace sluice {

void CacheSimulation::DropScores() {
  const std::optional<SequenceId> id = RandomSequence();
  if (!id || !OneIn(4)) return;
  ModelSequence& sequence = model_.sequences.at(*id);
  if (sequence.step_tokens > 0 || sequence.job) return;
  cache_.DropScores(*id);
  sequence.scores.reset();
  sequence.body_scores.reset();
}

// All are copied before any is written.
void CacheSimulation::ApplyScores(const StepGrant& grant) {
  std::set<SequenceId> sharing;
  for (const StepEntryGrant& entry : grant.entries) {
    const bool keeps = model_.sequences.at(entry.sequence).scores != nullptr;
    if (keeps && model_.SharesScores(entry.sequence)) sharing.insert(entry.sequence);
  }
  for (const StepEntryGrant& entry : grant.entries) {
    const bool copies = entry.scores_source.has_value() || entry.body_scores_source.has_value();
    // With counts queued to be dropped a copy may happen that the model does not need.
    Expect(!copies || lazy_reclaim_ || cache_.reclaim_pending() ||
               sharing.contains(entry.sequence),
           "scores were copied for nothing");
    if (model_.sequences.at(entry.sequence).scores != nullptr) ApplyScoresOf(entry);
  }
  for (const StepEntryGrant& entry : grant.entries) {
    ModelSequence& sequence = model_.sequences.at(entry.sequence);
    if (sequence.scores == nullptr) continue;
    sequence.scored = NewToken(sequence.tenant);
    for (const ModelBlockPtr& held : {sequence.scores, sequence.body_scores}) {
      if (held == nullptr) continue;
      for (const PageId page : held->pages) {
        memory_.Write(TestLane::kForeground, {page, 0}, sequence.scored);
      }
    }
  }
}

void CacheSimulation::ApplyScoresOf(const StepEntryGrant& entry) {
  ModelSequence& sequence = model_.sequences.at(entry.sequence);
  const Sequence& real = *cache_.Find(entry.sequence);
  const std::span<const PageId> pages = cache_.BlockPages(*real.scores());
  const size_t had = sequence.scores->pages.size();
  Expect(pages.size() == had + static_cast<size_t>(entry.new_block_count),
         "the number of pages of scores differs");
  if (entry.scores_source) {
    ++events_["copy of scores"];
    CopyScores(entry.sequence, pages, kScoreBytes, &sequence.scores);
  } else {
    TakeOver(sequence.tenant, pages.subspan(had), kScoreBytes);
    sequence.scores->pages.assign(pages.begin(), pages.end());
  }
  ApplyBodyScores(entry);
  Expect(!model_.SharesScores(entry.sequence), "shared scores would be written");
}

void CacheSimulation::ApplyBodyScores(const StepEntryGrant& entry) {
  ModelSequence& sequence = model_.sequences.at(entry.sequence);
  const std::optional<BlockId> scores = cache_.Find(entry.sequence)->body_scores();
  if (!scores) return;
  const std::span<const PageId> pages = cache_.BlockPages(*scores);
  const int64_t page_bytes = sequence.is_in_place ? kScoreBytes : kBodyScoreBytes;
  if (entry.body_scores_source) {
    ++events_[sequence.is_in_place ? "copy of the scores of a body in place"
                                   : "copy of the scores of a body"];
    CopyScores(entry.sequence, pages, page_bytes, &sequence.body_scores);
  } else if (sequence.is_in_place) {
    if (!sequence.body_scores) sequence.body_scores = std::make_shared<ModelBlock>();
    TakeOver(sequence.tenant, pages.subspan(sequence.body_scores->pages.size()), page_bytes);
    sequence.body_scores->pages.assign(pages.begin(), pages.end());
  }
}

void CacheSimulation::CopyScores(SequenceId id, std::span<const PageId> pages,
                                 int64_t page_bytes, ModelBlockPtr* scores) {
  TakeOver(model_.sequences.at(id).tenant, pages, page_bytes);
  const ModelBlockPtr source = *scores;
  for (size_t i = 0; i < source->pages.size(); ++i) {
    memory_.CopyPage(source->pages[i], pages[i], 1);
  }
  *scores = std::make_shared<ModelBlock>();
  (*scores)->pages.assign(pages.begin(), pages.end());
}

// Wanted once a job.
std::optional<SizeClassId> CacheSimulation::ClassOfBodyScores(const ModelSequence& sequence) {
  if (sequence.scores == nullptr || sequence.job->body_scores) return std::nullopt;
  return body_score_class_;
}

void CacheSimulation::CommitBodyScores(ModelSequence& sequence) {
  sequence.body_scores.reset();
  if (sequence.body == nullptr) return;
  const PageId page = *sequence.job->body_scores;
  memory_.Write(TestLane::kForeground, {page, 0}, sequence.scored);
  sequence.body_scores = std::make_shared<ModelBlock>();
  sequence.body_scores->pages = {page};
  ++events_["scores of a new body"];
}

void CacheSimulation::CutScores(ModelSequence& sequence, int64_t block_count) {
  if (sequence.scores.use_count() > 1 && block_count > 0) ++events_["pages of scores shared"];
  auto kept = std::make_shared<ModelBlock>();
  kept->pages.assign(sequence.scores->pages.begin() + block_count, sequence.scores->pages.end());
  if (block_count > 0) sequence.scores = kept;
}

}  // namespace sluice
