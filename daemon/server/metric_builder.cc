// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/metric_builder.h"

namespace sluice {

using prometheus::MetricType;

MetricBuilder& MetricBuilder::Gauge(const char* name, const char* help) {
  return Begin(name, help, MetricType::Gauge);
}

MetricBuilder& MetricBuilder::Counter(const char* name, const char* help) {
  return Begin(name, help, MetricType::Counter);
}

MetricBuilder& MetricBuilder::Histogram(const char* name, const char* help) {
  return Begin(name, help, MetricType::Histogram);
}

MetricBuilder& MetricBuilder::Value(double value, const MetricLabels& labels) {
  prometheus::ClientMetric& metric = Add(labels);
  (families_.back().type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) = value;
  return *this;
}

MetricBuilder& MetricBuilder::Distribution(prometheus::ClientMetric::Histogram histogram,
                                           const MetricLabels& labels) {
  Add(labels).histogram = std::move(histogram);
  return *this;
}

MetricBuilder& MetricBuilder::Begin(const char* name, const char* help, MetricType type) {
  prometheus::MetricFamily& family = families_.emplace_back();
  family.name = name;
  family.help = help;
  family.type = type;
  return *this;
}

prometheus::ClientMetric& MetricBuilder::Add(const MetricLabels& labels) {
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

}  // namespace sluice
