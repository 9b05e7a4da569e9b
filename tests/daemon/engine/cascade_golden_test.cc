// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The worked examples of the Cascading KV cache through the engine, with a backend that
// gives each token the score that the example has for it.

#include <memory>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "kernels/core/mass.h"
#include "kernels/reference/reference_backend.h"
#include "tests/daemon/engine/cascade_streams.h"
#include "tests/golden/cascade_examples.h"

namespace sluice {
namespace golden {

void PrintTo(const CascadeExample& example, std::ostream* out) { *out << example.name; }

}  // namespace golden

namespace {

// The reference backend, but that a token's whole score is there once it has come.
class FixedScores final : public ReferenceBackend {
 public:
  FixedScores(const BackendOptions& options, std::vector<float> scores)
      : ReferenceBackend(options.pool, options.signal),
        pool_(options.pool),
        scores_(std::move(scores)) {}

  Ticket Submit(Lane lane, const Operation& operation) override {
    const Ticket ticket = ReferenceBackend::Submit(lane, operation);
    const auto* attend = std::get_if<AttendArgs>(&operation);
    if (attend == nullptr) return ticket;
    for (int32_t e = 0; e < attend->view->entry_count; ++e) {
      for (int32_t head = 0; head < attend->layer->kv_heads; ++head) {
        Write(attend->view->entries[e], attend->layer->first_row + head);
      }
    }
    return ticket;
  }

 private:
  void Write(const ViewEntry& entry, int32_t row_number) const {
    const Row row = MakeRow(pool_, entry, row_number, entry.base_length + entry.token_count);
    for (int32_t s = 0; s < row.span_count; ++s) {
      const Span& span = row.spans[s];
      if (!span.scored) continue;
      const bool is_tail = s + 1 == row.span_count;
      const int32_t page_size = span.format->page.page_size;
      for (int64_t i = span.first_slot; i < span.first_slot + span.slots; ++i) {
        float* scores = CascadeScores(pool_, entry, span, i / page_size, 1) + i % page_size;
        const int64_t token = entry.tail_first_position + i - span.first_slot;
        scores[page_size] = is_tail ? scores_[static_cast<size_t>(token)] : 0.0f;
      }
    }
  }

  const PoolView pool_;
  const std::vector<float> scores_;
};

class CascadeGoldenTest : public ::testing::TestWithParam<golden::CascadeExample> {
 protected:
  std::unique_ptr<EngineDriver> Driver() const {
    EngineOptions options = SmallOptions();
    options.make_backend = [scores = GetParam().scores](const BackendOptions& backend) {
      return std::make_unique<FixedScores>(backend, scores);
    };
    return std::make_unique<EngineDriver>(std::move(options));
  }

  // After `tokens` tokens in one prefill step and then one by one.
  void ExpectHeld(int64_t prompt) {
    const auto driver = Driver();
    const CascadeStream stream(1, /*arrives_rotated=*/true);
    TestSequence sequence =
        driver->Create(driver->Register(stream.Geometry()), GetParam().policy);
    const auto count = static_cast<int64_t>(GetParam().scores.size());
    while (sequence.length() < count) {
      const bool decodes = sequence.length() > 0;
      ASSERT_TRUE(RunCascadeStep(*driver, {{&sequence, &stream, decodes ? 1 : prompt,
                                            decodes ? Phase::kDecode : Phase::kPrefill,
                                            !decodes}})
                      .ok());
      const auto held = GetParam().held.find(sequence.length() - 1);
      if (held == GetParam().held.end()) continue;
      for (int32_t row = 0; row < 4; ++row) {
        EXPECT_EQ(driver->Held(sequence, row / 2, row % 2), held->second)
            << "newest token " << held->first;
      }
    }
  }
};

TEST_P(CascadeGoldenTest, TokensOneByOneLeaveExactlyTheExpectedOnes) { ExpectHeld(1); }

TEST_P(CascadeGoldenTest, SoDoesAPromptInOneStep) {
  ExpectHeld(static_cast<int64_t>(GetParam().scores.size()));
}

INSTANTIATE_TEST_SUITE_P(CoreMethods, CascadeGoldenTest,
                         ::testing::ValuesIn(golden::CascadeExamples()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sluice
