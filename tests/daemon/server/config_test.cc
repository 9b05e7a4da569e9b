// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/config.h"

#include <fstream>

#include "daemon/server/config_options.h"
#include "daemon/server/config_ranges.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temp_dir.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

config::v1::Config Effective(const std::string& json, const ConfigOverrides& overrides = {}) {
  const auto config = MakeConfig(json, overrides);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(config::v1::Config());
}

TEST(ConfigTest, DefaultsFitALaptop) {
  const auto config = Effective("");
  EXPECT_EQ(config.pool().bytes(), 256 << 20);
  EXPECT_EQ(config.pool().job_reserve_bytes(), 16 << 20);
  EXPECT_EQ(config.listen().metrics_address(), "127.0.0.1:9435");
  ASSERT_EQ(config.tenants_size(), 1);
  EXPECT_EQ(config.tenants(0).name(), "default");
  EXPECT_THAT(config.tenants(0).socket_path(), HasSubstr("/sluice/sluice.sock"));
  EXPECT_EQ(config.tenants(0).maximum_bytes(), 256 << 20);
}

TEST(ConfigTest, TheFileWinsOverDefaultsAndFlagsOverTheFile) {
  const std::string json = R"({"pool": {"bytes": 33554432, "slab_bytes": 65536},
                               "listen": {"metrics_address": ""}, "heartbeat_limit": "2s"})";
  EXPECT_EQ(Effective(json).pool().bytes(), 32 << 20);
  EXPECT_EQ(Effective(json).listen().metrics_address(), "");
  EXPECT_EQ(Effective(json).heartbeat_limit().seconds(), 2);
  ConfigOverrides flags;
  flags.pool_bytes = "67108864";
  flags.metrics_address = "127.0.0.1:1";
  flags.log_level = "debug";
  flags.listen = "unix:/tmp/a.sock";
  const auto config = Effective(json, flags);
  EXPECT_EQ(config.pool().bytes(), 64 << 20);
  EXPECT_EQ(config.pool().slab_bytes(), 65536);
  EXPECT_EQ(config.listen().metrics_address(), "127.0.0.1:1");
  EXPECT_EQ(config.tenants(0).socket_path(), "/tmp/a.sock");
  EXPECT_EQ(ToLogOptions(config.logging()).min_severity, LogSeverity::kDebug);
}

TEST(ConfigTest, WhatIsPrintedIsTakenAgain) {
  const auto config = Effective("");
  EXPECT_EQ(Effective(ConfigToJson(config)).DebugString(), config.DebugString());
}

TEST(ConfigTest, TheEngineGetsWholeSlabs) {
  const EngineOptions options =
      ToEngineOptions(Effective(R"({"pool": {"bytes": 17000000, "slab_bytes": 1048576},
                                    "backend": "BACKEND_REFERENCE"})"));
  EXPECT_EQ(options.pool_bytes, 16 << 20);
  EXPECT_EQ(options.backend, BackendKind::kReference);
  EXPECT_EQ(options.tenants.size(), 1);
}

TEST(ConfigTest, TheEngineGetsTheBackend) {
  EXPECT_EQ(ToEngineOptions(Effective("{}")).backend, BackendKind::kCpu);
  EXPECT_EQ(ToEngineOptions(Effective(R"({"backend": "BACKEND_CUDA"})")).backend,
            BackendKind::kCuda);
}

TEST(ConfigTest, ArithmeticIsTheBackendsUnlessItIsGiven) {
  const auto arithmetic = [](const std::string& json) {
    return ToEngineOptions(Effective(json)).arithmetic;
  };
  EXPECT_EQ(arithmetic("{}"), Arithmetic::kFp32);
  EXPECT_EQ(arithmetic(R"({"backend": "BACKEND_CUDA"})"), Arithmetic::kBf16);
  EXPECT_EQ(arithmetic(R"({"backend": "BACKEND_CUDA", "arithmetic": "ARITHMETIC_FP32"})"),
            Arithmetic::kFp32);
}

TEST(ConfigTest, WatermarksAndGuaranteesReachTheEngine) {
  const EngineOptions defaults = ToEngineOptions(Effective("{}"));
  EXPECT_EQ(defaults.high_watermark, 0.9);
  EXPECT_EQ(defaults.low_watermark, 0.8);
  const EngineOptions options = ToEngineOptions(
      Effective(R"({"pool": {"high_watermark": 0.5},
                    "tenants": [{"name": "a", "socket_path": "/tmp/a",
                                 "guaranteed_bytes": 1048576}]})"));
  EXPECT_EQ(options.high_watermark, 0.5);
  EXPECT_EQ(options.low_watermark, 0.5);
  EXPECT_EQ(options.tenants[0].guaranteed_bytes, 1048576);
}

struct BadConfig {
  const char* name;
  std::string json;
  const char* message;  // a part of it
};

class BadConfigTest : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigTest, IsRefusedNamingTheField) {
  const auto config = MakeConfig(GetParam().json, {});
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Bad, BadConfigTest,
    ::testing::Values(
        BadConfig{"NoJson", "pool: 3", "configuration"},
        BadConfig{"UnknownField", R"({"pool": {"bites": 3}})", "bites"},
        BadConfig{"UnknownEnum", R"({"backend": "BACKEND_TPU"})", "backend"},
        BadConfig{"SmallPool", R"({"pool": {"bytes": 1024}})", "pool.bytes: must be in"},
        BadConfig{"NegativePool", R"({"pool": {"bytes": -1}})", "pool.bytes: must be in"},
        BadConfig{"OddSlab", R"({"pool": {"slab_bytes": 100000}})", "pool.slab_bytes: must be a"},
        BadConfig{"LargeReserve", R"({"pool": {"job_reserve_bytes": 200000000}})",
                  "pool.job_reserve_bytes"},
        BadConfig{"SmallMessages", R"({"limits": {"message_bytes": 65536}})",
                  "limits.message_bytes"},
        BadConfig{"NegativeSessions", R"({"limits": {"sessions": -4}})", "limits.sessions"},
        BadConfig{"UserOverAll", R"({"limits": {"connections": 4, "connections_per_user": 5}})",
                  "limits.connections_per_user"},
        BadConfig{"ShortHeartbeat", R"({"heartbeat_limit": "0.5s"})", "heartbeat_limit"},
        BadConfig{"LongDrain", R"({"drain_timeout": "601s"})", "drain_timeout"},
        BadConfig{"ManyThreads", R"({"worker_threads": 2000})", "worker_threads"},
        BadConfig{"Bf16OnACpu", R"({"arithmetic": "ARITHMETIC_BF16"})",
                  "arithmetic: must be ARITHMETIC_FP32, the only one that BACKEND_CPU has"},
        BadConfig{"Bf16OfTheReference",
                  R"({"backend": "BACKEND_REFERENCE", "arithmetic": "ARITHMETIC_BF16"})",
                  "the only one that BACKEND_REFERENCE has"},
        BadConfig{"UnknownArithmetic", R"({"arithmetic": 7})", "arithmetic"},
        BadConfig{"OpenTcp", R"({"listen": {"tcp_address": "0.0.0.0:9000"}})",
                  "listen.tcp_address"},
        BadConfig{"MetricsWithoutPort", R"({"listen": {"metrics_address": "localhost"}})",
                  "listen.metrics_address: must be host:port"},
        BadConfig{"MetricsPortTooLarge", R"({"listen": {"metrics_address": "127.0.0.1:70000"}})",
                  "listen.metrics_address"},
        BadConfig{"HealthOnASocket", R"({"listen": {"health_address": "unix:/tmp/a"}})",
                  "listen.health_address"},
        BadConfig{"HealthWithoutHost", R"({"listen": {"health_address": ":80"}})",
                  "listen.health_address"},
        BadConfig{"RelativeSocket", R"({"listen": {"socket_path": "a.sock"}})",
                  "listen.socket_path: must be an absolute path"},
        BadConfig{"LongSocket",
                  R"({"listen": {"socket_path": "/)" + std::string(107, 'x') + R"("}})",
                  "socket_path"},
        BadConfig{"BadTenant", R"({"tenants": [{"name": "A!", "socket_path": "/tmp/a"}]})",
                  "tenants[0].name"},
        BadConfig{"SameTenant",
                  R"({"tenants": [{"name": "a", "socket_path": "/tmp/a"},
                                  {"name": "a", "socket_path": "/tmp/b"}]})",
                  "tenants[1]"},
        BadConfig{"SameSocketAsAdmin",
                  R"({"tenants": [{"name": "a", "socket_path": "/tmp/a"}],
                      "listen": {"admin_socket_path": "/tmp/a"}})",
                  "tenants[0]"},
        BadConfig{"GuaranteeOverMaximum",
                  R"({"tenants": [{"name": "a", "socket_path": "/tmp/a",
                                   "maximum_bytes": 100, "guaranteed_bytes": 101}]})",
                  "tenants[0].guaranteed_bytes: must be in"},
        BadConfig{"GuaranteesOverPool",
                  R"({"pool": {"bytes": 33554432},
                      "tenants": [{"name": "a", "socket_path": "/tmp/a",
                                   "guaranteed_bytes": 33554432},
                                  {"name": "b", "socket_path": "/tmp/b",
                                   "guaranteed_bytes": 1}]})",
                  "tenants[1].guaranteed_bytes"},
        BadConfig{"HighWatermarkOverAll", R"({"pool": {"high_watermark": 1.1}})",
                  "pool.high_watermark: must be above 0, at most 1"},
        BadConfig{"LowWatermarkAboveHigh",
                  R"({"pool": {"high_watermark": 0.5, "low_watermark": 0.6}})",
                  "pool.low_watermark: must be above 0, at most 0.5"},
        BadConfig{"WatermarkOfNoNumber", R"({"pool": {"low_watermark": "NaN"}})",
                  "pool.low_watermark"},
        BadConfig{"MaximumOverPool",
                  R"({"tenants": [{"name": "a", "socket_path": "/tmp/a",
                                   "maximum_bytes": 999999999999}]})",
                  "tenants[0].maximum_bytes"}),
    [](const auto& info) { return info.param.name; });

TEST(ConfigTest, FlagsAreCheckedToo) {
  ConfigOverrides flags;
  flags.log_level = "loud";
  EXPECT_THAT(std::string(MakeConfig("", flags).status().message()), HasSubstr("--log_level"));
  for (const char* bad : {"", "0", "1GiB", "0x1000000"}) {
    flags = {};
    flags.pool_bytes = bad;
    EXPECT_THAT(std::string(MakeConfig("", flags).status().message()), HasSubstr("--pool_bytes"));
  }
  for (const char* bad : {"", "unix:", "/tmp/a.sock", "192.168.0.1:80"}) {
    flags = {};
    flags.listen = bad;
    EXPECT_THAT(std::string(MakeConfig("", flags).status().message()), HasSubstr("--listen"));
  }
  flags = {};
  flags.listen = "unix:/tmp/a";
  EXPECT_THAT(std::string(MakeConfig(R"({"tenants": [{"name": "a", "socket_path": "/tmp/a"}]})",
                                     flags)
                              .status()
                              .message()),
              HasSubstr("--listen"));
}

TEST(ConfigTest, AFileThatCannotBeReadIsNamed) {
  const TempDir directory;
  EXPECT_THAT(std::string(ReadConfigFile(directory.File("none")).status().message()),
              HasSubstr(directory.File("none")));
  EXPECT_FALSE(ReadConfigFile("").ok());
  std::ofstream(directory.File("empty"));
  EXPECT_FALSE(ReadConfigFile(directory.File("empty")).ok());
  std::ofstream(directory.File("full")) << "{}";
  EXPECT_EQ(*ReadConfigFile(directory.File("full")), "{}");
}

TEST(ConfigTest, OnlyLoopbackIsLoopback) {
  for (const char* good : {"127.0.0.1:0", "[::1]:65535"}) EXPECT_TRUE(IsLoopback(good)) << good;
  for (const char* bad : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:1 ", "127.0.0.1:+1",
                          "127.0.0.1:65536", "0.0.0.0:1", "::1:1", "localhost:1", ""}) {
    EXPECT_FALSE(IsLoopback(bad)) << bad;
  }
}

}  // namespace
}  // namespace sluice
