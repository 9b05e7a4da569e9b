// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Sequences under cascades of any shape, whatever happens to them, against the plain
// implementation: what each holds after every step, and what each row was answered.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/cascade_streams.h"

namespace sluice {
namespace {

constexpr int kTokens = 160;

using oracle::RandomBelow;

// The answers of a chunk that has not moved yet, [tokens, q_heads, dim] a layer.
using PendingAnswers = std::vector<std::vector<float>>;

// A sequence as the plain implementation has it.
struct WorldSequence {
  TestSequence handle;
  const CascadeStream* stream = nullptr;
  bool cascades = true;
  std::vector<oracle::CascadeLayer> layers;
  int pending = 0;  // tokens that have not moved
  PendingAnswers answers = PendingAnswers(2);
  bool sure = true;  // no fight so far was too close to call
};

// A stream with heads, keys and rings of any number.
CascadeStream AnyStream(std::mt19937_64& random, const oracle::TensorShape& shape,
                        bool arrives_rotated) {
  CascadeStream stream(random(), arrives_rotated);
  stream.tensors = RandomStream(random(), 2, shape);
  if (RandomBelow(random, 3) == 0) stream.rule.cache.sinks = RandomBelow(random, 70);
  if (RandomBelow(random, 4) == 0) stream.rule.cache.total = stream.rule.cache.rings;
  if (RandomBelow(random, 5) == 0) {
    stream.rule.cache.total = stream.rule.cache.rings * (40 + RandomBelow(random, 40));
  }
  if (RandomBelow(random, 6) == 0) stream.stride = 1;
  if (RandomBelow(random, 6) == 0) stream.stride = 2 * kTokens;
  return stream;
}

class World {
 public:
  World(TestBackend backend, uint64_t seed) : random_(seed) {
    const bool rotated = Below(2) == 0;
    const int groups[] = {1, 2, 3, 4, 5, 8, 16};
    const int kv_heads = 1 + Below(2);
    const oracle::TensorShape shape{.tokens = kTokens,
                                    .q_heads = kv_heads * groups[Below(7)],
                                    .kv_heads = kv_heads,
                                    .dim = CascadeStream::kDim};
    for (int i = 0; i < 3; ++i) streams_.push_back(AnyStream(random_, shape, rotated));
    EngineOptions options = SmallOptions();
    if (Below(2) == 0) options.tenants[0].maximum_bytes = int64_t{1 + Below(12)} << 17;
    driver_ = MakeDriver(backend, options);
    ModelGeometry geometry = streams_[0].Geometry();
    geometry.page_size_tokens = 16 << Below(3);
    const Dtype exact[] = {Dtype::kF32, Dtype::kBf16, Dtype::kF16};
    if (!rotated) geometry.dtype = exact[Below(3)];
    model_ = driver_->Register(geometry);
    rotated_ = rotated;
  }

  void Run(int turns) {
    for (int turn = 0; turn < turns && !::testing::Test::HasFailure(); ++turn) {
      const int what = Below(12);
      if (what < 2 || sequences_.empty()) {
        Create();
      } else if (what == 2) {
        Fork();
      } else if (what == 3) {
        Free(static_cast<size_t>(Below(static_cast<int>(sequences_.size()))));
      } else {
        Step(what == 4);
      }
    }
    while (!sequences_.empty()) Free(0);
    EXPECT_EQ(driver_->Settled().pool.in_use, 0);
    EXPECT_EQ(driver_->Settled().table_used_bytes, 0);
  }

  int64_t compared() const { return compared_; }
  int64_t refused() const { return refused_; }

 private:
  int Below(int limit) { return RandomBelow(random_, limit); }

  void Create() {
    if (sequences_.size() > 6) return;
    auto made = std::make_unique<WorldSequence>();
    made->stream = &streams_[static_cast<size_t>(Below(3))];
    made->cascades = !rotated_ || Below(4) > 0;
    const char* others[] = {"h2o", "full", "snapkv", "sink_window"};
    PolicySpec policy = made->stream->Policy();
    if (!made->cascades) policy = {.preset = others[Below(4)]};
    made->handle = driver_->Create(model_, policy);
    for (const oracle::LayerTensors& tensors : made->stream->tensors.layers) {
      made->layers.emplace_back(tensors, made->stream->rule);
    }
    sequences_.push_back(std::move(made));
  }

  void Fork() {
    if (sequences_.size() > 6) return;
    const WorldSequence& parent =
        *sequences_[static_cast<size_t>(Below(static_cast<int>(sequences_.size())))];
    auto child = std::make_unique<WorldSequence>(parent);
    absl::StatusOr<TestSequence> handle = driver_->Fork(parent.handle);
    ASSERT_TRUE(handle.ok()) << handle.status();
    child->handle = *handle;
    sequences_.push_back(std::move(child));
  }

  void Free(size_t index) {
    ASSERT_TRUE(driver_->Free(sequences_[index]->handle).ok());
    sequences_.erase(sequences_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  CascadePart AnyPart(WorldSequence& sequence) {
    CascadePart part{&sequence.handle, sequence.stream};
    const auto left = static_cast<int>(kTokens - sequence.handle.length());
    if (Below(3) == 0 || sequence.handle.length() == 0) {
      part.phase = Phase::kPrefill;
      part.prefill_end = Below(2) == 0;
      part.tokens = 1 + Below(std::min(left, Below(2) == 0 ? 8 : 90));
    } else {
      part.tokens = 1 + Below(std::min(left, Below(3) == 0 ? 6 : 1));
    }
    return part;
  }

  void Step(bool abort) {
    std::vector<CascadePart> parts;
    std::vector<WorldSequence*> stepping;
    std::shuffle(sequences_.begin(), sequences_.end(), random_);
    for (const auto& sequence : sequences_) {
      if (sequence->handle.length() == kTokens || (Below(3) == 0 && !parts.empty())) continue;
      parts.push_back(AnyPart(*sequence));
      stepping.push_back(sequence.get());
    }
    if (parts.empty()) return Free(0);
    std::vector<StepPart> begun;
    for (const CascadePart& part : parts) {
      begun.push_back({.sequence = part.sequence, .tokens = part.tokens, .phase = part.phase,
                       .prefill_end = part.prefill_end});
    }
    BeginStep more;
    more.leave_out = Below(3) == 0;
    const auto step = driver_->Begin(begun, more);
    if (!step.ok()) {
      ++refused_;
      ASSERT_EQ(step.status().code(), absl::StatusCode::kResourceExhausted) << step.status();
      return Free(0);
    }
    for (auto left_out = step->left_out.rbegin(); left_out != step->left_out.rend(); ++left_out) {
      ++refused_;
      parts.erase(parts.begin() + left_out->entry_index);
      stepping.erase(stepping.begin() + left_out->entry_index);
    }
    if (abort) return Abort(step->step, parts, stepping);
    for (int32_t layer = 0; layer < 2; ++layer) {
      Attend(step->step, parts, stepping, layer);
      if (::testing::Test::HasFailure()) return;
    }
    for (size_t i = 0; i < parts.size(); ++i) Close(parts[i], *stepping[i]);
  }

  void Abort(uint64_t step, const std::vector<CascadePart>& parts,
             const std::vector<WorldSequence*>& stepping) {
    const bool attends = Below(3) == 0;
    if (attends) {
      ASSERT_TRUE(AttendCascade(*driver_, step, parts, 0).ok());
    }
    ASSERT_TRUE(driver_->Abort(step).ok());
    for (WorldSequence* sequence : stepping) {
      if (!driver_->Info(sequence->handle)->lost) continue;
      ASSERT_TRUE(attends);
      const auto place = std::find_if(sequences_.begin(), sequences_.end(),
                                      [&](const auto& one) { return one.get() == sequence; });
      Free(static_cast<size_t>(place - sequences_.begin()));
    }
  }

  void Attend(uint64_t step, const std::vector<CascadePart>& parts,
              const std::vector<WorldSequence*>& stepping, int32_t layer) {
    const int64_t tokens = TokensOf(parts);
    const bool cuts = Below(3) == 0;
    std::vector<float> out;
    for (int64_t first = 0; first < tokens;) {
      const int64_t end = cuts ? first + 1 + Below(static_cast<int>(tokens - first)) : tokens;
      const FloatTensor q = ArrivingTensor(parts, static_cast<size_t>(layer), true, first, end);
      const FloatTensor k = ArrivingTensor(parts, static_cast<size_t>(layer), false, first, end);
      struct Attend attend;
      attend.step = step;
      attend.layer = layer;
      attend.first_token = first;
      attend.q = q.ref();
      attend.k = attend.v = k.ref();
      const absl::StatusOr<AttendResult> answer = driver_->Call(std::move(attend));
      ASSERT_TRUE(answer.ok()) << answer.status();
      const auto* values = reinterpret_cast<const float*>(answer->out.data());
      out.insert(out.end(), values, values + answer->out.size() / sizeof(float));
      first = end;
    }
    const size_t row = out.size() / static_cast<size_t>(tokens);
    size_t first = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const size_t end = first + row * static_cast<size_t>(parts[i].tokens);
      std::vector<float>& answers = stepping[i]->answers[static_cast<size_t>(layer)];
      answers.insert(answers.end(), out.begin() + static_cast<std::ptrdiff_t>(first),
                     out.begin() + static_cast<std::ptrdiff_t>(end));
      first = end;
    }
  }

  // The plain implementation takes the step.
  void Close(const CascadePart& part, WorldSequence& sequence) {
    const auto base = static_cast<int>(sequence.handle.length());
    const int end = base + static_cast<int>(part.tokens);
    sequence.handle.tags.resize(static_cast<size_t>(end));
    if (!sequence.cascades) {
      for (auto& answers : sequence.answers) answers.clear();
      return;
    }
    const bool ends = part.phase == Phase::kDecode || part.prefill_end;
    const int stride = sequence.stream->stride;
    if (part.phase == Phase::kDecode && sequence.pending > 0) Move(sequence);
    for (int at = base; at < end;) {
      const int next = std::min(end, (at / stride + 1) * stride);
      sequence.pending += next - at;
      if (next % stride == 0 || (next == end && ends)) Move(sequence);
      at = next;
    }
    Compare(sequence);
  }

  void Move(WorldSequence& sequence) {
    const int tokens = std::exchange(sequence.pending, 0);
    for (size_t layer = 0; layer < 2; ++layer) {
      oracle::CascadeLayer& plain = sequence.layers[layer];
      std::vector<oracle::Indices> orders;
      for (int head = 0; head < sequence.stream->tensors.layers[0].kv_heads(); ++head) {
        orders.push_back(plain.head(head).InCacheOrder());
      }
      const int seen = plain.seen();
      const std::vector<oracle::Rows> p = plain.AttendChunk(tokens);
      std::vector<float>& answers = sequence.answers[layer];
      size_t next = 0;
      for (int row = 0; row < tokens; ++row) {
        for (size_t head = 0; head < p.size(); ++head) {
          const size_t kv = head / static_cast<size_t>(
              sequence.stream->tensors.layers[layer].group());
          if (sequence.sure) {
            CompareRow(sequence, layer, kv, orders[kv], seen, p[head][static_cast<size_t>(row)],
                       answers.data() + next);
          }
          next += CascadeStream::kDim;
          if (::testing::Test::HasFailure()) return;
        }
      }
      answers.erase(answers.begin(), answers.begin() + static_cast<std::ptrdiff_t>(next));
    }
    for (const oracle::CascadeLayer& plain : sequence.layers) {
      sequence.sure = sequence.sure &&
                      oracle::FirstCloseStep(plain.Fights()) > sequence.handle.length();
    }
  }

  void CompareRow(const WorldSequence& sequence, size_t layer, size_t kv,
                  const oracle::Indices& order, int seen, const oracle::Row& p,
                  const float* got) {
    oracle::Row sum(CascadeStream::kDim, 0.0);
    for (size_t column = 0; column < p.size(); ++column) {
      const int position = column < order.size()
                               ? order[column]
                               : seen + static_cast<int>(column - order.size());
      const oracle::Row value = sequence.stream->Arriving(
          sequence.stream->tensors.layers[layer].k[kv][static_cast<size_t>(position)], position);
      for (size_t dim = 0; dim < sum.size(); ++dim) sum[dim] += p[column] * value[dim];
    }
    for (size_t dim = 0; dim < sum.size(); ++dim) {
      ASSERT_NEAR(static_cast<double>(got[dim]), sum[dim], 1e-3)
          << "layer " << layer << ", sequence at " << seen;
    }
    ++compared_;
  }

  void Compare(const WorldSequence& sequence) {
    if (!sequence.sure) return;
    const auto length = static_cast<int>(sequence.handle.length());
    for (size_t layer = 0; layer < 2; ++layer) {
      for (int head = 0; head < sequence.stream->tensors.layers[0].kv_heads(); ++head) {
        std::vector<int64_t> expected;
        for (const int at : sequence.layers[layer].head(head).InCacheOrder()) {
          expected.push_back(at);
        }
        for (int at = length - sequence.pending; at < length; ++at) expected.push_back(at);
        ASSERT_EQ(driver_->Held(sequence.handle, static_cast<int32_t>(layer), head), expected)
            << "layer " << layer << ", head " << head << ", length " << length;
        ++compared_;
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<CascadeStream> streams_;
  std::unique_ptr<EngineDriver> driver_;
  TestModel model_;
  bool rotated_ = false;
  std::vector<std::unique_ptr<WorldSequence>> sequences_;
  int64_t compared_ = 0;
  int64_t refused_ = 0;
};

class RandomCascadeTest : public OnEveryBackend {};

TEST_P(RandomCascadeTest, HoldsAndAnswersAsThePlainImplementation) {
  const char* more = std::getenv("SLUICE_SEEDS");
  const char* first = std::getenv("SLUICE_FIRST_SEED");
  const uint64_t begin = first == nullptr ? 0 : std::stoull(first);
  const uint64_t end = begin + (more == nullptr ? 3 : std::stoull(more));
  int64_t compared = 0;
  int64_t refused = 0;
  for (uint64_t seed = begin; seed < end && !HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(GetParam(), seed);
    world.Run(60);
    compared += world.compared();
    refused += world.refused();
  }
  EXPECT_GT(compared, 100);
  if (more != nullptr) std::printf("compared %ld refused %ld\n", compared, refused);
}

SLUICE_ON_EVERY_BACKEND(RandomCascadeTest);

}  // namespace
}  // namespace sluice
