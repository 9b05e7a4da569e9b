// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/dispatcher.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"
#include "tests/daemon/engine/fake_backend.h"

namespace sluice {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

// A call of `pieces` pieces that writes down what becomes of it. A piece is known
// by the token count of its operation.
class TestCall final : public Call {
 public:
  TestCall(int64_t number, int64_t pieces, int64_t cost, std::string* log)
      : number_(number), pieces_(pieces), cost_(cost), log_(log) {}

  bool Next(Operation& operation, int64_t& cost_bytes) override {
    if (pieces_-- <= 0) return false;
    AttendArgs attend;
    attend.token_count = number_;
    operation = attend;
    cost_bytes = cost_;
    return true;
  }
  void Finished() override { *log_ += "F" + std::to_string(number_); }
  void Dropped() override { *log_ += "D" + std::to_string(number_); }

 private:
  const int64_t number_;
  int64_t pieces_;
  const int64_t cost_;
  std::string* const log_;
};

class DispatcherTest : public ::testing::Test {
 protected:
  void Add(int32_t tenant, int64_t number, int64_t pieces, int64_t cost) {
    dispatcher_.Add(tenant, std::make_unique<TestCall>(number, pieces, cost, &log_));
  }

  // Lets one operation pass at a time, until all have.
  void PassAll() {
    dispatcher_.Pump();
    while (!dispatcher_.idle()) {
      backend_.PassOne(Lane::kForeground);
      dispatcher_.Pump();
    }
  }

  // Calls in the order in which their pieces were submitted.
  std::vector<int64_t> Order() const {
    std::vector<int64_t> order;
    for (const Operation& operation : backend_.submitted_operations(Lane::kForeground)) {
      order.push_back(std::get<AttendArgs>(operation).token_count);
    }
    return order;
  }

  FakeBackend backend_;
  Dispatcher dispatcher_{backend_, 2};
  std::string log_;
};

TEST_F(DispatcherTest, ACallIsFinishedOnceWhenItsLastPieceHasPassed) {
  Add(0, 1, 2, kMiB);
  dispatcher_.Pump();
  EXPECT_EQ(log_, "");
  PassAll();
  EXPECT_EQ(log_, "F1");
}

TEST_F(DispatcherTest, ACallWithoutPiecesIsFinishedToo) {
  Add(0, 1, 0, kMiB);
  dispatcher_.Pump();
  EXPECT_EQ(log_, "F1");
  EXPECT_TRUE(dispatcher_.idle());
}

// A call whose last piece trails.
class TrailingCall final : public Call {
 public:
  TrailingCall(std::string* log, int64_t cost) : log_(log), cost_(cost) {}

  bool Next(Operation& operation, int64_t& cost_bytes) override {
    cost_bytes = cost_;
    if (++pieces_ == 1) operation = AttendArgs();
    if (pieces_ == 2) operation = CascadeInsertArgs();
    return pieces_ <= 2;
  }
  bool trails() const override { return pieces_ == 2; }
  void Finished() override { *log_ += "F"; }
  void Dropped() override { *log_ += "D"; }

 private:
  int pieces_ = 0;
  std::string* const log_;
  const int64_t cost_;
};

TEST_F(DispatcherTest, ACallIsFinishedBeforeThePieceThatTrailsHasPassed) {
  dispatcher_.Add(0, std::make_unique<TrailingCall>(&log_, kMiB));
  dispatcher_.Pump();
  EXPECT_EQ(backend_.under_way(Lane::kForeground), 2);
  EXPECT_EQ(log_, "");
  backend_.PassOne(Lane::kForeground);
  dispatcher_.Pump();
  EXPECT_EQ(log_, "F");
  EXPECT_FALSE(dispatcher_.idle());
  backend_.PassOne(Lane::kForeground);
  dispatcher_.Pump();
  EXPECT_EQ(log_, "F");
  EXPECT_TRUE(dispatcher_.idle());
}

TEST_F(DispatcherTest, ATrailingPieceThatFillsTheLaneHoldsNothingUp) {
  dispatcher_.Add(0, std::make_unique<TrailingCall>(&log_, 64 * kMiB));
  dispatcher_.Pump();
  backend_.PassOne(Lane::kForeground);
  dispatcher_.Pump();
  EXPECT_EQ(backend_.under_way(Lane::kForeground), 1);
  EXPECT_EQ(log_, "F");
}

TEST_F(DispatcherTest, KnowsWhetherTheLaneHoldsSmallPiecesOnly) {
  EXPECT_FALSE(dispatcher_.HasOnly(kMiB));
  Add(0, 1, 1, kMiB);
  dispatcher_.Pump();
  EXPECT_TRUE(dispatcher_.HasOnly(kMiB));
  EXPECT_FALSE(dispatcher_.HasOnly(kMiB - 1));
  backend_.Submit(Lane::kForeground, SelectArgs{});  // a job's
  EXPECT_FALSE(dispatcher_.HasOnly(kMiB));
  PassAll();
  Add(0, 2, 1, kMiB);
  dispatcher_.Pump();
  EXPECT_FALSE(dispatcher_.HasOnly(kMiB));  // the job's is before it
  backend_.PassOne(Lane::kForeground);
  EXPECT_TRUE(dispatcher_.HasOnly(kMiB));
}

TEST_F(DispatcherTest, TenantsTakeTurnsByCost) {
  for (int64_t number = 1; number <= 3; ++number) Add(0, number, 4, 64 * kMiB);
  Add(1, 9, 4, 64 * kMiB);
  PassAll();
  const std::vector<int64_t> order = Order();
  // Until the second tenant's call is through, both get the same.
  const auto last = std::find(order.rbegin(), order.rend(), 9).base() - order.begin();
  EXPECT_LE(last, 8 + 1);
  EXPECT_EQ(order.size(), 16u);
}

TEST_F(DispatcherTest, ADecodeCallWaitsForOnePieceAtMost) {
  Add(0, 1, 10, 256 * kMiB);
  dispatcher_.Pump();
  const auto before = backend_.submitted_operations(Lane::kForeground).size();
  Add(0, 2, 1, kMiB);
  PassAll();
  const std::vector<int64_t> order = Order();
  const auto decode = static_cast<size_t>(std::find(order.begin(), order.end(), 2) - order.begin());
  EXPECT_EQ(before, 1u);
  EXPECT_LE(decode, 1u) << "pieces of the prefill that were submitted before it";
}

TEST_F(DispatcherTest, AStreamOfShortCallsDoesNotStopALongOne) {
  Add(0, 1, 2, 256 * kMiB);
  dispatcher_.Pump();
  for (int64_t number = 2; number < 600; ++number) Add(0, number, 1, kMiB);
  PassAll();
  const std::vector<int64_t> order = Order();
  EXPECT_LT(std::find(order.begin() + 1, order.end(), 1) - order.begin(), 400);
}

TEST_F(DispatcherTest, SmallPiecesLieInTheLaneTogether) {
  for (int64_t number = 1; number <= 100; ++number) Add(0, number, 1, 1000);
  dispatcher_.Pump();
  EXPECT_EQ(backend_.submitted_operations(Lane::kForeground).size(), 100u);
}

TEST_F(DispatcherTest, CopiesNeverFillTheLane) {
  for (uint32_t i = 0; i < 5000; ++i) {
    dispatcher_.SubmitCopy({{i, i + 1}}, static_cast<int32_t>(i % 15) + 1, 0);
  }
  dispatcher_.Pump();
  EXPECT_LT(backend_.under_way(Lane::kForeground), Backend::kLaneCapacity);
}

}  // namespace
}  // namespace sluice
