// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/commands.h"

#include <gmock/gmock.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <sstream>
#include <streambuf>
#include <vector>

#include "client/cpp/admin.h"
#include "client/ctl/top.h"
#include "tests/client/cpp/fake_daemon.h"

namespace sluice::client {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class CommandsTest : public testing::Test {
 protected:
  int Run(std::vector<std::string> words) {
    out_.str("");
    err_.str("");
    words.push_back("--address=" + daemon_.address());
    return RunCtl(words, out_, err_);
  }

  FakeDaemon daemon_;
  std::ostringstream out_, err_;
};

v1::GetStatusResponse Status() {
  v1::GetStatusResponse status;
  status.set_version("1.2.3");
  status.set_state(v1::GetStatusResponse::STATE_SERVING);
  status.mutable_pool()->set_total_bytes(256 << 20);
  status.mutable_pool()->set_in_use_bytes(64 << 20);
  status.mutable_totals()->set_token_count(12345);
  return status;
}

TEST_F(CommandsTest, StatusIsForPeople) {
  daemon_.SetStatus(Status());
  EXPECT_EQ(Run({"status"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("1.2.3, serving at unix:"));
  EXPECT_THAT(out_.str(), HasSubstr("256.0 MiB"));
  EXPECT_THAT(out_.str(), HasSubstr("64.0 MiB    25.0 %"));
  EXPECT_THAT(out_.str(), HasSubstr("12,345"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(CommandsTest, DoctorLooksAtTheDaemonAndTheMachine) {
  daemon_.SetStatus(Status());
  EXPECT_EQ(Run({"doctor"}), kCtlDone) << out_.str();
  EXPECT_THAT(out_.str(), HasSubstr("sluiced 1.2.3 at unix:"));
  EXPECT_THAT(out_.str(), HasSubstr("memfd"));
}

TEST_F(CommandsTest, StatusIsForProgramsToo) {
  daemon_.SetStatus(Status());
  EXPECT_EQ(Run({"status", "--json"}), kCtlDone);
  EXPECT_THAT(out_.str(), StartsWith("{"));
  EXPECT_THAT(out_.str(), HasSubstr("\"total_bytes\": \"268435456\""));
  EXPECT_THAT(out_.str(), HasSubstr("\"free_bytes\": \"0\""));
}

TEST_F(CommandsTest, SequencesAreATable) {
  EXPECT_EQ(Run({"sequences"}), kCtlDone);
  EXPECT_EQ(out_.str(), "no sequences\n");
  v1::SequenceSummary sequence;
  sequence.set_sequence_id(4711);
  sequence.set_preset("l2norm");
  sequence.set_model_name("a\x1b[31mb");
  sequence.set_held_bytes(3 << 20);
  daemon_.SetSequences({sequence});
  EXPECT_EQ(Run({"sequences"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("mean kept"));
  EXPECT_THAT(out_.str(), HasSubstr("4711  l2norm"));
  EXPECT_THAT(out_.str(), HasSubstr("3.0 MiB"));
  EXPECT_THAT(out_.str(), HasSubstr("a?[31mb"));
}

TEST_F(CommandsTest, SequencesAsJsonAreAListEvenIfEmpty) {
  EXPECT_EQ(Run({"sequences", "--json"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("\"sequences\": []"));
}

v1::InspectSequenceResponse Inspection() {
  v1::InspectSequenceResponse inspection;
  inspection.set_tenant("first");
  inspection.mutable_sequence()->mutable_policy()->set_preset("l2norm");
  v1::LayerUsage* usage = inspection.mutable_sequence()->add_layers();
  usage->add_kept_tokens(20);
  v1::LayerKept* planned = inspection.mutable_plan()->add_layers();
  planned->add_kept_tokens(15);
  inspection.mutable_sequence()->mutable_last_job()->set_freed_later_bytes(2048);
  inspection.mutable_sequence()->mutable_last_job()->set_detail("no room\x07");
  v1::JobReport* eviction = inspection.add_evictions();
  eviction->set_snapshot_tokens(4321);
  eviction->set_evicted_mass_share(0.125);
  v1::JobReport::LayerLoss* loss =
      inspection.mutable_sequence()->mutable_last_job()->add_layers();
  loss->set_evicted_slot_count(98);
  loss->set_evicted_mass_share(0.0625);
  return inspection;
}

TEST_F(CommandsTest, ExplainAsksForOneSequence) {
  daemon_.SetInspection(Inspection());
  EXPECT_EQ(Run({"explain", "4711"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("4711, idle\n"));
  EXPECT_THAT(out_.str(), HasSubstr("first\n"));
  EXPECT_THAT(out_.str(), HasSubstr("2.0 KiB once others"));
  EXPECT_THAT(out_.str(), HasSubstr("no room?\n"));
  EXPECT_THAT(out_.str(), HasSubstr("98     6.25 %\n"));
  EXPECT_THAT(out_.str(), HasSubstr("    4,321 "));
  EXPECT_THAT(out_.str(), HasSubstr("12.50 %"));
  EXPECT_EQ(daemon_.UnaryCalls(), std::vector<std::string>{"InspectSequence"});
}

TEST_F(CommandsTest, ExplainIsForProgramsToo) {
  daemon_.SetInspection(Inspection());
  EXPECT_EQ(Run({"explain", "4711", "--json"}), kCtlDone);
  EXPECT_THAT(out_.str(), StartsWith("{"));
  EXPECT_THAT(out_.str(), HasSubstr("\"sequence_id\": \"4711\""));
  EXPECT_THAT(out_.str(), HasSubstr("\"freed_later_bytes\": \"2048\""));
}

TEST_F(CommandsTest, ExplainTellsThatThereIsNoSuchSequence) {
  v1::Error unknown;
  unknown.set_code(static_cast<int>(grpc::StatusCode::NOT_FOUND));
  unknown.set_message("there is no sequence 4711");
  daemon_.RefuseUnary("InspectSequence", unknown);
  EXPECT_EQ(Run({"explain", "4711"}), kCtlFailed);
  EXPECT_THAT(out_.str(), IsEmpty());
  EXPECT_THAT(err_.str(), HasSubstr("there is no sequence 4711"));
}

TEST_F(CommandsTest, ReclaimSaysWhoGives) {
  EXPECT_EQ(Run({"reclaim", "1024", "--dry-run"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("7  l2norm              -3       1,234     1.0 KiB  first\n"));
  EXPECT_THAT(out_.str(), HasSubstr("would free at least 1.0 KiB\n"));
  EXPECT_EQ(Run({"reclaim", "1024"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("\nfrees at least 2.0 KiB\n"));
  EXPECT_EQ(Run({"reclaim", "1024", "--json"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("\"expected_bytes\": \"2048\""));
  EXPECT_EQ(Run({"reclaim", "0"}), kCtlDone);
  EXPECT_EQ(out_.str(), "no sequence can give anything\n");
}

TEST_F(CommandsTest, HealthIsAnExitCode) {
  EXPECT_EQ(Run({"health"}), kCtlDone);
  EXPECT_THAT(out_.str(), IsEmpty());
  daemon_.SetServing(false);
  EXPECT_EQ(Run({"health"}), kCtlFailed);
  EXPECT_THAT(err_.str(), HasSubstr("not serving"));
}

TEST_F(CommandsTest, WithoutADaemonItSaysWhatToDo) {
  daemon_.Stop();
  for (const char* command : {"status", "sequences", "top", "health"}) {
    EXPECT_EQ(Run({command}), kCtlFailed);
    EXPECT_THAT(err_.str(), HasSubstr("cannot reach sluiced at " + daemon_.address()));
    EXPECT_THAT(err_.str(), HasSubstr("Is sluiced running?"));
  }
}

TEST_F(CommandsTest, WrongUsageIsExitCodeTwo) {
  EXPECT_EQ(Run({"stats"}), kCtlUsage);
  EXPECT_THAT(err_.str(), HasSubstr("unknown command \"stats\""));
  EXPECT_THAT(err_.str(), HasSubstr("sluicectl help"));
}

TEST_F(CommandsTest, HelpAndVersionNeedNoDaemon) {
  daemon_.Stop();
  EXPECT_EQ(Run({"help"}), kCtlDone);
  EXPECT_THAT(out_.str(), HasSubstr("usage: sluicectl"));
  EXPECT_EQ(Run({"version"}), kCtlDone);
  EXPECT_THAT(out_.str(), StartsWith("sluicectl "));
}

// Takes text until it is flushed, then fails: a pipe whose reader goes.
class OneFlush : public std::stringbuf {
 protected:
  int sync() override { return -1; }
};

TEST_F(CommandsTest, TopPrintsWhereThereIsNoTerminal) {
  daemon_.SetStatus(Status());
  OneFlush buffer;
  std::ostream out(&buffer);
  const auto admin = Admin::Create({.address = daemon_.address()});
  EXPECT_TRUE(RunTop(admin->get(), out).ok());
  EXPECT_THAT(buffer.str(), HasSubstr("pool 256.0 MiB"));
  EXPECT_THAT(buffer.str(), HasSubstr("[####"));
}

}  // namespace
}  // namespace sluice::client
