// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/engine.h"

#include <pthread.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/mutex.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/command_queue.h"
#include "daemon/engine/core.h"
#include "daemon/engine/data_calls.h"
#include "daemon/engine/engine_memory.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/pressure.h"
#include "daemon/engine/sequences.h"
#include "daemon/engine/sessions.h"
#include "daemon/engine/steps.h"

namespace sluice {
namespace {

// Pages that one turn of the loop gives back, so that nobody waits for a long free.
constexpr int64_t kPagesPerSlice = 1024;
constexpr int64_t kCommandsPerTurn = 64;

// Who posts a call runs it to its end if its operations cost no more than this, some
// tens of microseconds: no longer than to wake other threads for it. Those that cost
// more, up to some hundred, it runs together with the threads that it wakes. A turn
// that begins, one that ends the call, and those that find what that made possible.
constexpr int64_t kBytesAlone = int64_t{1} << 20;
constexpr int64_t kBytesTogether = int64_t{4} << 20;
constexpr int kRoundsHere = 5;

// Deadlines further away than this need not wake the thread when they are set.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

absl::StatusOr<std::unique_ptr<Backend>> MakeBackendOf(const EngineOptions& options,
                                                       const Core::Memory& memory,
                                                       CompletionSignal& signal) {
  BackendOptions backend{options.backend, memory.pool, options.worker_threads, &signal};
  backend.pool_bytes = memory.slab_count * memory.pool.slab_bytes + memory.workspace_bytes;
  backend.table_bytes = memory.table_bytes;
  backend.format_count = Core::kMaxFormats;
  backend.arithmetic = options.arithmetic;
  MadeBackend made =
      options.make_backend ? options.make_backend(backend) : TryMakeBackend(backend);
  if (made.backend != nullptr) return std::move(made.backend);
  return absl::Status(made.fault_is_memory ? absl::StatusCode::kResourceExhausted
                                           : absl::StatusCode::kUnavailable,
                      absl::StrCat("backend: ", made.fault));
}

uint32_t RandomEpoch() {
  std::random_device random;
  return std::uniform_int_distribution<uint32_t>(1, kMaxEpoch)(random);
}

}  // namespace

class Engine::Impl {
 public:
  Impl(EngineOptions options, const Clock& clock, EngineMemory memory,
       std::unique_ptr<CompletionSignal> signal, std::unique_ptr<Backend> backend)
      : options_(std::move(options)),
        memory_(std::move(memory)),
        owned_signal_(std::move(signal)),
        backend_(std::move(backend)),
        queue_(static_cast<int32_t>(options_.tenants.size()), options_.queue_length, signal_),
        core_(options_, clock, *backend_, memory_.view(), RandomEpoch()),
        jobs_(core_),
        pressure_(core_, jobs_),
        steps_(core_, jobs_),
        sequences_(core_, jobs_, steps_),
        data_calls_(core_, steps_),
        sessions_(core_, steps_, sequences_, jobs_),
        thread_([this] { Run(); }) {}

  ~Impl() {
    queue_.Close();
    stopping_.store(true);
    signal_.Raise();
    thread_.join();
  }

  absl::Status Post(Command command) { return queue_.Push(std::move(command)); }
  absl::Status PostAndWork(Command command);
  uint32_t epoch() const { return core_.epoch; }
  const EngineOptions& options() const { return options_; }
  const Backend& backend() const { return *backend_; }

 private:
  void Run();
  bool WorkHere() noexcept ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mu_);
  bool Turn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mu_);
  bool HandleCommands();
  bool GiveBack();
  int64_t WaitMs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mu_);
  absl::Duration NextDeadline() const;
  void Wait(uint32_t seen, int64_t wait_ms);
  void Stop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mu_);

  void Handle(OpenSession&& command) { sessions_.Open(std::move(command)); }
  void Handle(CloseSession&& command) { sessions_.Close(command); }
  void Handle(RegisterModel&& command) { sequences_.Register(std::move(command)); }
  void Handle(CreateSequence&& command) { sequences_.Create(std::move(command)); }
  void Handle(ForkSequences&& command) { sequences_.Fork(std::move(command)); }
  void Handle(FreeSequences&& command) { sequences_.Free(std::move(command)); }
  void Handle(GetSequence&& command) { sequences_.Get(std::move(command)); }
  void Handle(MatchPrefix&& command) { sequences_.Match(std::move(command)); }
  void Handle(BeginStep&& command) { steps_.Begin(std::move(command)); }
  void Handle(EndStep&& command) { steps_.End(std::move(command)); }
  void Handle(Append&& command) { data_calls_.Append(std::move(command)); }
  void Handle(Attend&& command) { data_calls_.Attend(std::move(command)); }
  void Handle(SetPolicy&& command) { sequences_.Set(std::move(command)); }
  void Handle(Compress&& command) { sequences_.Compress(std::move(command)); }
  void Handle(ExplainSequence&& command) { data_calls_.Explain(std::move(command)); }
  void Handle(InspectSequence&& command) { sequences_.Inspect(std::move(command)); }
  void Handle(GetStatus&& command) {
    sessions_.Status(std::move(command), queue_.size(), pressure_.status());
  }
  void Handle(ListSequences&& command) { sequences_.List(std::move(command)); }
  void Handle(ListSessions&& command) { sessions_.List(std::move(command)); }
  void Handle(ReclaimMemory&& command) { pressure_.Reclaim(std::move(command)); }
  void Handle(Drain&& command) { sessions_.Drain(std::move(command)); }
  void Handle(Wake&&) { core_.waiting.Changed(); }

  const EngineOptions options_;
  Mutex turn_mu_;  // who has it is "the engine thread"
  absl::Duration wakes_at_ ABSL_GUARDED_BY(turn_mu_) = absl::InfiniteDuration();  // the thread
  EngineMemory memory_;
  const std::unique_ptr<CompletionSignal> owned_signal_;
  CompletionSignal& signal_ = *owned_signal_;  // the backend has its address
  std::unique_ptr<Backend> backend_;
  CommandQueue queue_;
  Core core_;
  Jobs jobs_;
  Pressure pressure_;
  Steps steps_;
  Sequences sequences_;
  DataCalls data_calls_;
  Sessions sessions_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

void Engine::Impl::Run() {
  pthread_setname_np(pthread_self(), "sluice-engine");
  while (!stopping_.load()) {
    const uint32_t seen = signal_.value();
    int64_t wait_ms = 0;
    {
      MutexLock turn(&turn_mu_);
      if (Turn()) continue;
      wait_ms = WaitMs();
    }
    Wait(seen, wait_ms);
  }
  MutexLock turn(&turn_mu_);
  Stop();
}

void Engine::Impl::Wait(uint32_t seen, int64_t wait_ms) {
  if (options_.on_idle) options_.on_idle(true);
  signal_.Wait(seen, wait_ms);
  if (options_.on_idle) options_.on_idle(false);
}

absl::Status Engine::Impl::PostAndWork(Command command) {
  SLUICE_RETURN_IF_ERROR(queue_.PushQuietly(std::move(command)));
  bool raise = true;
  if (turn_mu_.TryLock()) {
    raise = WorkHere();
    turn_mu_.Unlock();
  }
  if (raise) signal_.Raise();
  return absl::OkStatus();
}

// Returns whether the thread has to take over.
bool Engine::Impl::WorkHere() noexcept {
  bool more = true;
  backend_->SetQuiet(true);
  for (int round = 0; round < kRoundsHere && more; ++round) {
    more = Turn();
    if (!core_.dispatcher.HasOnly(kBytesTogether)) continue;
    if (!core_.dispatcher.HasOnly(kBytesAlone)) backend_->SetQuiet(false);
    backend_->Help();
    more = true;
  }
  backend_->SetQuiet(false);
  return more || NextDeadline() < wakes_at_;
}

bool Engine::Impl::Turn() {
  bool worked = HandleCommands();
  worked = core_.dispatcher.Pump() || worked;
  worked = jobs_.Pump() || worked;
  worked = GiveBack() || worked;
  worked = jobs_.Pump() || worked;  // what it gave up is for a job by passes first
  const absl::Duration now = core_.now();
  worked = sessions_.ExpireLeases(now) || worked;
  worked = pressure_.Pump(now) || worked;
  worked = core_.waiting.Pump(now) || worked;
  // A waiter, or a lease that ran out, may have made work.
  worked = core_.dispatcher.Pump() || worked;
  worked = jobs_.Pump() || worked;
  return sessions_.PumpDrain() || worked;
}

bool Engine::Impl::HandleCommands() {
  for (int64_t handled = 0; handled < kCommandsPerTurn; ++handled) {
    std::optional<Command> command = queue_.Pop();
    if (!command.has_value()) return handled > 0;
    std::visit([this](auto& request) { Handle(std::move(request)); }, *command);
  }
  return true;
}

bool Engine::Impl::GiveBack() {
  bool worked = false;
  if (core_.cache.reclaim_pending() && !core_.dispatcher.copies_wait()) {
    const LaneTickets newest = core_.submitted();
    const Reclaimed reclaimed = core_.cache.ReclaimSlice(kPagesPerSlice, newest);
    for (const BlockId block : reclaimed.blocks) core_.tables.DropBlock(block, newest);
    for (const BodiesId bodies : reclaimed.bodies) core_.tables.DropBodies(bodies, newest);
    worked = true;
  }
  core_.tables.Passed(core_.completed());
  if (core_.cache.pool_bytes().retired > 0) {
    const int64_t before = core_.cache.pool_bytes().retired;
    core_.cache.Passed(core_.completed(), kPagesPerSlice);
    worked = core_.cache.pool_bytes().retired != before || worked;
  }
  if (worked) core_.waiting.Changed();
  return worked;
}

absl::Duration Engine::Impl::NextDeadline() const {
  return std::min({core_.leases.NextDeadline(), core_.waiting.NextDeadline(),
                   pressure_.NextDeadline()});
}

int64_t Engine::Impl::WaitMs() {
  const absl::Duration next = NextDeadline();
  wakes_at_ = next;
  if (next == absl::InfiniteDuration()) return -1;
  const absl::Duration now = core_.clock.MonotonicNow();
  wakes_at_ = std::min(next, now + kLongestSleep);
  return std::max<int64_t>(0, absl::ToInt64Milliseconds(wakes_at_ - now)) + 1;
}

// Nothing may be under way when the backend goes; every caller gets an answer.
void Engine::Impl::Stop() {
  core_.draining = true;
  core_.stopping = true;
  while (std::optional<Command> command = queue_.Pop()) {
    std::visit(
        [](auto& request) {
          if constexpr (requires { request.done(Draining()); }) request.done(Draining());
        },
        *command);
  }
  std::vector<StepState*> steps;
  for (const auto& [id, step] : core_.steps) steps.push_back(step.get());
  for (StepState* step : steps) steps_.Undo(*step);
  for (const auto& [id, sequence] : core_.sequences) {
    sequence->prefill_end_due = false;
    sequence->every_due = false;
    jobs_.Cancel(*sequence);
  }
  core_.waiting.Changed();
  core_.waiting.Pump(core_.now());
  while (!core_.dispatcher.idle()) {
    backend_->WaitIdle();
    core_.dispatcher.Pump();
  }
  backend_->WaitIdle();
  jobs_.Pump();
  sessions_.PumpDrain();
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(
    EngineOptions options, const Clock& clock, std::function<void(int64_t)> progress) {
  if (options.tenants.empty()) return RefuseField("tenants", "must name at least one");
  SLUICE_ASSIGN_OR_RETURN(EngineMemory memory, EngineMemory::Create(options, progress));
  auto signal = std::make_unique<CompletionSignal>();
  SLUICE_ASSIGN_OR_RETURN(auto backend, MakeBackendOf(options, memory.view(), *signal));
  return std::unique_ptr<Engine>(
      new Engine(std::make_unique<Impl>(std::move(options), clock, std::move(memory),
                                        std::move(signal), std::move(backend))));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

absl::Status Engine::Post(Command command) { return impl_->Post(std::move(command)); }
absl::Status Engine::PostAndWork(Command command) {
  return impl_->PostAndWork(std::move(command));
}
uint32_t Engine::epoch() const { return impl_->epoch(); }
const EngineOptions& Engine::options() const { return impl_->options(); }
const Backend& Engine::backend() const { return impl_->backend(); }

}  // namespace sluice
