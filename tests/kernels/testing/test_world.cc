// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/testing/test_world.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <utility>

namespace sluice::kernels_testing {
namespace {

PageLayout page_layout = PageLayout::kGroup16;

// Floats that differ beyond the tolerance; equal bits always pass.
int64_t DifferingFloats(const std::byte* expected, const std::byte* actual, int64_t count,
                        double relative, double absolute) {
  int64_t differing = 0;
  for (int64_t i = 0; i < count; ++i) {
    float e = 0.0f;
    float a = 0.0f;
    std::memcpy(&e, expected + 4 * i, 4);
    std::memcpy(&a, actual + 4 * i, 4);
    if (std::memcmp(&e, &a, 4) == 0) continue;
    const bool near = std::abs(double{e} - double{a}) <= absolute + relative * std::abs(double{e});
    if (!near) ++differing;
  }
  return differing;
}

void ExpectSameSlab(const SlabLayout& slab, int64_t number, const std::byte* expected,
                    const std::byte* actual, double key_norm_error) {
  const auto same = [&](int64_t begin, int64_t end) {
    return std::memcmp(expected + begin, actual + begin, static_cast<size_t>(end - begin)) == 0;
  };
  for (int32_t page = 0; page < slab.pages; ++page) {
    const int64_t begin = page * slab.page_bytes;
    EXPECT_TRUE(same(begin, begin + slab.page_bytes)) << "slab " << number << " page " << page;
  }
  EXPECT_TRUE(same(slab.position_offset, slab.log_mass_offset)) << "positions of slab " << number;
  EXPECT_TRUE(same(slab.log_mass_offset, slab.key_norm_offset)) << "log_mass of slab " << number;
  EXPECT_TRUE(same(slab.flags_offset, TestWorld::kSlabBytes)) << "flags of slab " << number;
  const int64_t norms = (slab.flags_offset - slab.key_norm_offset) / 4;
  EXPECT_EQ(DifferingFloats(expected + slab.key_norm_offset, actual + slab.key_norm_offset, norms,
                            key_norm_error, 0.0),
            0)
      << "key norms of slab " << number;
}

}  // namespace

void UsePageLayout(PageLayout layout) { page_layout = layout; }

uint16_t TestWorld::AddFormat(const PageFormat& format) {
  formats_.push_back(SpanFormat{format, MakeSlabLayout(format, kSlabBytes)});
  formats_.back().page.layout = page_layout;
  free_pages_.emplace_back();
  return static_cast<uint16_t>(formats_.size() - 1);
}

uint64_t TestWorld::AddSlab(uint16_t format) {
  const size_t lines = pool_.size();
  pool_.resize(lines + kSlabBytes / kLineBytes);
  std::memset(static_cast<void*>(pool_.data() + lines), 0xff, kSlabBytes);
  slab_formats_.push_back(format);
  return lines * kLineBytes;
}

uint32_t TestWorld::TakePage(uint16_t format) {
  std::vector<uint32_t>& pages = free_pages_[format];
  if (pages.empty()) {
    const auto slab = static_cast<uint32_t>(slab_formats_.size());
    AddSlab(format);
    for (int32_t i = 0; i < formats_[format].slab.pages; ++i) {
      pages.push_back(slab << kPageIndexBits | static_cast<uint32_t>(i));
    }
  }
  std::swap(pages[random_.Below(static_cast<int64_t>(pages.size()))], pages.back());
  const uint32_t page = pages.back();
  pages.pop_back();
  return page;
}

uint64_t TestWorld::TakeTable(int64_t bytes) {
  const uint64_t offset = tables_.size() * kLineBytes;
  tables_.resize(tables_.size() + RoundUp(bytes, kLineBytes) / kLineBytes);
  return offset;
}

uint64_t TestWorld::TakePoolBytes(int64_t bytes) {
  const int64_t taken = RoundUp(bytes, kLineBytes);
  if (taken > score_bytes_left_) {
    // Slabs that follow each other hold what is larger than one.
    const uint64_t begin = AddSlab(kScoreSlab);
    score_slab_end_ = begin + kSlabBytes;
    while (static_cast<int64_t>(score_slab_end_ - begin) < taken) {
      AddSlab(kScoreSlab);
      score_slab_end_ += kSlabBytes;
    }
    score_bytes_left_ = static_cast<int64_t>(score_slab_end_ - begin);
  }
  const uint64_t offset = score_slab_end_ - static_cast<uint64_t>(score_bytes_left_);
  score_bytes_left_ -= taken;
  return offset;
}

PoolView TestWorld::View() const {
  PoolView view;
  view.pool = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(pool_.data()));
  view.slab_bytes = kSlabBytes;
  view.tables = reinterpret_cast<const std::byte*>(tables_.data());
  view.formats = formats_.data();
  return view;
}

std::vector<HostRange> TestWorld::Memory() const {
  std::vector<HostRange> ranges;
  const auto add = [&ranges](const auto& elements) {
    const auto bytes = static_cast<int64_t>(elements.capacity() * sizeof(elements[0]));
    if (bytes > 0) ranges.push_back({elements.data(), bytes});
  };
  add(pool_);
  add(tables_);
  add(formats_);
  return ranges;
}

void ExpectSamePools(const TestWorld& expected, const TestWorld& actual,
                     const PoolTolerance& tolerance) {
  ASSERT_EQ(expected.slab_formats(), actual.slab_formats());
  for (size_t slab = 0; slab < expected.slab_formats().size(); ++slab) {
    const auto begin = static_cast<int64_t>(slab) * TestWorld::kSlabBytes;
    const std::byte* e = expected.View().pool + begin;
    const std::byte* a = actual.View().pool + begin;
    const uint16_t format = expected.slab_formats()[slab];
    if (format == TestWorld::kScoreSlab) {
      EXPECT_EQ(DifferingFloats(e, a, TestWorld::kSlabBytes / 4, tolerance.score, tolerance.score),
                0)
          << "scores of slab " << slab;
    } else {
      ExpectSameSlab(expected.format(format).slab, static_cast<int64_t>(slab), e, a,
                     tolerance.key_norm);
    }
  }
}

}  // namespace sluice::kernels_testing
