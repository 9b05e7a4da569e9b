// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Sessions, leases, request ids, drain, the engine's end, many threads.

#include <thread>

#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/golden/l2norm_examples.h"

namespace sluice {
namespace {

using SessionTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(SessionTest);

uint64_t Open(EngineDriver& driver) {
  OpenSession open;
  open.client_name = "test";
  return driver.Call(open).value();
}

TestSequence CreateIn(EngineDriver& driver, const TestModel& model, uint64_t session) {
  CreateSequence create;
  create.session = session;
  return driver.Create(model, {}, create);
}

void Close(EngineDriver& driver, uint64_t session) {
  ASSERT_TRUE(driver.engine().Post(CloseSession{session}).ok());
}

TEST_P(SessionTest, ItsEndUndoesItsStepsAndFreesItsSequences) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  const uint64_t session = Open(*driver);
  TestSequence owned = CreateIn(*driver, model, session), leased = driver->Create(model);
  ASSERT_TRUE(RunStep(*driver, model, {Prefill(owned, 40), Prefill(leased, 20)}).ok());
  BeginStep begin;
  begin.caller.session = session;
  ASSERT_TRUE(driver->Begin({Decode(owned), Decode(leased, 30)}, begin).ok());
  const auto sessions = driver->Call(ListSessions());
  EXPECT_EQ(sessions->at(0).sequence_count, 1);
  EXPECT_EQ(sessions->at(0).open_step_count, 1);
  Close(*driver, session);
  const EngineStatus status = driver->Settled();
  EXPECT_EQ(status.sessions, 0);
  EXPECT_EQ(status.sequences, 1);
  EXPECT_EQ(status.open_steps, 0);
  EXPECT_EQ(status.pool.in_use, 2 * model.block_bytes);
  EXPECT_EQ(NamedDifference(*driver, model, leased, 20), "");
}

TEST_P(SessionTest, ForksBelongToTheirParentsOwner) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  const uint64_t session = Open(*driver);
  TestSequence owned = CreateIn(*driver, model, session);
  const auto child = driver->Fork(owned);  // of nothing yet
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(driver->Info(*child)->session, session);
  Close(*driver, session);
  EXPECT_EQ(driver->Settled().sequences, 0);
}

TEST_P(SessionTest, AStepOfASessionThatEndedIsRefused) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence sequence = driver->Create(model);
  const uint64_t session = Open(*driver);
  Close(*driver, session);
  BeginStep begin;
  begin.caller.session = session;
  EXPECT_THAT(driver->Begin({Prefill(sequence, 3)}, begin), RefusedFor(Reason::kUnknownSession));
  EXPECT_EQ(driver->Status().open_steps, 0);
}

TEST_P(SessionTest, ALeaseRunsOutUnlessItIsRenewed) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  CreateSequence create;
  create.lease = absl::Seconds(100);
  TestSequence sequence = driver->Create(model, {}, create);
  ASSERT_TRUE(RunStep(*driver, model, {Prefill(sequence, 40)}).ok());
  for (int i = 0; i < 3; ++i) {
    driver->Advance(absl::Seconds(60));
    ASSERT_TRUE(driver->Info(sequence).ok());
  }
  driver->Advance(absl::Seconds(101));
  EXPECT_THAT(driver->Info(sequence), RefusedFor(Reason::kUnknownSequence));
  EXPECT_EQ(driver->Settled().pool.in_use, 0);
}

template <class Command>
auto Look(EngineDriver& driver, const Caller& caller, const TestSequence& sequence) {
  Command command;
  command.caller = caller;
  command.sequence = sequence.id;
  return driver.Call(std::move(command));
}

TEST_P(SessionTest, WhoLooksOnRenewsNoLease) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  CreateSequence create;
  create.lease = absl::Seconds(100);
  TestSequence sequence = driver->Create(model, {}, create);
  ASSERT_TRUE(RunStep(*driver, model, {Prefill(sequence, 20)}).ok());
  driver->Advance(absl::Seconds(60));
  const Caller operator_caller{.looks_on = true};
  EXPECT_TRUE(Look<ExplainSequence>(*driver, operator_caller, sequence).ok());
  EXPECT_TRUE(Look<GetSequence>(*driver, operator_caller, sequence).ok());
  const auto inspected = Look<InspectSequence>(*driver, operator_caller, sequence);
  ASSERT_TRUE(inspected.ok()) << inspected.status();
  EXPECT_EQ(inspected->info.lease_left, absl::Seconds(40));
  EXPECT_EQ(inspected->info.length, 20);
}

TEST_P(SessionTest, OnlyWhoSeesEveryTenantFindsOthersSequences) {
  auto driver = MakeDriver(GetParam());
  const TestSequence sequence = driver->Create(driver->Register());
  const Caller other{.tenant = 1, .looks_on = true};
  const Caller all{.tenant = 1, .looks_on = true, .sees_every_tenant = true};
  EXPECT_THAT(Look<InspectSequence>(*driver, other, sequence),
              RefusedFor(Reason::kUnknownSequence));
  EXPECT_THAT(Look<ExplainSequence>(*driver, other, sequence),
              RefusedFor(Reason::kUnknownSequence));
  EXPECT_EQ(Look<InspectSequence>(*driver, all, sequence)->info.tenant, 0);
  EXPECT_TRUE(Look<ExplainSequence>(*driver, all, sequence).ok());
}

TEST_P(SessionTest, WhatIsLeftOfALeaseShrinksUntilACallRenewsIt) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  CreateSequence create;
  create.lease = absl::Seconds(100);
  TestSequence sequence = driver->Create(model, {}, create);
  driver->Advance(absl::Seconds(60));
  EXPECT_EQ(driver->Call(ListSequences())->at(0).lease_left, absl::Seconds(40));
  EXPECT_EQ(driver->Info(sequence)->lease_left, absl::Seconds(100));
}

TEST_P(SessionTest, ARetryWithTheSameRequestIdGetsTheFirstAnswer) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  CreateSequence create;
  create.model_id = model.id;
  create.request_id = "r1";
  const auto first = driver->Call(create), second = driver->Call(create);
  EXPECT_EQ(first->sequence, second->sequence);
  create.request_id = "r2";
  EXPECT_NE(driver->Call(create)->sequence, first->sequence);
  ForkSequences fork;
  fork.parents = {first->sequence, first->sequence};
  fork.request_id = "f1";
  const auto made = driver->Call(fork);
  ASSERT_EQ(made->size(), 2u);
  EXPECT_NE(made->at(0), made->at(1));
  EXPECT_EQ(*driver->Call(fork), *made);
  EXPECT_EQ(driver->Status().sequences, 4);
}

TEST_P(SessionTest, ARequestIdOfACreateIsNotAForks) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  CreateSequence create;
  create.model_id = model.id;
  create.request_id = "same";
  const uint64_t parent = driver->Call(create)->sequence;
  ForkSequences fork;
  fork.parents = {parent};
  fork.request_id = "same";
  const auto made = driver->Call(fork);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_NE(made->at(0), parent);
}

TEST_P(SessionTest, ARequestIdIsItsTenantsWhateverTheSession) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  CreateSequence create;
  create.model_id = model.id;
  create.request_id = "same";
  const uint64_t first = driver->Call(create)->sequence;
  create.session = Open(*driver);
  EXPECT_EQ(driver->Call(create)->sequence, first);
}

TEST_P(SessionTest, ARequestIdOfAnotherCallIsRefused) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  ModelGeometry geometry = SmallGeometry();
  geometry.name = "another";
  CreateSequence create;
  create.model_id = model.id;
  create.request_id = "same";
  const uint64_t parent = driver->Call(create)->sequence;
  create.model_id = driver->Register(geometry).id;
  EXPECT_THAT(driver->Call(create), RefusedField("request_id"));
  ForkSequences fork;
  fork.parents = {parent};
  fork.request_id = "same";
  ASSERT_TRUE(driver->Call(fork).ok());
  fork.parents = {parent, parent};
  EXPECT_THAT(driver->Call(fork), RefusedField("request_id"));
  EXPECT_EQ(driver->Status().sequences, 2);
}

TEST_P(SessionTest, DrainRefusesWhatIsNewAndWaitsForOpenSteps) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence sequence = driver->Create(model), other = driver->Create(model);
  const auto begun = driver->Begin({Prefill(sequence, 1)});
  const auto drained = driver->Send(Drain());
  CreateSequence create;
  create.model_id = model.id;
  EXPECT_THAT(driver->Call(create), RefusedFor(Reason::kDraining));
  EXPECT_THAT(driver->Begin({Prefill(other, 1)}), RefusedFor(Reason::kDraining));
  EXPECT_FALSE(drained.ready());
  const std::vector<int64_t> tags = driver->NewTags(1);
  for (int32_t layer = 0; layer < 2; ++layer) {
    EXPECT_TRUE(SendAttend(*driver, model, begun->step, layer, tags).Wait().ok());
  }
  EXPECT_TRUE(drained.Wait().ok());
}

TEST_P(SessionTest, ListsAreByTenantAndPage) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  std::vector<uint64_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(driver->Create(model).id);
  ListSequences list;
  list.limit = 3;
  const auto page = driver->Call(list);
  ASSERT_EQ(page->size(), 3u);
  list.after = page->back().sequence;
  EXPECT_EQ(driver->Call(list)->size(), 2u);
  list = ListSequences();
  list.tenant = 1;
  EXPECT_TRUE(driver->Call(list)->empty());
}

// One client: a sequence that grows and goes, again and again.
void WorkAsClient(EngineDriver& driver, const TestModel& model, TestSequence sequence,
                  std::vector<int64_t> tags) {
  StepPart part = Prefill(sequence, 8);
  for (size_t i = 0; i + 8 <= tags.size(); i += 8) {
    part.tags.assign(tags.begin() + static_cast<int64_t>(i),
                     tags.begin() + static_cast<int64_t>(i) + 8);
    const auto outcome = RunStep(driver, model, {part});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    auto fork = driver.Fork(sequence);
    ASSERT_TRUE(fork.ok());
    EXPECT_TRUE(driver.Free(*fork).ok());
  }
  EXPECT_EQ(NamedDifference(driver, model, sequence, 2), "");
  EXPECT_TRUE(driver.Free(sequence).ok());
}

TEST_P(SessionTest, ManyThreadsAtOnce) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    const TestSequence sequence = driver->Create(model);
    threads.emplace_back(WorkAsClient, std::ref(*driver), std::cref(model), sequence,
                         driver->NewTags(40));
  }
  for (std::thread& thread : threads) thread.join();
  const EngineStatus status = driver->Settled();
  EXPECT_EQ(status.pool.in_use, 0);
  EXPECT_EQ(status.totals.tokens, 6 * 40);
}

TEST_P(SessionTest, TheEnginesEndAnswersEveryCall) {
  auto driver = MakeDriver(GetParam());
  const TestModel model = driver->Register();
  TestSequence a = driver->Create(model), b = driver->Create(model);
  const auto begun = driver->Begin({Prefill(a, 4)});
  const auto layer = SendAttend(*driver, model, begun->step, 0, driver->NewTags(4));
  BeginStep begin;
  begin.entries = {Prefill(a, 1).ToEntry()};
  begin.max_wait = absl::InfiniteDuration();
  const auto waiting = driver->Send(begin);
  SetPolicy set;
  set.sequence = a.id;
  set.max_wait = absl::InfiniteDuration();
  const auto policy = driver->Send(set);
  Compress compress;
  compress.sequence = a.id;
  compress.max_wait = absl::InfiniteDuration();
  const auto compressed = driver->Send(compress);
  const auto drained = driver->Send(Drain());
  driver->DestroyEngine();
  EXPECT_EQ(layer.count(), 1);
  EXPECT_EQ(waiting.count(), 1);
  EXPECT_EQ(policy.count(), 1);
  EXPECT_EQ(compressed.count(), 1);
  EXPECT_EQ(drained.count(), 1);
}

}  // namespace
}  // namespace sluice
