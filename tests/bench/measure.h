// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace sluice::bench {

// The middle value; the mean of both where their number is even.
// REQUIRES: at least one value.
double Median(std::vector<double> values);

// One more field of a printed figure: `, "name": value`.
std::string Field(const char* name, double value);

// Prints {"name", "value", "unit", ...} as one line of JSON on stdout.
void PrintFigure(const char* name, double value, const char* unit, const std::string& more = "");

// A line on stderr: what is being measured now.
void Progress(const std::string& line);

// Seconds since an arbitrary start (CLOCK_MONOTONIC).
double NowSeconds();

}  // namespace sluice::bench
