// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/address.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace sluice::client {
namespace {

TEST(AddressTest, TheDefaultIsInTheUsersRuntimeFolder) {
  setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  EXPECT_EQ(DefaultAddress(), "unix:/run/user/7/sluice/sluice.sock");
}

TEST(AddressTest, TheDefaultWithoutARuntimeFolderIsTheSystems) {
  unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(DefaultAddress(), "unix:/run/sluice/sluice.sock");
  for (const char* not_absolute : {"", "run"}) {
    setenv("XDG_RUNTIME_DIR", not_absolute, 1);
    EXPECT_EQ(DefaultAddress(), "unix:/run/sluice/sluice.sock");
  }
}

TEST(AddressTest, SocketsAndPortsAreTaken) {
  for (const char* address : {"unix:/a", "127.0.0.1:1", "[::1]:65535", "localhost:9000"}) {
    EXPECT_TRUE(CheckAddress(address).ok()) << address;
  }
  EXPECT_TRUE(CheckAddress("unix:/" + std::string(106, 'a')).ok());
}

TEST(AddressTest, WhatIsNeitherIsRefused) {
  for (const char* address : {"", "unix:", "unix:a", "/run/a.sock", "host", ":80",
                              "host:", "host:0", "host:65536", "host:x", "dns:///a:80"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckAddress(address))) << address;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(CheckAddress("unix:/" + std::string(107, 'a'))));
}

}  // namespace
}  // namespace sluice::client
