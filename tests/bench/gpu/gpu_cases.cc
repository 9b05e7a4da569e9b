// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gpu/gpu_cases.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "kernels/core/observation.h"

namespace sluice::bench {
namespace {

constexpr int64_t kVectorBytes = GpuPool::kDim * 2;  // a key, a value or a query of one head
constexpr int64_t kSideBytes = 3 * 4;                // position, log_mass and key norm of a slot

Case Named(const char* name) {
  Case made;
  made.name = name;
  made.arrays = std::make_shared<CaseArrays>();
  return made;
}

// Lengths of the same sum as `mean` each, the longest `ratio` times the mean.
std::vector<int32_t> RaggedLengths(int64_t count, int64_t mean, double ratio) {
  std::mt19937_64 random(11);
  std::lognormal_distribution<double> lengths(0.0, 1.0);
  std::vector<double> weights;
  for (int64_t i = 0; i < count; ++i) weights.push_back(lengths(random));
  double sum = 0.0;
  for (const double weight : weights) sum += weight;
  std::vector<int32_t> result;
  int64_t left = mean * count;
  for (const double weight : weights) {
    const double share = weight / sum * static_cast<double>(count);
    const auto slots =
        static_cast<int64_t>(std::min(share, ratio) * static_cast<double>(mean));
    result.push_back(static_cast<int32_t>(std::max<int64_t>(1, slots)));
    left -= result.back();
  }
  // What the limit took away goes to the others alike, up to the limit.
  const auto most = static_cast<int64_t>(ratio * static_cast<double>(mean));
  for (size_t i = 0; i < result.size() && left > 0; ++i) {
    const int64_t others = static_cast<int64_t>(result.size() - i);
    const int64_t more = std::min(most - result[i], (left + others - 1) / others);
    result[i] += static_cast<int32_t>(more);
    left -= more;
  }
  return result;
}

}  // namespace

int64_t CaseMaker::Part(int64_t whole, int64_t least) const {
  return std::max(least, whole / divide_);
}

void CaseMaker::SetLayer(int32_t q_heads, CaseArrays* arrays) const {
  LayerShape& layer = arrays->layer;
  layer.kv_heads = kHeads;
  layer.q_heads = q_heads;
  layer.k_dim = layer.v_dim = GpuPool::kDim;
  layer.scale = 1.0f / std::sqrt(static_cast<float>(GpuPool::kDim));
}

void CaseMaker::SetView(CaseArrays* arrays) const {
  StepView& view = arrays->view;
  view.entries = arrays->entries.data();
  view.entry_count = static_cast<int32_t>(arrays->entries.size());
  view.total_tokens = arrays->entries.back().first_token + arrays->entries.back().token_count;
}

RowSet CaseMaker::Rows(int32_t rows, int64_t slots, CaseArrays* arrays) {
  arrays->entries = pool_.Lay({{{}, slots, 0}}, rows, false);
  for (int32_t row = 0; row <= rows; ++row) {
    arrays->row_offsets.push_back(row * RoundUp(slots, 32));
  }
  return {arrays->entries.data(), 0, rows, arrays->row_offsets.data()};
}

AttendArgs CaseMaker::Attend(CaseArrays* arrays) {
  SetView(arrays);
  AttendArgs args;
  args.view = &arrays->view;
  args.layer = &arrays->layer;
  args.token_count = arrays->view.total_tokens;
  args.dtype = Dtype::kBf16;
  const int64_t bytes = args.token_count * arrays->layer.q_heads * kVectorBytes;
  std::byte* const q = pool_.TakeWork(bytes);
  pool_.device().FillBf16(q, bytes);
  args.q = q;
  args.out = pool_.TakeWork(bytes);
  return args;
}

Case CaseMaker::Decode(const char* name, int64_t sequences, int64_t slots, int32_t q_heads,
                       bool mass) {
  Case made = Named(name);
  sequences = Part(sequences, 1);
  slots = Part(slots, 33);
  SetLayer(q_heads, made.arrays.get());
  const SequenceShape shape{{}, slots, 1};
  made.arrays->entries =
      pool_.Lay(std::vector<SequenceShape>(static_cast<size_t>(sequences), shape), kHeads, mass);
  AttendArgs args = Attend(made.arrays.get());
  args.accumulate_mass = mass;
  made.output = args.out;
  made.operation = args;
  made.bytes = static_cast<double>(sequences * kHeads * slots) *
               (GpuPool::kSlotBytes + (mass ? 2 * 4 : 0));
  return made;
}

Case CaseMaker::DecodeRagged(const char* name, int64_t sequences, int64_t mean_slots,
                             int32_t q_heads) {
  Case made = Named(name);
  sequences = Part(sequences, 1);
  SetLayer(q_heads, made.arrays.get());
  const std::vector<int32_t> lengths =
      RaggedLengths(sequences * kHeads, Part(mean_slots, 33), 8.0);
  std::vector<SequenceShape> shapes;
  double slots = 0.0;
  for (int64_t i = 0; i < sequences; ++i) {
    const auto first = lengths.begin() + i * kHeads;
    shapes.push_back({{first, first + kHeads}, 1, 1});
    for (const int32_t length : shapes.back().body_slots) slots += length + 1;
  }
  made.arrays->entries = pool_.Lay(shapes, kHeads, false);
  const AttendArgs args = Attend(made.arrays.get());
  made.output = args.out;
  made.operation = args;
  made.bytes = slots * GpuPool::kSlotBytes;
  return made;
}

CascadeGeometry CaseMaker::Cascade(int64_t slots) const {
  constexpr int32_t kRings = 4;
  const int64_t periods[kRings] = {1, 2, 4, 8};
  const auto sinks = static_cast<int32_t>(Part(64, 4));
  const auto ring_slots = static_cast<int32_t>((slots - sinks) / kRings);
  return MakeCascadeGeometry(sinks, kRings, ring_slots, 1, true, periods);
}

void CaseMaker::LayCascades(int64_t sequences, int64_t slots, int32_t q_heads,
                            CaseArrays* arrays) {
  SetLayer(q_heads, arrays);
  constexpr int32_t kPairs = GpuPool::kDim / 2;
  for (int32_t pair = 0; pair < kPairs; ++pair) {
    arrays->inv_freq.push_back(std::pow(1e4f, -static_cast<float>(pair) / kPairs));
  }
  arrays->layer.rope = {arrays->inv_freq.data(), GpuPool::kDim, RopePairing::kHalfSplit, 1.0f,
                        true};
  // Past the eager fill, so that every ring is full and starts inside itself.
  arrays->entries = pool_.LayCascades(Cascade(slots), 5 * slots + 999, sequences, kHeads);
}

Case CaseMaker::DecodeCascade(const char* name, int64_t sequences, int64_t slots,
                              int32_t q_heads) {
  Case made = Named(name);
  sequences = Part(sequences, 1);
  slots = Part(slots, 64);
  LayCascades(sequences, slots, q_heads, made.arrays.get());
  const AttendArgs args = Attend(made.arrays.get());
  made.output = args.out;
  made.operation = args;
  made.bytes = static_cast<double>(sequences * kHeads * (Cascade(slots).body_slots() + 1)) *
               GpuPool::kSlotBytes;
  return made;
}

Case CaseMaker::InsertCascade(const char* name, int64_t sequences, int64_t slots,
                              int32_t q_heads) {
  Case made = Named(name);
  sequences = Part(sequences, 1);
  slots = Part(slots, 64);
  LayCascades(sequences, slots, q_heads, made.arrays.get());
  SetView(made.arrays.get());
  CascadeInsertArgs args;
  args.view = &made.arrays->view;
  args.layer = &made.arrays->layer;
  made.operation = args;
  // A score and its pending sum of each slot, both read and written.
  made.bytes = static_cast<double>(sequences * kHeads * Cascade(slots).body_slots()) * 16;
  return made;
}

Case CaseMaker::Prefill(const char* name, int64_t tokens, int32_t q_heads) {
  Case made = Named(name);
  tokens = Part(tokens, 40);
  SetLayer(q_heads, made.arrays.get());
  made.arrays->entries =
      pool_.Lay({{{}, tokens, static_cast<int32_t>(tokens)}}, kHeads, false);
  const AttendArgs args = Attend(made.arrays.get());
  made.output = args.out;
  made.operation = args;
  const auto count = static_cast<double>(tokens);
  made.flops = 4.0 * count * (count + 1) / 2 * GpuPool::kDim * q_heads;
  made.bytes = count * (kHeads * GpuPool::kSlotBytes + 2.0 * q_heads * kVectorBytes);
  return made;
}

Case CaseMaker::Append(const char* name, int64_t sequences, int64_t tokens) {
  Case made = Named(name);
  sequences = Part(sequences, 1);
  if (tokens > 1) tokens = Part(tokens, 33);
  SetLayer(kHeads, made.arrays.get());
  const SequenceShape shape{{}, tokens, static_cast<int32_t>(tokens)};
  made.arrays->entries =
      pool_.Lay(std::vector<SequenceShape>(static_cast<size_t>(sequences), shape), kHeads, false);
  SetView(made.arrays.get());
  AppendArgs args;
  args.view = &made.arrays->view;
  args.layer = &made.arrays->layer;
  args.token_count = sequences * tokens;
  args.k_dtype = args.v_dtype = Dtype::kBf16;
  const int64_t bytes = args.token_count * kHeads * kVectorBytes;
  std::byte* const keys_and_values = pool_.TakeWork(2 * bytes);
  pool_.device().FillBf16(keys_and_values, 2 * bytes);
  args.k = keys_and_values;
  args.v = keys_and_values + bytes;
  made.operation = args;
  made.bytes = static_cast<double>(args.token_count * kHeads) * 2 * GpuPool::kSlotBytes;
  return made;
}

Case CaseMaker::Compact(const char* name, int32_t rows, int64_t slots, bool whole) {
  Case made = Named(name);
  rows = static_cast<int32_t>(Part(rows, 2));
  slots = RoundUp(Part(slots, 96), GpuPool::kPageSize);
  CompactArgs args;
  args.rows = Rows(rows, slots, made.arrays.get());
  std::vector<uint32_t> masks;
  int64_t kept_slots = 0;
  made.arrays->page_offsets.push_back(0);
  for (int32_t row = 0; row < rows; ++row) {
    int64_t kept = 0;
    for (int64_t word = 0; word < slots / 32; ++word) {
      masks.push_back(whole ? ~0u : RandomWord(masks.size()));
      kept += __builtin_popcount(masks.back());
    }
    kept_slots += kept;
    made.arrays->page_offsets.push_back(made.arrays->page_offsets.back() +
                                        RoundUp(kept, GpuPool::kPageSize) / GpuPool::kPageSize);
  }
  const int64_t pages = made.arrays->page_offsets.back();
  for (int64_t i = 0; i < pages; ++i) made.arrays->pages.push_back(pool_.NextPage());
  auto* const masks_placed = pool_.TakeWork<uint32_t>(static_cast<int64_t>(masks.size()));
  pool_.device().Upload(masks_placed, masks.data(), static_cast<int64_t>(masks.size()) * 4);
  auto* const pages_placed = pool_.TakeWork<uint32_t>(pages);
  pool_.device().Upload(pages_placed, made.arrays->pages.data(), pages * 4);
  args.masks = masks_placed;
  args.destination_pages = pages_placed;
  args.destination_offsets = made.arrays->page_offsets.data();
  args.reused = pool_.TakeWork<uint32_t>(pages);
  made.output = args.reused;
  made.operation = args;
  made.bytes = whole ? 0.0
                     : 2.0 * static_cast<double>(kept_slots) * (GpuPool::kSlotBytes + kSideBytes);
  return made;
}

Case CaseMaker::CopyPages(const char* name, int64_t pages) {
  Case made = Named(name);
  pages = Part(pages, 3);
  made.arrays->entries = pool_.Lay({{{}, GpuPool::kPageSize, 0}}, 1, false);
  for (int64_t i = 0; i < pages; ++i) {
    const uint32_t source = pool_.NextPage();
    made.arrays->copies.push_back({source, pool_.NextPage()});
  }
  auto* const placed = pool_.TakeWork<PageCopy>(pages);
  pool_.device().Upload(placed, made.arrays->copies.data(),
                        pages * static_cast<int64_t>(sizeof(PageCopy)));
  CopyPagesArgs args;
  args.pages = placed;
  args.page_count = pages;
  args.slots = GpuPool::kPageSize;
  made.operation = args;
  made.bytes = 2.0 * static_cast<double>(pages * GpuPool::kPageSize) *
               (GpuPool::kSlotBytes + kSideBytes);
  return made;
}

Case CaseMaker::Select(const char* name, int32_t rows, int64_t slots, bool together) {
  Case made = Named(name);
  rows = static_cast<int32_t>(Part(rows, 3));
  slots = RoundUp(Part(slots, 96), 32);
  SelectArgs args;
  args.rows = Rows(rows, slots, made.arrays.get());
  const int64_t scores = rows * slots;
  auto* const placed = pool_.TakeWork<float>(scores);
  pool_.device().FillFloats(placed, scores);
  const int32_t segments = together ? 1 : rows;
  for (int32_t segment = 0; segment < segments; ++segment) {
    SelectSegment& made_segment = made.arrays->segments.emplace_back();
    made_segment.first_row = segment;
    made_segment.row_count = rows / segments;
    made_segment.k = made_segment.row_count * slots / 4;
  }
  args.scores = placed;
  args.segments = made.arrays->segments.data();
  args.segment_count = segments;
  args.masks = pool_.TakeWork<uint32_t>(scores / 32);
  pool_.device().runtime().Clear(reinterpret_cast<std::byte*>(args.masks), scores / 8);
  made.output = args.masks;
  made.operation = args;
  made.bytes = static_cast<double>(scores) * (4 + 1.0 / 8);
  return made;
}

Case CaseMaker::KeyNormScore(const char* name, int32_t rows, int64_t slots) {
  Case made = Named(name);
  rows = static_cast<int32_t>(Part(rows, 2));
  slots = RoundUp(Part(slots, 96), 32);
  KeyNormScoreArgs args;
  args.rows = Rows(rows, slots, made.arrays.get());
  args.scores = pool_.TakeWork<float>(rows * slots);
  made.output = args.scores;
  made.operation = args;
  made.bytes = static_cast<double>(rows * slots) * (4 + 4);
  return made;
}

Case CaseMaker::WindowScore(const char* name, int64_t slots, int32_t q_heads) {
  constexpr int32_t kWindow = 32;
  Case made = Named(name);
  slots = RoundUp(Part(slots, 96), 32);
  SetLayer(q_heads, made.arrays.get());
  WindowScoreArgs args;
  args.rows = Rows(kHeads, slots, made.arrays.get());
  args.layer = &made.arrays->layer;
  args.length = slots;
  args.layout = MakeObservationLayout(kWindow, q_heads, GpuPool::kDim, Dtype::kBf16);
  args.window = kWindow;
  std::byte* const ring = pool_.TakeWork(RoundUp(args.layout.bytes, 16));
  pool_.device().FillBf16(ring, RoundUp(args.layout.bytes, 16));
  std::vector<int32_t> positions(kWindow);
  for (int64_t position = slots - kWindow; position < slots; ++position) {
    positions[static_cast<size_t>(position % kWindow)] = static_cast<int32_t>(position);
  }
  const std::vector<float> lse(kWindow * static_cast<size_t>(q_heads),
                               std::log(static_cast<float>(slots)));
  pool_.device().Upload(ring + args.layout.position_offset, positions.data(), kWindow * 4);
  pool_.device().Upload(ring + args.layout.lse_offset, lse.data(),
                        static_cast<int64_t>(lse.size()) * 4);
  args.observation = ring;
  args.scores = pool_.TakeWork<float>(kHeads * slots);
  made.output = args.scores;
  made.operation = args;
  made.bytes = static_cast<double>(kHeads * slots) * (kVectorBytes + 4);
  made.flops = 2.0 * kWindow * GpuPool::kDim * static_cast<double>(q_heads * slots);
  return made;
}

}  // namespace sluice::bench
