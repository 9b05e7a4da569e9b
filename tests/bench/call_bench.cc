// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// Measures one decode call through a session stream of a real daemon against a round
// trip of the same messages through an empty stream and then the same operations in
// this process, on this thread.
//
// Blocks of either follow one another, so that what else the machine does falls on
// both. Round trips and operations take turns, as they do in the daemon: either
// finds the caches as the other has left them. On which cores the threads of a
// server settle is chance, doubles a round trip and lasts as long as the server does;
// so there are several launches. The value is the median over the blocks of all
// launches of call / (empty + attend). Prints one JSON object a line.
// Usage: sluice_call_bench <path of sluiced> [launches].

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/make_backend.h"
#include "sluice/v1/kv_cache.grpc.pb.h"
#include "tests/bench/echo_server.h"
#include "tests/bench/measure.h"
#include "tests/kernels/testing/test_batch.h"
#include "tests/testing/child_process.h"

namespace sluice::bench {
namespace {

constexpr int32_t kLayers = 8;
constexpr int32_t kQueryHeads = 4;
constexpr int32_t kKvHeads = 2;
constexpr int32_t kDim = 64;
constexpr int64_t kTokens = 512;
constexpr int kBlocksPerLaunch = 12;
constexpr int kStepsPerBlock = 25;
constexpr int kOutBytes = kQueryHeads * kDim * 2;

[[noreturn]] void Fail(const std::string& what) {
  // Thrown, so that the servers are ended on the way out.
  throw std::runtime_error(what);
}

// bf16 values around a quarter of either sign.
std::string Values(int64_t elements) {
  std::string bytes;
  for (int64_t i = 0; i < elements; ++i) {
    const auto bits = static_cast<uint16_t>(
        0x3e80u | (static_cast<uint64_t>(i) * 2654435761u >> 7 & 0x807fu));
    bytes.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
  return bytes;
}

void FillTensor(int64_t rows, int32_t heads, v1::Tensor* tensor) {
  tensor->set_dtype(v1::DTYPE_BF16);
  for (const int64_t extent : {rows, int64_t{heads}, int64_t{kDim}}) tensor->add_shape(extent);
  tensor->set_inline_(Values(rows * heads * kDim));
}

// A session stream, asked call by call.
class Stream {
 public:
  explicit Stream(const std::string& address)
      : channel_(Connect(address)), stub_(v1::KvCache::NewStub(channel_)),
        stream_(stub_->Session(&context_)) {}
  ~Stream() {
    context_.TryCancel();
    stream_->Finish();
  }

  const v1::SessionResponse& Ask(v1::SessionRequest* request) {
    request->set_call_id(++last_call_id_);
    if (!stream_->Write(*request) || !stream_->Read(&response_)) Fail("the stream has ended");
    if (response_.has_error()) Fail(response_.error().ShortDebugString());
    return response_;
  }
  v1::KvCache::Stub& stub() { return *stub_; }

 private:
  static std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
    grpc::ChannelArguments arguments;
    // Two streams of one process must not share a connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel =
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(30);
    if (!channel->WaitForConnected(deadline)) Fail("nobody answers at " + address);
    return channel;
  }

  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::KvCache::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>> stream_;
  v1::SessionResponse response_;
  uint64_t last_call_id_ = 0;
};

void FillAttend(int32_t layer, v1::AttendRequest* attend) {
  attend->set_layer(layer);
  FillTensor(1, kQueryHeads, attend->mutable_q());
  FillTensor(1, kKvHeads, attend->mutable_k());
  FillTensor(1, kKvHeads, attend->mutable_v());
}

// A sequence of kTokens in a daemon, decoded one token at a time; each step takes
// back the one before, so that all see as many tokens.
class DaemonCalls {
 public:
  explicit DaemonCalls(const std::string& address) : stream_(address) {
    v1::SessionRequest open;
    open.mutable_open()->set_client_name("benchmark");
    session_ = stream_.Ask(&open).open().session_id();
    Register();
    Create();
    Begin(0, kTokens, v1::PHASE_PREFILL, true);
    v1::SessionRequest append;
    append.mutable_append()->set_step_id(step_);
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      v1::AppendLayer* part = append.mutable_append()->add_layers();
      part->set_layer(layer);
      FillTensor(kTokens, kKvHeads, part->mutable_k());
      FillTensor(kTokens, kKvHeads, part->mutable_v());
    }
    if (!stream_.Ask(&append).append().step_closed()) Fail("the step did not close");
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      FillAttend(layer, calls_[layer].mutable_attend());
    }
  }

  // Adds the seconds of each call of a step to `seconds`.
  void Step(std::vector<double>* seconds) {
    Begin(kTokens, 1, v1::PHASE_DECODE, false);
    for (v1::SessionRequest& call : calls_) {
      call.mutable_attend()->set_step_id(step_);
      const double start = NowSeconds();
      stream_.Ask(&call);
      seconds->push_back(NowSeconds() - start);
    }
  }

 private:
  void Register() {
    v1::RegisterModelRequest request;
    v1::ModelGeometry* model = request.mutable_geometry();
    model->set_name("benchmark");
    model->set_query_head_count(kQueryHeads);
    model->set_k_dim(kDim);
    model->set_v_dim(kDim);
    model->set_dtype(v1::DTYPE_BF16);
    model->set_page_size_tokens(32);
    model->set_key_space(v1::ModelGeometry::KEY_SPACE_ROTATED);
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      model->add_layers()->set_kv_head_count(kKvHeads);
    }
    grpc::ClientContext context;
    v1::RegisterModelResponse response;
    const grpc::Status status = stream_.stub().RegisterModel(&context, request, &response);
    if (!status.ok()) Fail("RegisterModel: " + status.error_message());
    model_ = response.model_id();
  }

  void Create() {
    v1::CreateSequenceRequest request;
    request.set_model_id(model_);
    request.set_session_id(session_);
    grpc::ClientContext context;
    v1::CreateSequenceResponse response;
    const grpc::Status status = stream_.stub().CreateSequence(&context, request, &response);
    if (!status.ok()) Fail("CreateSequence: " + status.error_message());
    sequence_ = response.sequence_id();
  }

  void Begin(int64_t base_length, int64_t tokens, v1::Phase phase, bool append_only) {
    v1::SessionRequest request;
    request.mutable_begin_step()->set_append_only(append_only);
    v1::StepEntry* entry = request.mutable_begin_step()->add_entries();
    entry->set_sequence_id(sequence_);
    entry->set_base_length(base_length);
    entry->set_token_count(tokens);
    entry->set_phase(phase);
    entry->set_rollback(phase == v1::PHASE_DECODE);
    step_ = stream_.Ask(&request).begin_step().step_id();
  }

  Stream stream_;
  uint64_t session_ = 0;
  uint64_t model_ = 0;
  uint64_t sequence_ = 0;
  uint64_t step_ = 0;
  v1::SessionRequest calls_[kLayers];
};

// The same messages to a server that does nothing.
class EmptyCalls {
 public:
  explicit EmptyCalls(const std::string& address) : stream_(address) {
    FillAttend(0, call_.mutable_attend());
    call_.mutable_attend()->set_step_id(uint64_t{1} << 62);  // as long as a real one
  }

  double Seconds() {
    const double start = NowSeconds();
    if (stream_.Ask(&call_).attend().out().inline_().size() != kOutBytes) Fail("wrong answer");
    return NowSeconds() - start;
  }

 private:
  Stream stream_;
  v1::SessionRequest call_;
};

// The same append and attend, run by this thread.
class DirectCalls {
 public:
  DirectCalls() : batch_(Format(), kKvHeads * kLayers, /*seed=*/1) {
    batch_.AddSequence({.tail_first_position = 0, .tail_start = 0, .stored_tokens = kTokens});
    view_ = batch_.View();
    backend_ = MakeBackend({BackendKind::kCpu, batch_.pool(), 0, nullptr});
  }

  double Seconds(int32_t layer) {
    const double start = NowSeconds();
    backend_->SetQuiet(true);
    LayerShape shape;
    shape.first_row = layer * kKvHeads;
    shape.kv_heads = kKvHeads;
    shape.q_heads = kQueryHeads;
    shape.k_dim = kDim;
    shape.v_dim = kDim;
    shape.scale = 1.0f / std::sqrt(static_cast<float>(kDim));
    AppendArgs append;
    append.view = &view_;
    append.layer = &shape;
    append.k = k_.data();
    append.v = k_.data();
    append.k_dtype = append.v_dtype = Dtype::kBf16;
    append.token_count = 1;
    backend_->Submit(Lane::kForeground, append);
    AttendArgs attend;
    attend.view = &view_;
    attend.layer = &shape;
    attend.q = q_.data();
    attend.out = out_.data();
    attend.dtype = Dtype::kBf16;
    attend.token_count = 1;
    backend_->Submit(Lane::kForeground, attend);
    backend_->Help();
    backend_->SetQuiet(false);
    backend_->WaitIdle();
    return NowSeconds() - start;
  }

 private:
  static PageFormat Format() {
    PageFormat format;
    format.dtype = Dtype::kBf16;
    format.k_dim = kDim;
    format.v_dim = kDim;
    return format;
  }

  kernels_testing::TestBatch batch_;
  StepView view_;
  std::unique_ptr<Backend> backend_;
  std::string q_ = Values(kQueryHeads * kDim);
  std::string k_ = Values(kKvHeads * kDim);
  std::string out_ = std::string(kOutBytes, '\0');
};

struct Block {
  double call = 0;
  double empty = 0;
  double direct = 0;
};

Block MeasureBlock(DaemonCalls& daemon, EmptyCalls& empty, DirectCalls& direct) {
  std::vector<double> calls, empties, directs;
  for (int step = 0; step < kStepsPerBlock; ++step) {
    daemon.Step(&calls);
    for (int32_t layer = 0; layer < kLayers; ++layer) {
      empties.push_back(empty.Seconds());
      directs.push_back(direct.Seconds(layer));
    }
  }
  return {Median(calls), Median(empties), Median(directs)};
}

// Adds what the blocks of one launch take to `blocks`.
void MeasureServers(const std::string& daemon_address, const std::string& empty_address,
                    std::vector<Block>* blocks) {
  DaemonCalls daemon(daemon_address);
  EmptyCalls empty(empty_address);
  DirectCalls direct;
  MeasureBlock(daemon, empty, direct);  // warms up
  for (int i = 0; i < kBlocksPerLaunch; ++i) {
    blocks->push_back(MeasureBlock(daemon, empty, direct));
  }
}

void Launch(const std::string& daemon_path, const std::string& folder,
            std::vector<Block>* blocks) {
  const std::string daemon_address = "unix:" + folder + "/daemon.sock";
  const std::string empty_address = "unix:" + folder + "/empty.sock";
  const ChildProcess daemon({daemon_path, "--listen=" + daemon_address, "--metrics_address=off",
                             "--pool_bytes=67108864"});
  const ChildProcess empty({std::filesystem::read_symlink("/proc/self/exe"), "--empty-server",
                            empty_address, std::to_string(kOutBytes)});
  MeasureServers(daemon_address, empty_address, blocks);
}

double MedianOf(const std::vector<Block>& blocks, double (*value)(const Block&)) {
  std::vector<double> values;
  for (const Block& block : blocks) values.push_back(value(block));
  return Median(values);
}

void Print(const std::vector<Block>& blocks) {
  const auto ratio = [](const Block& block) { return block.call / (block.empty + block.direct); };
  const auto call_us = [](const Block& block) { return block.call * 1e6; };
  const auto empty_us = [](const Block& block) { return block.empty * 1e6; };
  const auto direct_us = [](const Block& block) { return block.direct * 1e6; };
  PrintFigure("call_vs_empty_stream", MedianOf(blocks, ratio), "ratio",
              Field("call_us", MedianOf(blocks, call_us)) +
                  Field("empty_stream_us", MedianOf(blocks, empty_us)) +
                  Field("attend_us", MedianOf(blocks, direct_us)));
}

int Main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--empty-server") {
    return ServeEmptyStream(argv[2], std::atoi(argv[3]));
  }
  const int launches = argc > 2 ? std::atoi(argv[2]) : 9;
  if (argc < 2 || launches < 1) {
    std::fprintf(stderr, "usage: sluice_call_bench <path of sluiced> [launches >= 1]\n");
    return 2;
  }
  std::string folder = std::filesystem::temp_directory_path() / "sluice-bench-XXXXXX";
  int exit_code = 0;
  try {
    if (mkdtemp(folder.data()) == nullptr) Fail("cannot make " + folder);
    std::vector<Block> blocks;
    for (int i = 0; i < launches; ++i) Launch(argv[1], folder, &blocks);
    Print(blocks);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sluice_call_bench: %s\n", error.what());
    exit_code = 1;
  }
  std::filesystem::remove_all(folder);
  return exit_code;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::Main(argc, argv); }
