// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Random commands against a model of what every sequence holds.

#include <cstdlib>
#include <iostream>

#include "daemon/policy/registry.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/sequence_model.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/golden/sink_window_examples.h"
#include "tests/kernels/testing/random.h"

namespace sluice {
namespace {

using kernels_testing::Random;

ModelGeometry WindowedGeometry() {
  ModelGeometry geometry = SmallGeometry();
  geometry.layers[1].window_tokens = 24;
  return geometry;
}

class RandomClient {
 public:
  RandomClient(TestBackend backend, int64_t seed)
      : random_({seed}), driver_(MakeDriver(backend)), model_(driver_->Register(WindowedGeometry())) {}

  void Run(int commands) {
    for (int i = 0; i < commands && !::testing::Test::HasFatalFailure(); ++i) {
      One();
      CheckBytes();
    }
    for (const SequenceModel& sequence : sequences_) Check(sequence);
    Finish();
  }

 private:
  void One() {
    const int64_t choice = random_.Below(100);
    if (sequences_.empty() || choice < 8) return Create();
    if (choice < 50) return Step();
    if (choice < 60) return AbortedStep();
    if (choice < 70) return Fork();
    if (choice < 80) return Compress();
    if (choice < 86) return Free();
    if (choice < 88) return EndSession();
    Check(sequences_[Any()]);
  }

  size_t Any() { return static_cast<size_t>(random_.Below(static_cast<int64_t>(sequences_.size()))); }

  PolicySpec AnyPolicy() {
    const int64_t budget = random_.Between(1, 60);
    switch (random_.Below(5)) {
      case 0:
        return {};
      case 1:
        return golden::EveryToken(golden::L2Count(budget));
      case 2:
        return golden::L2Author(0.5, budget);
      case 3: {
        PolicySpec guarded = golden::L2Count(budget + 7);
        guarded.protect_first_tokens = 3;
        guarded.protect_last_tokens = 4;
        return guarded;
      }
      default:
        return golden::SinkWindow(random_.Below(5), budget);
    }
  }

  void Create() {
    if (sequences_.size() >= 8) return;
    CreateSequence create;
    if (random_.Chance(0.4)) create.session = Session();
    TestSequence made = driver_->Create(model_, AnyPolicy(), create);
    const auto info = driver_->Info(made);
    ASSERT_TRUE(info.ok());
    sequences_.emplace_back(std::move(made), info->policy, model_.geometry);
  }

  uint64_t Session() {
    if (session_ == 0) session_ = driver_->Call(OpenSession()).value();
    return session_;
  }

  StepPart AnyPart(SequenceModel& sequence) {
    StepPart part;
    part.sequence = &sequence.sequence();
    part.tokens = random_.Chance(0.5) ? 1 : random_.Between(1, 40);
    part.phase = random_.Chance(0.5) ? Phase::kDecode : Phase::kPrefill;
    part.prefill_end = part.phase == Phase::kPrefill && random_.Chance(0.3);
    const int64_t length = sequence.sequence().length();
    if (length > sequence.rollback_floor() && random_.Chance(0.3)) {
      part.rollback_to = random_.Between(sequence.rollback_floor(), length);
    }
    return part;
  }

  // A step over some sequences, each once.
  std::vector<size_t> AnySequences() {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < sequences_.size(); ++i) {
      if (random_.Chance(0.3)) chosen.push_back(i);
    }
    if (chosen.empty()) chosen.push_back(Any());
    return chosen;
  }

  absl::StatusOr<StepBegun> Begin(const std::vector<size_t>& chosen, std::vector<StepPart>& parts) {
    for (const size_t i : chosen) parts.push_back(AnyPart(sequences_[i]));
    auto begun = driver_->Begin(parts);
    if (!begun.ok()) return begun;
    for (size_t i = 0; i < chosen.size(); ++i) sequences_[chosen[i]].Begin(parts[i]);
    return begun;
  }

  void Step() {
    const std::vector<size_t> chosen = AnySequences();
    std::vector<StepPart> parts;
    const auto begun = Begin(chosen, parts);
    ASSERT_TRUE(begun.ok()) << begun.status();
    std::vector<int64_t> tags;
    for (StepPart& part : parts) {
      part.tags = driver_->NewTags(part.tokens);
      tags.insert(tags.end(), part.tags.begin(), part.tags.end());
    }
    const HeldPositions before = HeldWith(sequences_[chosen[0]], parts[0].tokens);
    std::vector<AttendResult> results;
    for (int32_t layer = 0; layer < 2; ++layer) {
      const auto result = SendAttend(*driver_, model_, begun->step, layer, tags).Wait();
      ASSERT_TRUE(result.ok()) << result.status();
      results.push_back(*result);
    }
    for (size_t i = 0; i < chosen.size(); ++i) sequences_[chosen[i]].Close(parts[i], parts[i].tags);
    const TestSequence& first = sequences_[chosen[0]].sequence();
    for (int32_t layer = 0; layer < 2; ++layer) {
      ASSERT_EQ(Difference(model_, layer, results[static_cast<size_t>(layer)],
                           parts[0].tokens - 1, first, first.length() - 1, before),
                "");
    }
  }

  static HeldPositions HeldWith(const SequenceModel& sequence, int64_t tokens) {
    HeldPositions held = sequence.held();
    for (auto& row : held) {
      for (int64_t i = 0; i < tokens; ++i) row.push_back(sequence.sequence().length() + i);
    }
    return held;
  }

  void AbortedStep() {
    std::vector<StepPart> parts;
    const auto begun = Begin(AnySequences(), parts);
    ASSERT_TRUE(begun.ok()) << begun.status();
    int64_t tokens = 0;
    for (const StepPart& part : parts) tokens += part.tokens;
    if (random_.Chance(0.5)) {
      const auto sent = SendAttend(*driver_, model_, begun->step, 0, driver_->NewTags(tokens));
      if (random_.Chance(0.5)) {
        ASSERT_TRUE(sent.Wait().ok());
      }
    }
    ASSERT_TRUE(driver_->Abort(begun->step).ok());
  }

  void Fork() {
    if (sequences_.size() >= 8) return;
    SequenceModel child = sequences_[Any()];
    const auto made = driver_->Fork(child.sequence());
    ASSERT_TRUE(made.ok()) << made.status();
    child.sequence().id = made->id;
    sequences_.push_back(std::move(child));
  }

  void Compress() {
    SequenceModel& sequence = sequences_[Any()];
    struct Compress command;
    command.sequence = sequence.sequence().id;
    command.policy = random_.Chance(0.5) ? golden::L2Count(random_.Between(1, 50))
                                         : golden::SinkWindow(2, random_.Between(1, 50));
    const auto done = driver_->Call(command);
    ASSERT_TRUE(done.ok()) << done.status();
    const auto policy = MakePolicy(*command.policy, SequenceModel::FactsOf(model_.geometry));
    sequence.Compress(**policy);
  }

  void Free() {
    const size_t index = Any();
    ASSERT_TRUE(driver_->Free(sequences_[index].sequence()).ok());
    sequences_.erase(sequences_.begin() + static_cast<int64_t>(index));
  }

  void EndSession() {
    if (session_ == 0) return;
    ASSERT_TRUE(driver_->engine().Post(CloseSession{session_}).ok());
    session_ = 0;
    driver_->Status();
    std::erase_if(sequences_, [this](const SequenceModel& sequence) {
      return !driver_->Info(sequence.sequence()).ok();
    });
  }

  void Check(const SequenceModel& sequence) {
    ASSERT_EQ(driver_->HeldRows(model_, sequence.sequence()), sequence.held());
    const auto info = driver_->Info(sequence.sequence());
    ASSERT_EQ(info->length, sequence.sequence().length());
    ASSERT_EQ(info->rollback_floor, sequence.rollback_floor());
    if (info->length == 0) return;
    TestSequence copy = sequence.sequence();
    ASSERT_EQ(NamedDifference(*driver_, model_, copy, 1, sequence.held()), "");
  }

  void CheckBytes() {
    const PoolBytes pool = driver_->Status().pool;
    ASSERT_EQ(pool.free + pool.reserved + pool.in_use + pool.cached + pool.retired, pool.total);
  }

  void Finish() {
    for (const SequenceModel& sequence : sequences_) {
      ASSERT_TRUE(driver_->Free(sequence.sequence()).ok());
    }
    const EngineStatus status = driver_->Settled();
    EXPECT_EQ(status.sequences, 0);
    EXPECT_EQ(status.pool.in_use, 0);
    EXPECT_EQ(status.pool.retired, 0);
    EXPECT_EQ(status.table_used_bytes, 0);
    EXPECT_EQ(status.tenant_used_bytes[0], 0);
  }

  Random random_;
  std::unique_ptr<EngineDriver> driver_;
  TestModel model_;
  std::vector<SequenceModel> sequences_;
  uint64_t session_ = 0;
};

int64_t Seeds() {
  const char* given = std::getenv("SLUICE_SEEDS");
  return given == nullptr ? 30 : std::atoll(given);
}

using RandomEngineTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(RandomEngineTest);

TEST_P(RandomEngineTest, EverySequenceHoldsAndAttendsToWhatItShould) {
  for (int64_t seed = 1; seed <= Seeds(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomClient(GetParam(), seed).Run(80);
    if (HasFailure()) {
      std::cerr << "seed " << seed << "\n";
      return;
    }
  }
}

}  // namespace
}  // namespace sluice
