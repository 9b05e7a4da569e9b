// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace sluice::client {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

TEST(ArgumentsTest, OptionsStandAnywhere) {
  for (const Words& words : {Words{"status", "--json", "--address", "unix:/a"},
                             Words{"--address=unix:/a", "--json", "status"}}) {
    const auto arguments = ParseArguments(words);
    ASSERT_TRUE(arguments.ok()) << arguments.status();
    EXPECT_EQ(arguments->command, CtlCommand::kStatus);
    EXPECT_EQ(arguments->address, "unix:/a");
    EXPECT_TRUE(arguments->json);
  }
}

TEST(ArgumentsTest, HelpWinsOverTheCommandItStandsWith) {
  EXPECT_EQ(ParseArguments(Words{"top", "--help"})->command, CtlCommand::kHelp);
  EXPECT_EQ(ParseArguments(Words{"help", "top"})->command, CtlCommand::kHelp);
}

TEST(ArgumentsTest, WhatIsNotUnderstoodIsNamed) {
  const std::pair<Words, const char*> cases[] = {
      {{}, "no command"},
      {{"stats"}, "unknown command \"stats\""},
      {{"status", "--jason"}, "unknown option \"--jason\""},
      {{"status", "top"}, "one command"},
      {{"status", "--address"}, "needs a value"},
      {{"status", "--address=/run/a.sock"}, "/run/a.sock"},
      {{"top", "--json"}, "--json is for"},
      {{"explain"}, "explain needs the id"},
      {{"explain", "abc"}, "not \"abc\""},
      {{"explain", "0"}, "not \"0\""},
      {{"explain", "18446744073709551616"}, "not \"18446744073709551616\""},
      {{"explain", "7", "8"}, "\"8\""},
      {{"reclaim"}, "reclaim needs the bytes"},
      {{"reclaim", "1MiB"}, "not \"1MiB\""},
      {{"reclaim", "5", "6"}, "\"6\""},
      {{"status", "--dry-run"}, "--dry-run is for"},
      {{"status", "7"}, "unknown command \"7\""},
  };
  for (const auto& [words, message] : cases) {
    const auto arguments = ParseArguments(words);
    ASSERT_TRUE(absl::IsInvalidArgument(arguments.status()));
    EXPECT_THAT(std::string(arguments.status().message()), HasSubstr(message));
  }
}

TEST(ArgumentsTest, ExplainTakesTheIdOfASequence) {
  for (const Words& words : {Words{"explain", "18446744073709551615", "--json"},
                             Words{"--json", "explain", "18446744073709551615"}}) {
    const auto arguments = ParseArguments(words);
    ASSERT_TRUE(arguments.ok()) << arguments.status();
    EXPECT_EQ(arguments->command, CtlCommand::kExplain);
    EXPECT_EQ(arguments->sequence_id, 18446744073709551615u);
    EXPECT_TRUE(arguments->json);
  }
  EXPECT_EQ(ParseArguments(Words{"explain", "help"})->command, CtlCommand::kHelp);
}

TEST(ArgumentsTest, ReclaimTakesBytes) {
  const auto arguments = ParseArguments(Words{"reclaim", "--dry-run", "1048576", "--json"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->command, CtlCommand::kReclaim);
  EXPECT_EQ(arguments->target_bytes, 1048576);
  EXPECT_TRUE(arguments->dry_run);
  EXPECT_FALSE(ParseArguments(Words{"reclaim", "0"})->dry_run);
}

TEST(ArgumentsTest, HelpNamesEveryCommand) {
  for (const char* command :
       {"status", "sequences", "explain", "reclaim", "top", "health", "version", "help"}) {
    EXPECT_THAT(HelpText(), HasSubstr(std::string("\n  ") + command + " "));
  }
}

}  // namespace
}  // namespace sluice::client
