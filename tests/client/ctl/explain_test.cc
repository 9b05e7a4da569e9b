// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

namespace sluice::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Layer 2 is left as it is; layer 1 reads another's cache.
SequenceInspection Compressed() {
  SequenceInspection inspection;
  inspection.tenant = "first";
  inspection.model_name = "demo";
  SequenceState& state = inspection.state;
  state.sequence_id = 4711;
  state.length = 1000;
  state.layers = {{0, {100, 300}, {4096, 8192}}, {2, {1000, 1000}, {1 << 20, 1 << 20}}};
  state.held_bytes = 3 << 20;
  state.bytes_alone = 1 << 20;
  state.lease_left = absl::Seconds(65);
  state.policy.policy = {.preset = "l2norm", .skip_layers = std::vector<int32_t>{2}};
  inspection.plan = CompressResult{.layers = {{0, {90, 110}}, {2, {1000, 1000}}},
                                   .freed_now_bytes = 4096,
                                   .freed_later_bytes = 0};
  inspection.plan->job.evicted_slot_count = 200;
  return inspection;
}

std::vector<std::string> WordsOfLine(const std::string& report, const std::string& first) {
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> found;
    for (std::string word; words >> word;) found.push_back(word);
    if (!found.empty() && found[0] == first) return found;
  }
  return {};
}

TEST(ExplainTest, EachLayerIsALine) {
  const std::string report = ExplainReport(Compressed());
  EXPECT_THAT(WordsOfLine(report, "0"), ElementsAre("0", "2", "100", "200.0", "300", "20.0", "%",
                                                    "90..110", "200", "12.0", "KiB", "-", "-"));
  EXPECT_THAT(WordsOfLine(report, "2"), ElementsAre("2", "2", "1,000", "1000.0", "1,000", "100.0",
                                                    "%", "-", "0", "2.0", "MiB", "-", "-"));
  EXPECT_THAT(WordsOfLine(report, "all"), ElementsAre("all", "4", "100", "600.0", "1,000", "60.0",
                                                      "%", "-", "200", "2.0", "MiB", "-", "-"));
}

TEST(ExplainTest, TheHeadSaysWhoHoldsWhat) {
  const std::string report = ExplainReport(Compressed());
  EXPECT_THAT(report, HasSubstr("4711, idle\n"));
  EXPECT_THAT(report, HasSubstr("1,000 tokens\n"));
  EXPECT_THAT(report, HasSubstr("3.0 MiB, of it alone 1.0 MiB\n"));
  EXPECT_THAT(report, HasSubstr("by its lease, 1 min 5 s left\n"));
  EXPECT_THAT(report, HasSubstr("evicts 200 slots, frees 4.0 KiB at once, 0 B once"));
  EXPECT_THAT(report, HasSubstr("last job            none yet\n"));
}

TEST(ExplainTest, TheLastJobIsToldWithItsReasons) {
  SequenceInspection inspection = Compressed();
  inspection.state.last_job = JobReport{.preset = "l2norm",
                                        .trigger = JobReport::Trigger::kPrefillEnd,
                                        .outcome = JobReport::Outcome::kCommitted,
                                        .snapshot_tokens = 1000,
                                        .kept_slot_count = 1000,
                                        .evicted_slot_count = 3000,
                                        .freed_bytes = 1 << 20,
                                        .duration = absl::Microseconds(12300),
                                        .evicted_mass_share = 0.0314,
                                        .freed_later_bytes = 2 << 20};
  const std::string report = ExplainReport(inspection);
  EXPECT_THAT(report, HasSubstr("l2norm, committed, 12.3 ms\n"));
  EXPECT_THAT(report, HasSubstr("  started by        the end of prefill\n"));
  EXPECT_THAT(report, HasSubstr("1,000 kept, 3,000 evicted (75.0 %)\n"));
  EXPECT_THAT(report, HasSubstr("1.0 MiB at once, 2.0 MiB once others"));
  EXPECT_THAT(report, HasSubstr("3.14 % evicted\n"));
  EXPECT_THAT(report, Not(HasSubstr("  why")));
  inspection.state.last_job->detail = "no room";
  EXPECT_THAT(ExplainReport(inspection), HasSubstr("  why               no room\n"));
}

TEST(ExplainTest, WhatTheLastJobTookIsToldByLayer) {
  SequenceInspection inspection = Compressed();
  inspection.state.last_job = JobReport{.preset = "snapkv",
                                        .evicted_slot_count = 1600,
                                        .evicted_mass_share = 0.25,
                                        .layers = {{0, 1600, 0.5}, {2, 0, 0.0}}};
  const std::string report = ExplainReport(inspection);
  const auto last_words = [&](const std::string& line) {
    std::vector<std::string> words = WordsOfLine(report, line);
    return std::vector<std::string>(words.end() - 3, words.end());
  };
  EXPECT_THAT(last_words("0"), ElementsAre("1,600", "50.00", "%"));
  EXPECT_THAT(last_words("2"), ElementsAre("0", "0.00", "%"));
  EXPECT_THAT(last_words("all"), ElementsAre("1,600", "25.00", "%"));
}

TEST(ExplainTest, EachEvictionIsALine) {
  SequenceInspection inspection = Compressed();
  EXPECT_THAT(ExplainReport(inspection), Not(HasSubstr("evictions")));
  inspection.evictions = {{.preset = "h2o",
                           .trigger = JobReport::Trigger::kPrefillEnd,
                           .snapshot_tokens = 9876,
                           .kept_slot_count = 1000,
                           .evicted_slot_count = 3000,
                           .freed_bytes = 1 << 20,
                           .evicted_mass_share = 0.0314},
                          {.preset = "l2norm", .snapshot_tokens = 9912}};
  const std::string report = ExplainReport(inspection);
  EXPECT_THAT(WordsOfLine(report, "9,876"),
              ElementsAre("9,876", "1,000", "3,000", "3.14", "%", "1.0", "MiB", "h2o,", "the",
                          "end", "of", "prefill"));
  EXPECT_THAT(WordsOfLine(report, "9,912").at(3), "-");
}

TEST(ExplainTest, FullHasNoBudget) {
  SequenceInspection inspection = Compressed();
  inspection.state.policy.policy = {.preset = "full"};
  EXPECT_EQ(WordsOfLine(ExplainReport(inspection), "0").at(7), "-");
}

TEST(ExplainTest, WhatCannotBeToldIsNotMadeUp) {
  SequenceInspection inspection = Compressed();
  inspection.plan.reset();
  std::string report = ExplainReport(inspection);
  EXPECT_THAT(report, HasSubstr("cannot be told: a job waits or runs\n"));
  EXPECT_THAT(WordsOfLine(report, "0"),
              ElementsAre("0", "2", "100", "200.0", "300", "20.0", "%", "-", "-", "12.0", "KiB",
                          "-", "-"));
  inspection.state.open_step_id = 17;
  report = ExplainReport(inspection);
  EXPECT_THAT(report, HasSubstr("4711, step 17 is open\n"));
  EXPECT_THAT(report, HasSubstr("cannot be told: a step is open\n"));
  inspection.state.lost = true;
  EXPECT_THAT(ExplainReport(inspection), HasSubstr("cannot be told: it is lost\n"));
}

TEST(ExplainTest, APolicyWithoutJobsWaitsForNone) {
  SequenceInspection inspection = Compressed();
  inspection.plan.reset();
  inspection.state.policy.policy = {.preset = "streaming_llm", .stride_tokens = 512};
  EXPECT_THAT(ExplainReport(inspection), HasSubstr("nothing: no job runs on it\n"));
}

TEST(ExplainTest, AnEmptySequenceHasATable) {
  SequenceInspection inspection;
  inspection.state.session_id = 9;
  const std::string report = ExplainReport(inspection);
  EXPECT_THAT(report, HasSubstr("with session 9\n"));
  EXPECT_THAT(WordsOfLine(report, "all"),
              ElementsAre("all", "0", "0", "0.0", "0", "0.0", "%", "-", "0", "0", "B", "-", "-"));
}

}  // namespace
}  // namespace sluice::client
