// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <string>
#include <vector>

#include "client/ctl/commands.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  return sluice::client::RunCtl(words, std::cout, std::cerr);
}
