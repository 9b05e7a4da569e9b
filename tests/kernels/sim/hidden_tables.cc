// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/hidden_tables.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "tests/kernels/sim/sim_backend.h"
#include "tests/kernels/sim/sim_runtime.h"

namespace sluice::sim {
namespace {

constexpr int64_t kOsPageBytes = 4096;

void EndOnError(bool failed, const char* call) {
  if (!failed) return;
  std::perror(call);
  std::abort();
}

// Memory that can be made unreachable.
class HiddenMemory {
 public:
  explicit HiddenMemory(int64_t bytes) : bytes_(RoundUp(bytes + 1, kOsPageBytes)) {
    void* const memory = ::mmap(nullptr, static_cast<size_t>(bytes_), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EndOnError(memory == MAP_FAILED, "mmap");
    data_ = static_cast<std::byte*>(memory);
  }
  ~HiddenMemory() { ::munmap(data_, static_cast<size_t>(bytes_)); }
  HiddenMemory(const HiddenMemory&) = delete;
  HiddenMemory& operator=(const HiddenMemory&) = delete;

  std::byte* data() const { return data_; }
  void Hide() { Protect(PROT_NONE); }
  void Show() { Protect(PROT_READ | PROT_WRITE); }

 private:
  void Protect(int protection) {
    EndOnError(::mprotect(data_, static_cast<size_t>(bytes_), protection) != 0, "mprotect");
  }

  const int64_t bytes_;
  std::byte* data_ = nullptr;
};

// While a kernel runs it alone reaches the device's memory, and nobody reaches `host`.
class HidingRuntime final : public SimRuntime {
 public:
  HidingRuntime(uint64_t seed, HiddenMemory& host) : SimRuntime(seed), host_(host) {}

  std::byte* AllocateDevice(int64_t bytes) override {
    auto memory = std::make_unique<HiddenMemory>(bytes);
    std::memset(memory->data(), 0xff, static_cast<size_t>(bytes));
    memory->Hide();
    device_.push_back(std::move(memory));
    return device_.back()->data();
  }
  void FreeDevice(std::byte* memory) override {
    std::erase_if(device_, [&](const auto& one) { return one->data() == memory; });
  }
  void Clear(std::byte* memory, int64_t bytes) override {
    ReachDevice([&] { SimRuntime::Clear(memory, bytes); });
  }
  void Upload(Lane lane, std::byte* to, const std::byte* from, int64_t bytes) override {
    ReachDevice([&] { SimRuntime::Upload(lane, to, from, bytes); });
    // Kernels are to read what was brought.
    std::memset(const_cast<std::byte*>(from), 0xee, static_cast<size_t>(bytes));
  }
  void Launch(Lane lane, const device::DeviceKernel& kernel,
              const device::LaunchShape& shape) override {
    host_.Hide();
    ReachDevice([&] { SimRuntime::Launch(lane, kernel, shape); });
    host_.Show();
  }

 private:
  template <class Function>
  void ReachDevice(const Function& function) {
    for (const auto& one : device_) one->Show();
    function();
    for (const auto& one : device_) one->Hide();
  }

  HiddenMemory& host_;
  std::vector<std::unique_ptr<HiddenMemory>> device_;
};

class BackendWithHiddenTables final : public Backend {
 public:
  using Make = std::function<std::unique_ptr<Backend>(const BackendOptions&, HiddenMemory&)>;

  BackendWithHiddenTables(const BackendOptions& options, const Make& make)
      : tables_(options.pool.tables),
        table_bytes_(options.table_bytes),
        formats_(options.pool.formats),
        format_bytes_(options.format_count * static_cast<int64_t>(sizeof(SpanFormat))),
        memory_(table_bytes_ + format_bytes_),
        inner_(make(Hidden(options), memory_)) {}

  Ticket Submit(Lane lane, const Operation& operation) override {
    Tell(memory_.data(), tables_, table_bytes_);
    Tell(memory_.data() + table_bytes_, formats_, format_bytes_);
    const Ticket ticket = inner_->Submit(lane, operation);
    inner_->WaitIdle();
    return ticket;
  }
  void After(Lane lane, Ticket ticket) override { inner_->After(lane, ticket); }
  Ticket Submitted(Lane lane) const override { return inner_->Submitted(lane); }
  Ticket Completed(Lane lane) const override { return inner_->Completed(lane); }
  void WaitIdle() override { inner_->WaitIdle(); }
  void Clear(std::byte* memory, int64_t bytes) override { inner_->Clear(memory, bytes); }
  const char* name() const override { return inner_->name(); }
  PageLayout page_layout() const override { return inner_->page_layout(); }
  const char* description() const override { return inner_->description(); }

 private:
  BackendOptions Hidden(BackendOptions options) const {
    options.pool.tables = memory_.data();
    options.pool.formats = reinterpret_cast<const SpanFormat*>(memory_.data() + table_bytes_);
    return options;
  }

  // Both are zeros at first.
  void Tell(std::byte* to, const void* from, int64_t bytes) {
    if (bytes == 0 || std::memcmp(to, from, static_cast<size_t>(bytes)) == 0) return;
    std::memcpy(to, from, static_cast<size_t>(bytes));
    inner_->TablesChanged(to, bytes);
  }

  const void* const tables_;
  const int64_t table_bytes_;
  const void* const formats_;
  const int64_t format_bytes_;
  HiddenMemory memory_;  // tables, then formats
  const std::unique_ptr<Backend> inner_;
};

}  // namespace

std::unique_ptr<Backend> MakeWithHiddenTables(
    const BackendOptions& options,
    const std::function<std::unique_ptr<Backend>(const BackendOptions&)>& make) {
  return std::make_unique<BackendWithHiddenTables>(
      options, [&](const BackendOptions& hidden, HiddenMemory&) { return make(hidden); });
}

std::unique_ptr<Backend> MakeEmulatedWithHiddenTables(const BackendOptions& options,
                                                      uint64_t seed) {
  return std::make_unique<BackendWithHiddenTables>(
      options, [seed](const BackendOptions& hidden, HiddenMemory& memory) {
        return MakeEmulatedBackend(hidden, std::make_unique<HidingRuntime>(seed, memory));
      });
}

}  // namespace sluice::sim
