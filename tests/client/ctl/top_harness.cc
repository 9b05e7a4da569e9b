// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// `sluicectl top` against a fake daemon in the same process, for terminal_test.py.
#include <iostream>
#include <string>
#include <vector>

#include "client/ctl/commands.h"
#include "tests/client/cpp/fake_daemon.h"

int main() {
  sluice::client::FakeDaemon daemon;
  const std::vector<std::string> words = {"top", "--address=" + daemon.address()};
  return sluice::client::RunCtl(words, std::cout, std::cerr);
}
