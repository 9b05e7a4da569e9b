// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/daemon/memory/pool_process.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "tests/testing/descriptor_socket.h"

namespace sluice {

// What is asked, and answered with.
struct PoolProcess::Message {
  enum class Ask : int32_t { kCreate, kFree, kMap, kMapWritable, kWrite, kRead, kFreeBytes };
  Ask ask = Ask::kCreate;
  bool is_done = false;
  uint8_t value = 0;
  int64_t number = 0;  // bytes, or an offset
  char text[400] = {};
};

// What runs in the process until the other end is gone.
class PoolProcess::Server {
 public:
  Server(int socket, const PoolKind& kind) : socket_(socket), kind_(kind) {}

  void Run() {
    Message message;
    int received = -1;
    while (ReceiveWithDescriptor(socket_, &message, sizeof(message), &received)) {
      const UniqueFd descriptor(received);
      int own = -1;
      if (message.ask == Message::Ask::kCreate) {
        own = Create(&message);
      } else {
        message.is_done = Does(&message, descriptor.get());
      }
      if (!SendWithDescriptor(socket_, &message, sizeof(message), own)) return;
    }
  }

 private:
  // The descriptor of the pool; -1: there is none.
  int Create(Message* message) {
    auto made = PoolSegment::Create(kind_.place, "test", message->number, nullptr);
    message->is_done = made.ok();
    if (!made.ok()) {
      std::snprintf(message->text, sizeof(message->text), "%s", made.status().ToString().c_str());
      return -1;
    }
    segment_ = *std::move(made);
    memory_ = segment_->data();
    message->number = segment_->size_bytes();
    return segment_->fd();
  }

  bool Does(Message* message, int descriptor) {
    if (access_ == nullptr) access_ = kind_.access();
    switch (message->ask) {
      case Message::Ask::kFree:
        segment_.reset();
        return true;
      case Message::Ask::kMap:
      case Message::Ask::kMapWritable:
        memory_ = access_->Map(descriptor, message->number,
                               message->ask == Message::Ask::kMapWritable);
        return memory_ != nullptr;
      case Message::Ask::kWrite:
        return access_->Write(memory_ + message->number, message->value);
      case Message::Ask::kRead:
        return access_->Read(memory_ + message->number, &message->value);
      case Message::Ask::kFreeBytes:
        message->number = access_->FreeBytes();
        return true;
      case Message::Ask::kCreate:
        break;
    }
    return false;
  }

  const int socket_;
  const PoolKind& kind_;
  std::unique_ptr<PoolAccess> access_;
  std::optional<PoolSegment> segment_;
  std::byte* memory_ = nullptr;
};

PoolProcess::PoolProcess(const PoolKind& kind) {
  constexpr timeval kPatience = {60, 0};
  int sockets[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return;
  process_ = ::fork();
  if (process_ == 0) {
    ::close(sockets[0]);
    Server(sockets[1], kind).Run();
    ::_exit(0);
  }
  ::close(sockets[1]);
  socket_.Reset(sockets[0]);
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
}

PoolProcess::~PoolProcess() { Kill(); }

bool PoolProcess::Create(int64_t bytes) {
  Message message;
  message.number = bytes;
  const bool is_done = Ask(&message, -1, &fd_);
  bytes_ = message.number;
  fault_ = message.text;
  return is_done;
}

bool PoolProcess::Free() {
  fd_.Reset();
  Message message;
  message.ask = Message::Ask::kFree;
  return Ask(&message, -1, nullptr);
}

bool PoolProcess::Map(const PoolProcess& owner, bool writable) {
  Message message;
  message.ask = writable ? Message::Ask::kMapWritable : Message::Ask::kMap;
  message.number = owner.bytes();
  return Ask(&message, owner.fd().get(), nullptr);
}

bool PoolProcess::Write(int64_t offset, uint8_t value) {
  Message message;
  message.ask = Message::Ask::kWrite;
  message.number = offset;
  message.value = value;
  return Ask(&message, -1, nullptr);
}

bool PoolProcess::Holds(int64_t offset, uint8_t value) {
  Message message;
  message.ask = Message::Ask::kRead;
  message.number = offset;
  return Ask(&message, -1, nullptr) && message.value == value;
}

int64_t PoolProcess::FreeBytes() {
  Message message;
  message.ask = Message::Ask::kFreeBytes;
  return Ask(&message, -1, nullptr) ? message.number : -1;
}

void PoolProcess::Kill() {
  fd_.Reset();
  socket_.Reset();
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

bool PoolProcess::Ask(Message* message, int descriptor, UniqueFd* received) {
  int came = -1;
  if (!SendWithDescriptor(socket_.get(), message, sizeof(*message), descriptor) ||
      !ReceiveWithDescriptor(socket_.get(), message, sizeof(*message), &came)) {
    return false;
  }
  UniqueFd owned(came);
  if (received != nullptr) *received = std::move(owned);
  return message->is_done;
}

}  // namespace sluice
