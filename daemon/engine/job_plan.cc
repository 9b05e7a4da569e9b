// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/job_plan.h"

#include <algorithm>

namespace sluice {
namespace {

// Select writes whole mask words.
constexpr int64_t kSlotsPerWord = 32;

}  // namespace

int64_t WorkspaceBytes(int64_t slots) {
  const int64_t rounded = RoundUp(slots, kSlotsPerWord);
  return rounded * static_cast<int64_t>(sizeof(float)) + rounded / 8;
}

std::vector<int64_t> DestinationOffsets(const JobRecipe& recipe, const std::vector<int64_t>& slots,
                                        int64_t page_size) {
  std::vector<int64_t> offsets(slots.size() + 1, 0);
  for (const RecipeSegment& segment : recipe.segments) {
    for (int32_t i = 0; i < segment.row_count; ++i) {
      const auto row = static_cast<size_t>(segment.first_row + i);
      const int64_t most = std::min({slots[row], segment.k, recipe.at_most});
      offsets[row + 1] = (most + page_size - 1) / page_size;
    }
  }
  for (size_t row = 0; row < slots.size(); ++row) offsets[row + 1] += offsets[row];
  return offsets;
}

std::vector<JobBatch> CutBatches(const JobRecipe& recipe, const std::vector<int64_t>& slots,
                                 int64_t workspace_bytes, int64_t slice_bytes) {
  std::vector<JobBatch> batches;
  int64_t batch_bytes = 0;
  for (size_t i = 0; i < recipe.segments.size(); ++i) {
    const RecipeSegment& segment = recipe.segments[i];
    int64_t bytes = 0;
    for (int32_t row = segment.first_row; row < segment.first_row + segment.row_count; ++row) {
      bytes += WorkspaceBytes(slots[static_cast<size_t>(row)]);
    }
    if (bytes > workspace_bytes) return {};
    if (batches.empty() || batch_bytes + bytes > std::min(workspace_bytes, slice_bytes)) {
      batches.push_back({segment.first_row, 0, static_cast<int32_t>(i), 0});
      batch_bytes = 0;
    }
    JobBatch& batch = batches.back();
    batch.row_count = segment.first_row + segment.row_count - batch.first_row;
    ++batch.segment_count;
    batch_bytes += bytes;
  }
  return batches;
}

JobResult ResultOf(const Job& job, int64_t page_size) {
  JobResult result;
  result.rows.reserve(job.kept.size());
  for (size_t row = 0; row < job.kept.size(); ++row) {
    const int64_t kept = job.kept[row];
    result.rows.push_back({static_cast<int64_t>(result.pages.size()), kept});
    const int64_t pages = (kept + page_size - 1) / page_size;
    for (int64_t page = 0; page < pages; ++page) {
      const auto place = static_cast<size_t>(job.destination_offsets[row] + page);
      const bool fresh = job.reused[place] == kNoPage;
      result.pages.push_back({fresh ? job.destination_pages[place] : job.reused[place]});
    }
  }
  return result;
}

}  // namespace sluice
