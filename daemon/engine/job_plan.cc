// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/job_plan.h"

#include <algorithm>
#include <numeric>

#include "daemon/base/checked_math.h"

namespace sluice {
namespace {

int64_t WorkspaceBytesOf(int32_t first_row, int32_t row_count,
                         const std::vector<int64_t>& slots) {
  int64_t bytes = 0;
  for (int32_t row = first_row; row < first_row + row_count; ++row) {
    bytes += WorkspaceBytes(slots[static_cast<size_t>(row)]);
  }
  return bytes;
}

}  // namespace

int64_t WorkspaceBytes(int64_t slots) {
  const int64_t rounded = RoundUp(slots, kSlotsPerWord);
  return rounded * static_cast<int64_t>(sizeof(float)) + rounded / 8;
}

std::pair<int32_t, int32_t> RowsOf(const JobRecipe& recipe, const JobPass& pass) {
  if (pass.segment_count == 0) return {0, 0};
  const auto first = static_cast<size_t>(pass.first_segment);
  const RecipeSegment& last = recipe.segments[first + static_cast<size_t>(pass.segment_count) - 1];
  return {recipe.segments[first].first_row, last.first_row + last.row_count};
}

std::vector<int64_t> DestinationOffsets(const JobRecipe& recipe, const JobPass& pass,
                                        const std::vector<int64_t>& slots, int64_t page_size) {
  std::vector<int64_t> offsets(slots.size() + 1, 0);
  for (int32_t i = 0; i < pass.segment_count; ++i) {
    const RecipeSegment& segment = recipe.segments[static_cast<size_t>(pass.first_segment + i)];
    for (int32_t j = 0; j < segment.row_count; ++j) {
      const auto row = static_cast<size_t>(segment.first_row + j);
      const int64_t most =
          pass.selects ? std::min({slots[row], segment.k, recipe.at_most}) : slots[row];
      offsets[row + 1] = CeilDivide(most, page_size);
    }
  }
  for (size_t row = 0; row < slots.size(); ++row) offsets[row + 1] += offsets[row];
  return offsets;
}

int64_t SumOfRows(const std::vector<int64_t>& values, int32_t first_row, int32_t row_count) {
  if (values.empty()) return 0;
  const auto first = values.begin() + first_row;
  return std::accumulate(first, first + row_count, int64_t{0});
}

std::vector<JobBatch> CutBatches(const JobRecipe& recipe, const JobPass& pass,
                                 const std::vector<int64_t>& slots,
                                 const std::vector<int64_t>& flops, const BatchLimits& limits) {
  const int64_t most_bytes = std::min(limits.workspace_bytes, limits.slice_bytes);
  std::vector<JobBatch> batches;
  int64_t batch_bytes = 0;
  int64_t batch_flops = 0;
  for (int32_t i = pass.first_segment; i < pass.first_segment + pass.segment_count; ++i) {
    const RecipeSegment& segment = recipe.segments[static_cast<size_t>(i)];
    const int64_t bytes = WorkspaceBytesOf(segment.first_row, segment.row_count, slots);
    const int64_t segment_flops = SumOfRows(flops, segment.first_row, segment.row_count);
    if (bytes > limits.workspace_bytes) return {};
    if (batches.empty() || batch_bytes + bytes > most_bytes ||
        batch_flops + segment_flops > limits.slice_flops ||
        batches.back().row_count + segment.row_count > kMostScoredRows) {
      batches.push_back({segment.first_row, 0, i, 0});
      batch_bytes = batch_flops = 0;
    }
    JobBatch& batch = batches.back();
    batch.row_count = segment.first_row + segment.row_count - batch.first_row;
    ++batch.segment_count;
    batch_bytes += bytes;
    batch_flops += segment_flops;
  }
  return batches;
}

std::vector<JobBatch> CutCounts(const JobRecipe& recipe, const std::vector<int64_t>& slots,
                                int64_t workspace_bytes) {
  std::vector<JobBatch> batches;
  for (size_t i = 0; i < recipe.count_segments.size(); ++i) {
    const RecipeSegment& segment = recipe.count_segments[i];
    const int32_t end_row = segment.first_row + segment.row_count;
    bool joins = false;
    if (!batches.empty()) {
      const JobBatch& last = batches.back();
      const int32_t last_end = last.first_row + last.row_count;
      const int32_t rows = std::max(end_row, last_end) - last.first_row;
      joins = segment.first_row < last_end ||
              WorkspaceBytesOf(last.first_row, rows, slots) <= workspace_bytes;
    }
    if (!joins) batches.push_back({segment.first_row, 0, static_cast<int32_t>(i), 0});
    JobBatch& batch = batches.back();
    batch.row_count = std::max(batch.row_count, end_row - batch.first_row);
    ++batch.segment_count;
    if (WorkspaceBytesOf(batch.first_row, batch.row_count, slots) > workspace_bytes) return {};
  }
  return batches;
}

JobResult ResultOf(const Job& job, int64_t page_size, const Bodies* old) {
  const auto [first_row, end_row] = RowsOf(job.recipe, job.pass);
  JobResult result;
  result.rows.reserve(job.kept.size());
  for (size_t row = 0; row < job.kept.size(); ++row) {
    const int64_t kept = job.kept[row];
    result.rows.push_back({static_cast<int64_t>(result.pages.size()), kept});
    const int64_t pages = CeilDivide(kept, page_size);
    if (static_cast<int32_t>(row) < first_row || static_cast<int32_t>(row) >= end_row) {
      if (pages == 0) continue;
      const auto first = old->pages.begin() + old->rows[row].first_page;
      result.pages.insert(result.pages.end(), first, first + pages);
      continue;
    }
    for (int64_t page = 0; page < pages; ++page) {
      const auto place = static_cast<size_t>(job.destination_offsets[row] + page);
      const bool fresh = job.reused[place] == kNoPage;
      result.pages.push_back({fresh ? job.destination_pages[place] : job.reused[place]});
    }
  }
  return result;
}

}  // namespace sluice
