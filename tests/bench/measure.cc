// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace sluice::bench {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string Field(const char* name, double value) {
  char text[96];
  std::snprintf(text, sizeof(text), ", \"%s\": %.4g", name, value);
  return text;
}

void PrintFigure(const char* name, double value, const char* unit, const std::string& more) {
  std::printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"%s}\n", name, value, unit,
              more.c_str());
  std::fflush(stdout);
}

void Progress(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

double NowSeconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace sluice::bench
