// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "daemon/base/logging.h"
#include "daemon/server/metric_builder.h"

namespace sluice {
namespace {

double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double OpenFiles() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  int entries = 0;
  while (readdir(directory) != nullptr) ++entries;
  closedir(directory);
  return entries - 3;  // ".", ".." and the directory itself
}

double MaxFiles() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  return static_cast<double>(files.rlim_cur);
}

void AddProcess(absl::Time start_time, MetricBuilder& builder) {
  builder.Gauge("sluice_start_time_seconds", "When the daemon started, in Unix time.")
      .Value(absl::ToDoubleSeconds(start_time - absl::UnixEpoch()));
  builder.Gauge("process_resident_memory_bytes", "Resident memory of the host; its pool included.")
      .Value(ResidentBytes());
  builder.Counter("process_cpu_seconds_total", "Processor time used.").Value(CpuSeconds());
  builder.Gauge("process_open_fds", "Open file descriptors.").Value(OpenFiles());
  builder.Gauge("process_max_fds", "Limit of open file descriptors.").Value(MaxFiles());
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  MetricBuilder builder;
  builder.Gauge("sluice_build_info", "What runs.")
      .Value(1, {{"version", build_.version},
                 {"backend", build_.backend},
                 {"arithmetic", build_.arithmetic}});
  AddProcess(start_time_, builder);
  builder.Gauge("sluice_connections", "Open connections on Unix sockets.")
      .Value(static_cast<double>(connections_.Count()));
  builder.Counter("sluice_connections_rejected_total", "Connections not taken, by reason.");
  const auto refusals = connections_.Refusals();
  for (size_t i = 0; i < refusals.size(); ++i) {
    builder.Value(
        static_cast<double>(refusals[i]),
        {{"reason", std::string(ConnectionRefusalName(static_cast<ConnectionRefusal>(i)))}});
  }
  builder.Counter("sluice_log_messages_total", "Events logged, by severity.");
  for (int i = 0; i < kLogSeverityCount; ++i) {
    const auto severity = static_cast<LogSeverity>(i);
    builder.Value(static_cast<double>(LogEventCount(severity)),
                  {{"severity", std::string(LogSeverityName(severity))}});
  }
  return builder.Take();
}

}  // namespace sluice
