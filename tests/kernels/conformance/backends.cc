// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/conformance/backends.h"

#include "kernels/make_backend.h"
#include <thread>
#include "hwy/targets.h"
#include "kernels/cpu/attend_work.h"
#include "kernels/cpu/worker_pool.h"
#include "kernels/reference/reference_backend.h"


namespace sluice::kernels_testing {
namespace {

std::unique_ptr<Backend> MakeOfKind(BackendKind kind, const PoolView& pool, int32_t threads,
                                    CompletionSignal* signal) {
  return MakeBackend(BackendOptions{kind, pool, threads, signal});
}

class Direct : public ReferenceBackend {
 public:
  Direct(const PoolView& pool, CompletionSignal* s, int threads, int64_t targets) : ReferenceBackend(pool, s), pool_(pool), work_(pool_, cpu::kWorkerScratchBytes), threads_(threads), targets_(targets) {}
  Ticket Submit(Lane lane, const Operation& op) override {
    if (!std::holds_alternative<AttendArgs>(op)) return ReferenceBackend::Submit(lane, op);
    hwy::SetSupportedTargetsForTest(targets_);
    work_.Set(std::get<AttendArgs>(op));
    int64_t items = work_.Plan();
    if (items > 0) {
      while (items > 0) {
        std::atomic<int64_t> left{items};
        auto loop = [&](int w) {
          std::vector<std::byte> mem(cpu::kWorkerScratchBytes + 64, std::byte{0xff});
          cpu::WorkerScratch s; s.worker = w;
          s.data = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(mem.data()) + 63) / 64 * 64);
          s.bytes = cpu::kWorkerScratchBytes;
          for (;;) { int64_t i = left.fetch_sub(1) - 1; if (i < 0) break; work_.Run(i, s); }
        };
        std::vector<std::thread> ts;
        for (int w = 1; w < threads_; ++w) ts.emplace_back(loop, w);
        loop(0);
        for (auto& t : ts) t.join();
        items = work_.NextPhase();
      }
      work_.Finish();
    }
    hwy::SetSupportedTargetsForTest(0);
    return ReferenceBackend::Submit(lane, CopyPagesArgs{});
  }
  const PoolView pool_;
  cpu::AttendWork work_;
  int threads_; int64_t targets_;
};

std::vector<BackendUnderTest> ListBackends() {
  std::vector<BackendUnderTest> backends;
  backends.push_back({"reference", [](const PoolView& pool, int32_t threads, CompletionSignal* s) {
                        return MakeOfKind(BackendKind::kReference, pool, threads, s);
                      }});
  for (auto [n, t] : {std::pair<const char*, int64_t>{"avx3", HWY_AVX3}, {"avx2", HWY_AVX2}, {"sse4", HWY_SSE4}, {"ssse3", HWY_SSSE3}}) {
    backends.push_back({n, [t = t](const PoolView& pool, int32_t threads, CompletionSignal* s) { return std::make_unique<Direct>(pool, s, threads, t); }});
  }
  return backends;
}

}  // namespace

const std::vector<BackendUnderTest>& BackendsUnderTest() {
  static const std::vector<BackendUnderTest> backends = ListBackends();
  return backends;
}

}  // namespace sluice::kernels_testing
