// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice {

// The calls that are counted: RPCs, and the requests of a session stream.
enum class Method : uint8_t {
  kGetCapabilities,
  kRegisterModel,
  kCreateSequence,
  kForkSequences,
  kFreeSequences,
  kGetSequence,
  kMatchPrefix,
  kBeginStep,
  kEndStep,
  kAppend,
  kAttend,
  kSetPolicy,
  kCompress,
  kExplainSequence,
  kSession,  // the stream itself
  kSessionHeartbeat,
  kSessionBeginStep,
  kSessionEndStep,
  kSessionAppend,
  kSessionAttend,
  kListSequences,
  kInspectSequence,
  kInspectHeadCache,
  kListClients,
  kGetStatus,
  kReclaim,
  kDrain,
};

inline constexpr int kMethodCount = static_cast<int>(Method::kDrain) + 1;

// "sluice.v1.KvCache/Attend"; of a session's request "sluice.v1.KvCache/Session/Attend".
absl::string_view MethodName(Method method);

// Told of every call. On the path of each: to be quick, and not to block.
//
// Thread-safe.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void Started(Method method) = 0;
  virtual void Finished(Method method, const absl::Status& status,
                        std::chrono::nanoseconds duration) = 0;
};

// A call from its start to its end, told to an observer.
//
// Thread-compatible.
class ObservedCall {
 public:
  // Nothing is told before Start.
  void Start(CallObserver* observer, Method method) {
    observer_ = observer;
    method_ = method;
    start_ = std::chrono::steady_clock::now();
    observer_->Started(method);
  }
  void Finish(const absl::Status& status) {
    if (observer_ == nullptr) return;
    observer_->Finished(method_, status, std::chrono::steady_clock::now() - start_);
    observer_ = nullptr;
  }

 private:
  CallObserver* observer_ = nullptr;
  Method method_ = Method::kGetCapabilities;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace sluice
