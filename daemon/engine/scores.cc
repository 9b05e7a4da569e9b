// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/scores.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/core.h"
#include "daemon/engine/state.h"
#include "kernels/core/mass.h"

namespace sluice {
namespace {

constexpr int64_t kLeastBytes = 128;  // of a body's page
constexpr int64_t kFloatBytes = sizeof(float);
constexpr int64_t kOffsetBytes = sizeof(uint64_t);
constexpr int64_t kFirstListBlocks = 16;

float* ScoresOf(const Core& core, BlockId block, size_t page) {
  return reinterpret_cast<float*>(PageAt(core, block, page));
}

int32_t GroupOf(const LayerShape& shape) { return shape.q_heads / shape.kv_heads; }

// What a slot has beside its score under a cascade, in every layer the same.
absl::StatusOr<int32_t> PendingSumsOf(const Model& model, GroupReduce reduce) {
  const int32_t sums = PendingSums(reduce, GroupOf(model.shape(0)));
  for (int32_t layer = 1; layer < model.layer_count(); ++layer) {
    if (PendingSums(reduce, GroupOf(model.shape(layer))) == sums) continue;
    return Refuse(absl::StatusCode::kInvalidArgument, Reason::kNotInVersion,
                  "policy.parameters.group_reduce",
                  "is max or median; this version has these for models whose layers all have "
                  "the same number of kv heads");
  }
  return sums;
}

// Copies the first `page_count` pages.
void AddCopies(const Core& core, BlockId source, BlockId destination, size_t page_count,
               std::vector<ScoreCopy>& copies) {
  const int64_t count =
      core.cache.PageBytes(destination) / static_cast<int64_t>(sizeof(float));
  for (size_t page = 0; page < page_count; ++page) {
    copies.push_back({ScoresOf(core, source, page), ScoresOf(core, destination, page), count});
  }
}

// REQUIRES: the policy accumulates scores.
MassRule RuleOf(const Policy& policy) {
  const AccumulatedScore& score = *policy.needs().accumulated_score;
  return {.decay = static_cast<float>(score.decay),
          .squared = score.squared,
          .reduce = ReduceOf(score.reduce)};
}

}  // namespace

GroupReduce ReduceOf(HeadReduce reduce) {
  switch (reduce) {
    case HeadReduce::kMean:
      return GroupReduce::kMean;
    case HeadReduce::kMax:
      return GroupReduce::kMax;
    case HeadReduce::kSum:
      return GroupReduce::kSum;
    case HeadReduce::kMedian:
      return GroupReduce::kMedian;
  }
  return GroupReduce::kMean;
}

absl::StatusOr<PageClass> TailScorePage(Core& core, const ModelState& model,
                                        const PolicyNeeds& needs) {
  int64_t scores = int64_t{model.model->row_count()} * model.model->format().page.page_size;
  if (needs.cascade.has_value()) {
    SLUICE_ASSIGN_OR_RETURN(
        const int32_t sums,
        PendingSumsOf(*model.model, ReduceOf(needs.accumulated_score->reduce)));
    scores *= 1 + sums;
  }
  const int64_t bytes = scores * static_cast<int64_t>(sizeof(float));
  if (bytes <= core.memory.pool.slab_bytes) return PagesOf(core, bytes);
  return RefuseField("policy.preset",
                     absl::StrCat("the scores of a block of this model, ", bytes,
                                  " bytes, do not fit a slab of ", core.memory.pool.slab_bytes));
}

absl::Status CheckBodyScores(const Core& core, const Model& model, const Policy& policy) {
  if (!policy.needs().accumulated_score.has_value() || policy.needs().cascade.has_value()) {
    return absl::OkStatus();
  }
  const PolicySpec& spec = policy.spec();
  const bool by_heavy = spec.heavy_tokens.has_value();
  const int64_t tokens = by_heavy ? *spec.heavy_tokens : spec.budget_tokens.value_or(0);
  const int64_t page_size = model.format().page.page_size;
  const int64_t page_bytes = int64_t{model.row_count()} * page_size * kFloatBytes;
  const int64_t most_pages = core.memory.pool.slab_bytes / page_bytes;
  if (CeilDivide(tokens, page_size) <= most_pages) return absl::OkStatus();
  return RefuseField(absl::StrCat("policy.parameters.", by_heavy ? "heavy_tokens" : "budget_tokens"),
                     absl::StrCat("must be at most ", most_pages * page_size,
                                  " for this model, whose scores of what is kept fit no slab of ",
                                  core.memory.pool.slab_bytes, " bytes otherwise, got ", tokens));
}

// Powers of two, so that jobs on bodies of all lengths share slabs.
absl::StatusOr<int64_t> BodyScoreBytes(const Core& core, const SequenceState& sequence,
                                       int64_t body_pages) {
  if (!core.cached(sequence).scores().has_value() || body_pages == 0) return 0;
  const int64_t slots = body_pages * sequence.model->model->format().page.page_size;
  const int64_t least = slots * static_cast<int64_t>(sizeof(float));
  if (least > core.memory.pool.slab_bytes) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                  absl::StrCat("the scores of what the job would keep, ", least,
                               " bytes, do not fit a slab of ", core.memory.pool.slab_bytes));
  }
  const auto rounded = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(least)));
  return std::clamp(rounded, kLeastBytes, core.memory.pool.slab_bytes);
}

absl::StatusOr<std::optional<PageClass>> BodyScorePage(Core& core, const SequenceState& sequence,
                                                       int64_t body_pages) {
  SLUICE_ASSIGN_OR_RETURN(const int64_t bytes, BodyScoreBytes(core, sequence, body_pages));
  if (bytes == 0) return std::optional<PageClass>();
  return PagesOf(core, bytes);
}

int64_t ScoreBytes(const Core& core, const SequenceState& sequence, int64_t tail_blocks,
                   int64_t body_pages) {
  const std::optional<BlockId> scores = core.cached(sequence).scores();
  if (!scores.has_value()) return 0;
  return tail_blocks * core.cache.PageBytes(*scores) +
         BodyScoreBytes(core, sequence, body_pages).value_or(core.memory.pool.slab_bytes);
}

uint64_t ScoreOffset(const Core& core, BlockId scores, size_t page) {
  return static_cast<uint64_t>(PageAt(core, scores, page) - core.memory.pool.pool);
}

void AddMassRule(const Core& core, const SequenceState& sequence, StepState& step) {
  if (!core.cached(sequence).scores().has_value()) return step.entry_rules.push_back(-1);
  const MassRule rule = RuleOf(*sequence.policy);
  const auto same = std::find_if(
      step.mass_rules.begin(), step.mass_rules.end(), [&](const MassRule& other) {
        return other.decay == rule.decay && other.squared == rule.squared &&
               other.reduce == rule.reduce;
      });
  step.entry_rules.push_back(static_cast<int32_t>(same - step.mass_rules.begin()));
  if (same == step.mass_rules.end()) step.mass_rules.push_back(rule);
}

bool ReserveScoreList(Core& core, SequenceState& sequence, int64_t block_count) {
  TableRange& list = sequence.score_list;
  if (block_count * kOffsetBytes <= list.bytes) return true;
  const int64_t capacity =
      std::max({block_count, 2 * list.bytes / kOffsetBytes, kFirstListBlocks});
  const std::optional<TableRange> range = core.tables.Allocate(capacity * kOffsetBytes);
  if (!range.has_value()) return false;
  if (list.bytes > 0) {
    std::memcpy(core.tables.Write<std::byte>(*range, 0, list.bytes), core.tables.At(list),
                static_cast<size_t>(list.bytes));
  }
  core.tables.FreeWhenPassed(list, core.submitted());  // a job under way may read it
  list = *range;
  return true;
}

void WriteScoreList(Core& core, SequenceState& sequence, int64_t first) {
  const BlockId scores = *core.cached(sequence).scores();
  const auto count = static_cast<int64_t>(core.cache.BlockPages(scores).size());
  if (first == count) return;  // it may have no list
  auto* const offsets = core.tables.Write<uint64_t>(sequence.score_list, first, count);
  for (int64_t block = first; block < count; ++block) {
    offsets[block] = ScoreOffset(core, scores, static_cast<size_t>(block));
  }
}

void OpenScores(Core& core, SequenceState& sequence, const StepEntryGrant& grant) {
  const Sequence& state = core.cached(sequence);
  const size_t kept = state.blocks().size() - static_cast<size_t>(grant.new_block_count);
  std::vector<ScoreCopy> copies;
  if (grant.scores_source.has_value()) {
    AddCopies(core, *grant.scores_source, *state.scores(), kept, copies);
  }
  if (grant.body_scores_source.has_value()) {
    AddCopies(core, *grant.body_scores_source, *state.body_scores(),
              core.cache.BlockPages(*grant.body_scores_source).size(), copies);
  }
  if (!copies.empty()) core.dispatcher.SubmitScoreCopies(std::move(copies));
  if (sequence.cascade != nullptr) return;  // each step has a list of its own
  WriteScoreList(core, sequence,
                 grant.scores_source.has_value() ? 0 : static_cast<int64_t>(kept));
}

void FillScores(const Core& core, const SequenceState& sequence, ViewEntry& entry) {
  const Sequence& state = core.cached(sequence);
  if (!state.scores().has_value() || sequence.cascade != nullptr) return;
  entry.score_list_offset = sequence.score_list.offset;
  if (state.body_scores().has_value()) {
    entry.body_scores_offset = ScoreOffset(core, *state.body_scores(), 0);
  }
}

}  // namespace sluice
