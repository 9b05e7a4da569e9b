// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <utility>
#include <vector>

namespace sluice {

using MetricLabels = std::vector<std::pair<const char*, std::string>>;

// Builds the families of one scrape. Names, labels and help are ours, so that
// nothing is looked up by name while calls run.
//
// Thread-compatible.
class MetricBuilder {
 public:
  // Begin a family; the values that follow belong to it.
  MetricBuilder& Gauge(const char* name, const char* help);
  MetricBuilder& Counter(const char* name, const char* help);
  MetricBuilder& Histogram(const char* name, const char* help);

  MetricBuilder& Value(double value, const MetricLabels& labels = {});
  MetricBuilder& Distribution(prometheus::ClientMetric::Histogram histogram,
                              const MetricLabels& labels);

  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  MetricBuilder& Begin(const char* name, const char* help, prometheus::MetricType type);
  prometheus::ClientMetric& Add(const MetricLabels& labels);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace sluice
