// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/call_observer.h"

#include <array>

#include "daemon/base/check.h"

namespace sluice {

absl::string_view MethodName(Method method) {
  // In the order of the enum.
  constexpr std::array<absl::string_view, kMethodCount> kNames = {
      "sluice.v1.KvCache/GetCapabilities",   "sluice.v1.KvCache/RegisterModel",
      "sluice.v1.KvCache/CreateSequence",    "sluice.v1.KvCache/ForkSequences",
      "sluice.v1.KvCache/FreeSequences",     "sluice.v1.KvCache/GetSequence",
      "sluice.v1.KvCache/MatchPrefix",       "sluice.v1.KvCache/BeginStep",
      "sluice.v1.KvCache/EndStep",           "sluice.v1.KvCache/Append",
      "sluice.v1.KvCache/Attend",            "sluice.v1.KvCache/SetPolicy",
      "sluice.v1.KvCache/Compress",          "sluice.v1.KvCache/ExplainSequence",
      "sluice.v1.KvCache/Session",           "sluice.v1.KvCache/Session/Heartbeat",
      "sluice.v1.KvCache/Session/BeginStep", "sluice.v1.KvCache/Session/EndStep",
      "sluice.v1.KvCache/Session/Append",    "sluice.v1.KvCache/Session/Attend",
      "sluice.v1.Admin/ListSequences",       "sluice.v1.Admin/InspectSequence",
      "sluice.v1.Admin/InspectHeadCache",    "sluice.v1.Admin/ListClients",
      "sluice.v1.Admin/GetStatus",           "sluice.v1.Admin/Reclaim",
      "sluice.v1.Admin/Drain",
  };
  const auto index = static_cast<size_t>(method);
  SLUICE_CHECK(index < kNames.size()) << "method " << index;
  return kNames[index];
}

}  // namespace sluice
