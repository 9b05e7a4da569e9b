# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Measures PyTorch on a GPU: the sizes of sluice_gpu_bench, and the matrix product's ceiling.

Prints one JSON object a line: {"name", "value", "unit", ...}, medians of the device's clock
with a cold L2 cache. What PyTorch cannot do here is said on stderr and not printed.
"""

import json
import statistics
import sys
from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention as sdpa

REPEATS = 25
DIM = 128
KV_HEADS = 8
EVICTING_BYTES = 256 << 20
SDPA = {"sdpa_flash": SDPBackend.FLASH_ATTENTION, "sdpa_cudnn": SDPBackend.CUDNN_ATTENTION}
DECODES = {  # sequences, slots, query heads
    "decode_512mb": (32, 4096, 32),
    "decode_33mb": (1, 8192, 64),
    "decode_4mb": (1, 960, 32),
}


def seconds_of(run: Callable[[], object]) -> float:
    evicting = torch.empty(EVICTING_BYTES, dtype=torch.uint8, device="cuda")
    for _ in range(3):
        run()
    seconds = []
    for _ in range(REPEATS):
        evicting.fill_(1)
        evicting.sum()  # nothing is left to be written back
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        seconds.append(start.elapsed_time(end) * 1e-3)
    return statistics.median(seconds)


def graph_of(run: Callable[[], object]) -> Callable[[], object]:
    """The same as a graph that is launched again: without the costs of Python."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def say(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": f"torch_{name}", "value": value, "unit": unit,
                      "version": torch.__version__}), flush=True)


def measure(name: str, run: Callable[[], object], as_graph: bool) -> None:
    try:
        say(f"{name}_us", seconds_of(graph_of(run) if as_graph else run) * 1e6, "us")
    except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
        print(f"PyTorch: no {name}: {str(error).splitlines()[0]}", file=sys.stderr)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.bfloat16, device="cuda")


def measure_matmul() -> None:
    size = 8192
    left, right = random(size, size), random(size, size)
    say("matmul_tflops", 2.0 * size**3 / seconds_of(lambda: left @ right) * 1e-12, "TFLOP/s")


def measure_attention() -> None:
    for peer, backend in SDPA.items():
        for name, (sequences, slots, heads) in DECODES.items():
            k, v = (random(sequences, KV_HEADS, slots, DIM) for _ in range(2))
            # The query heads of a group as rows: no head of keys is read twice.
            q = random(sequences, KV_HEADS, heads // KV_HEADS, DIM)
            with sdpa_kernel(backend):
                measure(f"{name}_{peer}", lambda q=q, k=k, v=v: sdpa(q, k, v), True)
        q = random(1, 32, 8192, DIM)
        k, v = (random(1, KV_HEADS, 8192, DIM) for _ in range(2))
        with sdpa_kernel(backend):
            measure(f"prefill_8k_{peer}",
                    lambda q=q, k=k, v=v: sdpa(q, k, v, is_causal=True, enable_gqa=True),
                    False)


def measure_selection() -> None:
    scores = torch.rand((256, 32768), device="cuda")
    measure("select_256x32k_topk", lambda: scores.topk(32768 // 4, sorted=False), False)
    many = torch.rand(1024 * 32768, device="cuda")
    measure("select_33m_topk", lambda: many.topk(many.numel() // 4, sorted=False), False)
    rows = random(64 * 16384, 2 * DIM)
    kept = torch.rand(len(rows), device="cuda").topk(len(rows) // 2).indices.sort().values
    measure("compact_half_gather", lambda: rows.index_select(0, kept), False)


def main() -> int:
    if not torch.cuda.is_available():
        print("PyTorch shows no GPU", file=sys.stderr)
        return 77
    torch.manual_seed(1)
    with torch.inference_mode():
        for part in (measure_matmul, measure_attention, measure_selection):
            part()
            torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
