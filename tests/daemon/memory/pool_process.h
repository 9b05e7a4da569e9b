// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/unique_fd.h"
#include "daemon/memory/pool_segment.h"
#include "tests/daemon/memory/pool_access.h"

namespace sluice {

// Pools of one place, and how processes touch them.
struct PoolKind {
  std::string name;
  PoolPlace place = PoolPlace::kHost;
  bool shared_writable = false;  // who maps another's pool may write it
  std::function<std::unique_ptr<PoolAccess>()> access;
};

// A process that takes a pool or maps one, and touches it as it is asked. It is a copy of this
// one, which must not have touched a GPU. Each answer is false where the process is gone, too.
//
// Owned by one thread.
class PoolProcess {
 public:
  explicit PoolProcess(const PoolKind& kind);
  ~PoolProcess();  // as Kill
  PoolProcess(const PoolProcess&) = delete;
  PoolProcess& operator=(const PoolProcess&) = delete;

  // Takes a pool of at least `bytes`, and gives it back. Create's fault() says why it cannot.
  bool Create(int64_t bytes);
  bool Free();
  // Of the pool: its descriptor and its bytes.
  const UniqueFd& fd() const { return fd_; }
  int64_t bytes() const { return bytes_; }
  const std::string& fault() const { return fault_; }

  // Maps the pool of another process.
  bool Map(const PoolProcess& owner, bool writable);

  // Of the byte at `offset` of the pool that was taken or mapped last.
  bool Write(int64_t offset, uint8_t value);
  bool Holds(int64_t offset, uint8_t value);

  // PoolAccess::FreeBytes in that process.
  int64_t FreeBytes();

  // Ends it at once, wherever it is.
  void Kill();

 private:
  struct Message;
  class Server;

  bool Ask(Message* message, int descriptor, UniqueFd* received);

  pid_t process_ = -1;
  UniqueFd socket_;
  UniqueFd fd_;
  int64_t bytes_ = 0;
  std::string fault_;
};

}  // namespace sluice
