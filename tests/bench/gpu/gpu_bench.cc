// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// Measures the kernels for devices on a GPU, against what its memory can do. Prints one JSON
// object a line: {"name", "value", "unit", ..}. Times are of the device's clock, medians of
// graph replays with a cold L2 cache, in turns with what they are compared with. Without a
// GPU, says why in a line and exits with 77. Usage: sluice_gpu_bench [part ..].

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/find_gpu.h"
#include "tests/bench/gpu/ceilings.h"
#include "tests/bench/gpu/gpu_device.h"
#include "tests/bench/gpu/gpu_streams.h"
#include "tests/bench/gpu/lowered_case.h"
#include "tests/bench/gpu/second_process.h"
#include "tests/bench/gpu/shared_memory.h"
#include "tests/bench/measure.h"

namespace sluice::bench {
namespace {

constexpr int kSkipped = 77;
constexpr int32_t kRepeats = 25;
constexpr int64_t kSlabs = 512;  // 1 GiB
constexpr int64_t kWorkspaceBytes = int64_t{1} << 30;
constexpr int64_t kTableBytes = int64_t{64} << 20;

// What the cases of a group are held against.
enum class Against { kNothing, kRead, kCopy };

class Kernels {
 public:
  explicit Kernels(GpuDevice& device)
      : device_(device), ceilings_(device), pool_(device, kSlabs, kWorkspaceBytes, kTableBytes) {}

  void MeasureCeilings() { ceilings_.Measure(); }

  void Decode() {
    const std::vector<double> seconds =
        Run({maker_.Decode("decode_512mb", 32, 4096, 32, false),
             maker_.Decode("decode_512mb_mass", 32, 4096, 32, true),
             maker_.DecodeRagged("decode_512mb_ragged", 32, 4096, 32),
             maker_.DecodeCascade("decode_512mb_cascade", 32, 4096, 32)},
            Against::kRead);
    PrintFigure("gpu_mass_cost", seconds[1] / seconds[0], "ratio");
    PrintFigure("gpu_ragged_cost", seconds[2] / seconds[0], "ratio");
    PrintFigure("gpu_cascade_cost", seconds[3] / seconds[0], "ratio");
  }

  void SmallDecode() {
    Run({maker_.Decode("decode_33mb", 1, 8192, 64, false),
         maker_.Decode("decode_4mb", 1, 960, 32, false),
         maker_.Decode("decode_4mb_mass", 1, 960, 32, true)},
        Against::kNothing);
  }

  void Prefill() { Run({maker_.Prefill("prefill_8k", 8192, 32)}, Against::kNothing); }

  void Move() {
    Run({maker_.Append("append_64k", 1, 65536), maker_.Compact("compact_half", 64, 16384, false),
         maker_.CopyPages("copy_pages", 16384)},
        Against::kCopy);
    Run({maker_.Append("append_step", 256, 1), maker_.Compact("compact_none", 64, 16384, true),
         maker_.InsertCascade("cascade_insert", 32, 4096, 32)},
        Against::kNothing);
  }

  void Select() {
    Run({maker_.Select("select_256x32k", 256, 32768, false)}, Against::kRead);
    Run({maker_.Select("select_33m", 1024, 32768, true)}, Against::kRead);
  }

  void Score() {
    Run({maker_.WindowScore("window_score", 131072, 32),
         maker_.KeyNormScore("key_norm_score", 8, 131072)},
        Against::kRead);
  }

 private:
  // The cases' seconds; prints their figures. What they use of the pool is given back.
  std::vector<double> Run(std::vector<Case> cases, Against against) {
    std::vector<std::unique_ptr<LoweredCase>> lowered;
    std::vector<std::unique_ptr<Graph>> graphs;
    std::vector<Timed> runs;
    for (Case& made : cases) {
      Progress(made.name);
      LoweredCase& added = *lowered.emplace_back(std::make_unique<LoweredCase>(pool_, made));
      added.Launch();  // loads what is launched
      device_.Synchronize();
      const Graph& graph = *graphs.emplace_back(
          std::make_unique<Graph>(device_, [&](cudaStream_t) { added.Launch(); }));
      runs.push_back([&graph](cudaStream_t stream) { graph.Launch(stream); });
    }
    if (against == Against::kRead) runs.push_back(ceilings_.Read());
    if (against == Against::kCopy) runs.push_back(ceilings_.Copy());
    const std::vector<double> seconds = device_.MedianSeconds(runs, kRepeats);
    for (size_t i = 0; i < cases.size(); ++i) {
      Print(cases[i], seconds[i], against,
            static_cast<double>(Ceilings::kBytes) / seconds.back());
    }
    pool_.StartOver();
    return seconds;
  }

  // `bytes_per_second`: of what it is held against.
  static void Print(const Case& made, double seconds, Against against, double bytes_per_second) {
    const std::string name = "gpu_" + made.name;
    PrintFigure((name + "_us").c_str(), seconds * 1e6, "us",
                Field("megabytes", made.bytes * 1e-6) + Field("gflop", made.flops * 1e-9));
    if (made.flops > 0.0) {
      PrintFigure((name + "_tflops").c_str(), made.flops / seconds * 1e-12, "TFLOP/s");
    }
    if (against == Against::kNothing) return;
    const char* const suffix = against == Against::kRead ? "_vs_read" : "_vs_copy";
    PrintFigure((name + suffix).c_str(), made.bytes / seconds / bytes_per_second, "ratio",
                Field("tb_per_s", made.bytes / seconds * 1e-12));
  }

  GpuDevice& device_;
  Ceilings ceilings_;
  GpuPool pool_;
  CaseMaker maker_{pool_};
};

// Microseconds from asking the second process until its answer, with a kernel of this one
// before it where `launch` says so.
std::string PrintPing(GpuDevice& device, SecondProcess& second, bool launch, const char* name) {
  constexpr int32_t kPings = 200;
  std::vector<double> seconds;
  for (int32_t i = 0; i < kPings; ++i) {
    const double start = NowSeconds();
    if (launch) {
      LaunchEmpty(device.stream());
      device.Synchronize();
    }
    const std::string fault = second.Ping(launch);
    if (!fault.empty()) return fault;
    if (i >= kPings / 10) seconds.push_back(NowSeconds() - start);  // those before warm up
  }
  PrintFigure(name, Median(seconds) * 1e6, "us");
  return "";
}

// What two processes on one GPU cost and can do; says what was wrong.
std::string Processes(GpuDevice& device, SecondProcess& second) {
  std::string fault = PrintPing(device, second, false, "gpu_second_process_reply");
  if (fault.empty()) fault = PrintPing(device, second, true, "gpu_second_process_kernels");
  if (!fault.empty()) return fault;
  if (!SharedMemory::Offered()) return "the driver shares no memory by file descriptors";
  const SharedMemory memory = SharedMemory::Create(int64_t{64} << 20);
  const uint32_t word = Bf16Word(0);
  device.FillBf16(memory.data(), memory.bytes());
  const int descriptor = memory.Export();
  const double start = NowSeconds();
  uint32_t seen = 0;
  fault = second.Map(descriptor, memory.bytes(), &seen);
  const double seconds = NowSeconds() - start;
  close(descriptor);
  if (!fault.empty()) return fault;
  if (seen != word) return "the second process reads something else than what was written";
  PrintFigure("gpu_shared_memory_map", seconds * 1e6, "us");
  bool refused = false;
  fault = second.Write(&refused);
  if (!fault.empty()) return fault;
  PrintFigure("gpu_shared_memory_read_only", refused ? 1.0 : 0.0, "1: writes fail");
  return "";
}

int Main(int argc, char** argv) {
  SecondProcess second;  // before anything of CUDA
  const cuda::GpuFound gpu = cuda::FindGpu();
  if (!gpu.fault.empty()) {
    std::printf("skipped: %s\n", gpu.fault.c_str());
    return kSkipped;
  }
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  const auto is_wanted = [&](const char* part) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), part) != wanted.end();
  };
  PrintFigure("gpu_multiprocessors", gpu.multiprocessors, "", ", \"device\": \"" + gpu.name + "\"");
  GpuDevice device;
  Kernels kernels(device);
  kernels.MeasureCeilings();
  const std::pair<const char*, std::function<void()>> parts[] = {
      {"decode", [&] { kernels.Decode(); }},     {"small", [&] { kernels.SmallDecode(); }},
      {"prefill", [&] { kernels.Prefill(); }},   {"move", [&] { kernels.Move(); }},
      {"select", [&] { kernels.Select(); }},     {"score", [&] { kernels.Score(); }},
  };
  for (const auto& [name, run] : parts) {
    if (is_wanted(name)) run();
  }
  if (!is_wanted("processes")) return 0;
  const std::string fault = Processes(device, second);
  if (fault.empty()) return 0;
  std::fprintf(stderr, "two processes: %s\n", fault.c_str());
  return 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::Main(argc, argv); }
