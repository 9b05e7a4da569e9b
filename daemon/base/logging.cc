// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/logging.h"

#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "absl/strings/str_format.h"
#include "daemon/base/clock.h"
#include "daemon/base/line_limiter.h"
#include "daemon/base/mutex.h"
#include "spdlog/logger.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace sluice {
namespace {

constexpr char kTextPattern[] = "time=%Y-%m-%dT%H:%M:%S.%fZ level=%l %v";
constexpr char kJsonPattern[] = R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})";

struct Logger {
  std::atomic<int> min_severity{static_cast<int>(LogSeverity::kInfo)};
  std::array<std::atomic<int64_t>, kLogSeverityCount> event_counts{};
  RealClock clock;
  Mutex mu;
  LogFormat format ABSL_GUARDED_BY(mu) = LogFormat::kText;
  LineLimiter limiter ABSL_GUARDED_BY(mu);
  std::unique_ptr<spdlog::logger> output ABSL_GUARDED_BY(mu);
};

std::unique_ptr<spdlog::logger> MakeOutput(const LogOptions& options) {
  spdlog::sink_ptr sink;
  if (options.stream != nullptr) {
    sink = std::make_shared<spdlog::sinks::ostream_sink_st>(*options.stream, /*force_flush=*/true);
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      options.format == LogFormat::kText ? kTextPattern : kJsonPattern,
      spdlog::pattern_time_type::utc));
  auto output = std::make_unique<spdlog::logger>("sluice", std::move(sink));
  output->set_level(spdlog::level::trace);
  output->flush_on(spdlog::level::trace);
  return output;
}

Logger& GetLogger() {
  static Logger& logger = *[] {
    auto* made = new Logger;  // lives on: threads may log while main ends
    MutexLock lock(&made->mu);
    made->output = MakeOutput(LogOptions());
    return made;
  }();
  return logger;
}

// JSON's string escapes, which serve the text format as well.
std::string Quote(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted += '"';
}

bool NeedsQuotes(absl::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '=' || static_cast<unsigned char>(c) <= 0x20) return true;
  }
  return false;
}

void AppendField(LogFormat format, const LogField& field, std::string* line) {
  if (format == LogFormat::kJson) {
    absl::StrAppend(line, line->empty() ? "" : ",", Quote(field.name()), ":",
                    field.is_text() ? Quote(field.value()) : std::string(field.value()));
    return;
  }
  absl::StrAppend(line, line->empty() ? "" : " ", field.name(), "=",
                  field.is_text() && NeedsQuotes(field.value()) ? Quote(field.value())
                                                                : std::string(field.value()));
}

spdlog::level::level_enum ToSpdlog(LogSeverity severity) {
  constexpr std::array<spdlog::level::level_enum, kLogSeverityCount> kLevels = {
      spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
  return kLevels[static_cast<size_t>(severity)];
}

}  // namespace

void InitLogging(const LogOptions& options) {
  Logger& logger = GetLogger();
  SetMinLogSeverity(options.min_severity);
  MutexLock lock(&logger.mu);
  logger.format = options.format;
  logger.output = MakeOutput(options);
  logger.limiter = LineLimiter();
}

void SetMinLogSeverity(LogSeverity severity) {
  GetLogger().min_severity.store(static_cast<int>(severity), std::memory_order_relaxed);
}

void Log(LogSeverity severity, absl::string_view event, std::initializer_list<LogField> fields) {
  Logger& logger = GetLogger();
  const int level = static_cast<int>(severity);
  if (level < logger.min_severity.load(std::memory_order_relaxed)) return;
  logger.event_counts[static_cast<size_t>(level)].fetch_add(1, std::memory_order_relaxed);

  MutexLock lock(&logger.mu);
  std::string line;
  AppendField(logger.format, LogField("event", event), &line);
  for (const LogField& field : fields) AppendField(logger.format, field, &line);
  const bool by_event = severity >= LogSeverity::kWarning;
  const std::optional<int64_t> held_back =
      logger.limiter.Admit(by_event ? event : absl::string_view(line), logger.clock.MonotonicNow());
  if (!held_back) return;
  if (*held_back > 0) AppendField(logger.format, LogField("held_back", *held_back), &line);
  logger.output->log(ToSpdlog(severity), spdlog::string_view_t(line.data(), line.size()));
}

int64_t LogEventCount(LogSeverity severity) {
  return GetLogger().event_counts[static_cast<size_t>(severity)].load(std::memory_order_relaxed);
}

absl::string_view LogSeverityName(LogSeverity severity) {
  constexpr std::array<absl::string_view, kLogSeverityCount> kNames = {"debug", "info", "warning",
                                                                       "error"};
  return kNames[static_cast<size_t>(severity)];
}

}  // namespace sluice
