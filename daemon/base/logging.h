// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// One line an event to stderr: UTC time with microseconds, level, event name,
// fields. No tensor data, no token ids, no secrets. All functions: thread-safe.
//
//   LogInfo("session_opened", {{"session", id}, {"uid", uid}});
//
// A repeated line is held back to one a second, and the next one says how many
// were (`held_back`). Warnings and errors repeat when their event does; others
// when their fields are the same too.
namespace sluice {

enum class LogSeverity { kDebug, kInfo, kWarning, kError };
inline constexpr int kLogSeverityCount = 4;

enum class LogFormat {
  kText,  // time=… level=info event=session_opened session=7
  kJson,  // {"time":"…","level":"info","event":"session_opened","session":7}
};

// A named value of an event; finite numbers and booleans stay unquoted.
class LogField {
 public:
  LogField(absl::string_view name, absl::string_view value)
      : name_(name), value_(value), is_text_(true) {}
  LogField(absl::string_view name, const char* value) : LogField(name, absl::string_view(value)) {}
  LogField(absl::string_view name, const std::string& value)
      : LogField(name, absl::string_view(value)) {}
  LogField(absl::string_view name, bool value) : name_(name), value_(value ? "true" : "false") {}
  template <typename T>
    requires(std::integral<T> || std::floating_point<T>)
  LogField(absl::string_view name, T value)
      : name_(name), value_(absl::StrCat(value)), is_text_(!IsFinite(value)) {}

  absl::string_view name() const { return name_; }
  absl::string_view value() const { return value_; }
  bool is_text() const { return is_text_; }

 private:
  template <typename T>
  static bool IsFinite(T value) {
    if constexpr (std::floating_point<T>) return std::isfinite(value);
    return true;
  }

  absl::string_view name_;
  std::string value_;
  bool is_text_ = false;
};

struct LogOptions {
  LogFormat format = LogFormat::kText;
  LogSeverity min_severity = LogSeverity::kInfo;
  std::ostream* stream = nullptr;  // null: stderr; must outlive the logger's use
};

// Replaces the options; before the first call they are the defaults.
void InitLogging(const LogOptions& options);

// Changes the level only, as a reload does.
void SetMinLogSeverity(LogSeverity severity);

void Log(LogSeverity severity, absl::string_view event, std::initializer_list<LogField> fields);

inline void LogDebug(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogSeverity::kDebug, event, fields);
}
inline void LogInfo(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogSeverity::kInfo, event, fields);
}
inline void LogWarning(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogSeverity::kWarning, event, fields);
}
inline void LogError(absl::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogSeverity::kError, event, fields);
}

// Events of a severity since the start, those held back included, those below
// the level not.
int64_t LogEventCount(LogSeverity severity);

// "debug", "info", "warning" or "error".
absl::string_view LogSeverityName(LogSeverity severity);

}  // namespace sluice
