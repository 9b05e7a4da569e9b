// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/logging.h"

#include <limits>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

class LoggingTest : public ::testing::Test {
 protected:
  ~LoggingTest() override { InitLogging(LogOptions()); }

  void Start(LogFormat format) {
    InitLogging({.format = format, .min_severity = LogSeverity::kInfo, .stream = &output_});
  }

  std::ostringstream output_;
};

TEST_F(LoggingTest, TextLineHasTimeLevelEventAndFields) {
  Start(LogFormat::kText);
  LogInfo("session_opened", {{"session", 7}, {"local", true}, {"share", 0.5}});
  EXPECT_THAT(output_.str(),
              MatchesRegex("time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{6}Z level=info "
                           "event=session_opened session=7 local=true share=0.5\n"));
}

TEST_F(LoggingTest, TextIsQuotedWhereItCouldBeMisread) {
  Start(LogFormat::kText);
  LogWarning("refused", {{"tenant", "a b=\"c\"\n"}, {"path", "/run/x"}, {"none", ""}});
  EXPECT_THAT(output_.str(),
              EndsWith(R"(tenant="a b=\"c\"\u000a" path=/run/x none="")" "\n"));
}

TEST_F(LoggingTest, JsonQuotesTextAndLeavesNumbers) {
  Start(LogFormat::kJson);
  LogError("lost", {{"device", 0},
                    {"why", "50% {} \\"},
                    {"load", std::numeric_limits<double>::infinity()}});
  EXPECT_THAT(output_.str(), HasSubstr(R"("level":"error","event":"lost","device":0,)"
                                       R"("why":"50% {} \\","load":"inf"})"));
}

TEST_F(LoggingTest, EventsBelowTheLevelAreNeitherWrittenNorCounted) {
  Start(LogFormat::kText);
  const int64_t before = LogEventCount(LogSeverity::kDebug);
  LogDebug("detail");
  EXPECT_THAT(output_.str(), IsEmpty());
  EXPECT_EQ(LogEventCount(LogSeverity::kDebug), before);
  SetMinLogSeverity(LogSeverity::kDebug);
  LogDebug("detail");
  EXPECT_THAT(output_.str(), HasSubstr("event=detail"));
}

TEST_F(LoggingTest, RepeatedWarningsAreHeldBackButCounted) {
  Start(LogFormat::kText);
  const int64_t before = LogEventCount(LogSeverity::kWarning);
  for (int i = 0; i < 10; ++i) LogWarning("flood", {{"number", i}});
  EXPECT_EQ(LogEventCount(LogSeverity::kWarning) - before, 10);
  EXPECT_THAT(output_.str(), HasSubstr("number=0"));
  EXPECT_THAT(output_.str(), Not(HasSubstr("number=1")));
}

TEST_F(LoggingTest, InfoEventsWithOtherFieldsAreNoRepeats) {
  Start(LogFormat::kText);
  LogInfo("listening", {{"socket", "a"}});
  LogInfo("listening", {{"socket", "b"}});
  EXPECT_THAT(output_.str(), HasSubstr("socket=b"));
}

}  // namespace
}  // namespace sluice
