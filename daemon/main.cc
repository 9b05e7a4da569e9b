// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// sluiced: wires flags, configuration, engine and server together.
//
// Exit codes: 0 ended as asked, 1 failed at its start or while running, 2 bad usage or
// configuration, 3 its device failed (kernels/device/device_fault.h).

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/logging.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/engine.h"
#include "daemon/rpc/validate_common.h"
#include "daemon/server/config.h"
#include "daemon/server/config_options.h"
#include "daemon/server/endpoint.h"
#include "daemon/server/preset_policies.h"
#include "daemon/server/server.h"
#include "daemon/server/stop_signal.h"
#include "kernels/make_backend.h"

namespace sluice {
namespace {

// A flag that knows whether it was given. An empty text is a value like any other,
// which std::optional as a flag takes for none.
struct GivenText {
  std::optional<std::string> text;
};

bool AbslParseFlag(absl::string_view text, GivenText* flag, std::string*) {
  flag->text = std::string(text);
  return true;
}

std::string AbslUnparseFlag(const GivenText& flag) { return flag.text.value_or(""); }

}  // namespace
}  // namespace sluice

ABSL_FLAG(sluice::GivenText, config, {},
          "Configuration file: sluice.config.v1.Config as JSON.");
ABSL_FLAG(sluice::GivenText, listen, {},
          "Where clients connect: unix:/path, in the place of the default socket; or "
          "127.0.0.1:port or [::1]:port, besides it.");
ABSL_FLAG(sluice::GivenText, metrics_address, {},
          "Address of /metrics; \"off\": none.");
ABSL_FLAG(sluice::GivenText, pool_bytes, {}, "Memory for keys and values, in bytes.");
ABSL_FLAG(sluice::GivenText, log_level, {}, "debug, info, warning or error.");
ABSL_FLAG(bool, check_config, false, "Print the configuration in force, and exit.");

namespace sluice {
namespace {

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;
constexpr absl::Duration kProgressPeriod = absl::Seconds(2);

constexpr char kHelpHint[] = "sluiced: --help lists the flags\n";

int Fail(const absl::Status& status, int exit_code) {
  std::cerr << "sluiced: " << status.message() << "\n";
  if (absl::StartsWith(status.message(), "--")) std::cerr << kHelpHint;  // of a flag
  return exit_code;
}

// Abseil ends the process with 1 on a flag that it does not know.
void ParseFlags(int argc, char** argv) {
  static bool parsing = true;
  static bool help = false;
  for (int i = 1; i < argc; ++i) help = help || absl::StrContains(argv[i], "-help");
  on_exit(
      [](int status, void*) {
        if (!parsing || status != EXIT_FAILURE) return;
        if (!help) std::cerr << kHelpHint;
        std::cout.flush();
        std::cerr.flush();
        _Exit(help ? EXIT_SUCCESS : kBadUsage);
      },
      nullptr);
  absl::SetProgramUsageMessage("owns the KV cache of LLM inference engines.\nsluiced [flags]");
  absl::FlagsUsageConfig usage;
  // By default only the flags of a file named after the program are listed.
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "daemon/main.cc");
  };
  usage.version_string = [] { return absl::StrCat("sluiced ", DaemonVersion(), "\n"); };
  absl::SetFlagsUsageConfig(usage);
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    std::cerr << "sluiced: takes flags only\n";
    std::exit(EXIT_FAILURE);
  }
  parsing = false;
}

absl::StatusOr<config::v1::Config> ConfigOfFlags() {
  std::string json;
  if (const std::optional<std::string> path = absl::GetFlag(FLAGS_config).text) {
    SLUICE_ASSIGN_OR_RETURN(json, ReadConfigFile(*path));
  }
  return MakeConfig(json, {.listen = absl::GetFlag(FLAGS_listen).text,
                           .metrics_address = absl::GetFlag(FLAGS_metrics_address).text,
                           .pool_bytes = absl::GetFlag(FLAGS_pool_bytes).text,
                           .log_level = absl::GetFlag(FLAGS_log_level).text});
}

absl::StatusOr<std::unique_ptr<Engine>> StartEngine(const config::v1::Config& config,
                                                    const Clock& clock) {
  const EngineOptions options = ToEngineOptions(config);
  const absl::Time start = absl::Now();
  LogInfo("pool_touch_begins", {{"bytes", options.pool_bytes}});
  absl::Time next_line = start + kProgressPeriod;
  const int64_t pool_bytes = options.pool_bytes;
  auto engine = Engine::Create(options, clock, [&](int64_t touched_bytes) {
    if (absl::Now() < next_line) return;
    next_line += kProgressPeriod;
    LogInfo("pool_touch", {{"touched_bytes", touched_bytes}, {"of_bytes", pool_bytes}});
  });
  if (absl::IsResourceExhausted(engine.status())) {
    return absl::ResourceExhaustedError(
        absl::StrCat(engine.status().message(), "; pool.bytes (--pool_bytes) is ", pool_bytes));
  }
  SLUICE_RETURN_IF_ERROR(engine.status());
  LogInfo("engine_ready", {{"pool_bytes", pool_bytes},
                           {"backend", (*engine)->backend().description()},
                           {"seconds", absl::ToDoubleSeconds(absl::Now() - start)}});
  return engine;
}

// Before anybody is told that the daemon listens.
absl::Status CheckBackend(const config::v1::Config& config) {
  const std::string fault = BackendFault(ToEngineOptions(config).backend);
  if (fault.empty()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("backend: ", fault));
}

absl::Status Run(const config::v1::Config& config) {
  SLUICE_ASSIGN_OR_RETURN(const auto stop, StopSignal::Create());
  // Both after the signals are blocked, which the threads of gRPC and of a GPU's driver inherit.
  SLUICE_RETURN_IF_ERROR(CheckBackend(config));
  KeepGrpcRunning();
  const RealClock clock;
  std::unique_ptr<Engine> engine;  // outlives the server
  SLUICE_ASSIGN_OR_RETURN(const auto server, Server::Listen(config));
  SLUICE_ASSIGN_OR_RETURN(engine, StartEngine(config, clock));
  ServerOptions options;
  options.epoch = engine->epoch();
  options.backend = engine->backend().name();
  options.page_layout = PageLayoutName(engine->backend().page_layout());
  options.presets = PresetPolicies();
  options.on_drain_request = [&stop](auto timeout) { stop->Request(timeout); };
  SLUICE_RETURN_IF_ERROR(server->Serve(std::move(options), engine.get()));
  LogInfo("ready", {{"version", DaemonVersion()}, {"epoch", engine->epoch()}});
  const std::optional<absl::Duration> timeout = stop->Wait();
  server->Drain(timeout.value_or(ToDuration(config.drain_timeout())));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  ParseFlags(argc, argv);
  const absl::StatusOr<config::v1::Config> config = ConfigOfFlags();
  if (!config.ok()) return Fail(config.status(), kBadUsage);
  if (absl::GetFlag(FLAGS_check_config)) {
    std::cout << ConfigToJson(*config);
    return EXIT_SUCCESS;
  }
  InitLogging(ToLogOptions(config->logging()));
  const absl::Status status = Run(*config);
  return status.ok() ? EXIT_SUCCESS : Fail(status, kFailed);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const int code = sluice::Main(argc, argv);
  std::cout.flush();
  std::_Exit(code);  // gRPC's threads run on
}
