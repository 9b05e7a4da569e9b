// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gpu/second_process.h"

#include <cuda_runtime_api.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "kernels/cuda/gpu_error.h"
#include "tests/bench/gpu/gpu_streams.h"
#include "tests/bench/gpu/shared_memory.h"
#include "tests/testing/descriptor_socket.h"

namespace sluice::bench {
namespace {

enum class Ask : int32_t { kReply, kLaunch, kMap, kWrite };

// What is asked, and what is said back.
struct Message {
  Ask ask = Ask::kReply;
  uint32_t word = 0;
  int64_t bytes = 0;
};

// Runs in the second process until the first one is gone.
void Serve(int socket) {
  std::optional<SharedMemory> memory;
  Message message;
  int descriptor = -1;
  while (ReceiveWithDescriptor(socket, &message, sizeof(message), &descriptor)) {
    if (message.ask == Ask::kLaunch) {
      LaunchEmpty(cudaStreamPerThread);
      cuda::EndOnError(cudaStreamSynchronize(cudaStreamPerThread), "cudaStreamSynchronize");
    } else if (message.ask == Ask::kMap) {
      memory = SharedMemory::Import(descriptor, message.bytes);
      close(descriptor);
      cuda::EndOnError(cudaMemcpy(&message.word, memory->data(), sizeof(message.word),
                                  cudaMemcpyDeviceToHost),
                       "cudaMemcpy of what was mapped");
    } else if (message.ask == Ask::kWrite) {
      cudaError_t error = cudaMemset(memory->data(), 0, sizeof(uint32_t));
      if (error == cudaSuccess) error = cudaDeviceSynchronize();
      message.word = error != cudaSuccess;
    }
    if (!SendWithDescriptor(socket, &message, sizeof(message), -1)) return;
  }
}

// What the other process says; nothing where it is gone.
std::optional<Message> Asked(int socket, const Message& message, int descriptor) {
  Message answer;
  int none = -1;
  if (!SendWithDescriptor(socket, &message, sizeof(message), descriptor) ||
      !ReceiveWithDescriptor(socket, &answer, sizeof(answer), &none)) {
    return std::nullopt;
  }
  return answer;
}

constexpr const char* kGone = "the second process ended, or says nothing";
constexpr timeval kPatience = {30, 0};

}  // namespace

SecondProcess::SecondProcess() {
  int sockets[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return;
  process_ = fork();
  if (process_ == 0) {
    close(sockets[0]);
    Serve(sockets[1]);
    _exit(0);
  }
  close(sockets[1]);
  socket_ = sockets[0];
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
}

SecondProcess::~SecondProcess() {
  if (socket_ >= 0) close(socket_);
  if (process_ <= 0) return;
  kill(process_, SIGKILL);  // a fault of the device can leave it waiting
  waitpid(process_, nullptr, 0);
}

std::string SecondProcess::Ping(bool launch) {
  return Asked(socket_, {launch ? Ask::kLaunch : Ask::kReply}, -1) ? "" : kGone;
}

std::string SecondProcess::Map(int descriptor, int64_t bytes, uint32_t* first_word) {
  const std::optional<Message> answer = Asked(socket_, {Ask::kMap, 0, bytes}, descriptor);
  if (!answer) return kGone;
  *first_word = answer->word;
  return "";
}

std::string SecondProcess::Write(bool* refused) {
  const std::optional<Message> answer = Asked(socket_, {Ask::kWrite}, -1);
  if (!answer) return kGone;
  *refused = answer->word != 0;
  return "";
}

}  // namespace sluice::bench
