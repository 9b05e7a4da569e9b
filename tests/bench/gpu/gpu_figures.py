# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What is asked of the kernels on a GPU, and their ratios to PyTorch's."""

from collections.abc import Sequence

from figures import Bar, Measured, Record, named, number

BARS = (
    Bar("gpu_decode_512mb_vs_read", 0.92, at_least=True, bound=1.0),
    Bar("gpu_decode_33mb_us", 20.0),
    Bar("gpu_decode_4mb_us", 8.0),
    Bar("gpu_ragged_cost", 1.10),
    Bar("gpu_mass_cost", 1.06),
    Bar("gpu_prefill_8k_tflops", 300.0, at_least=True),
    Bar("gpu_append_64k_vs_copy", 0.85, at_least=True, bound=1.0),
    Bar("gpu_append_step_us", 4.0),
    Bar("gpu_compact_half_vs_copy", 0.75, at_least=True, bound=1.0),
    Bar("gpu_compact_none_us", 15.0),
    Bar("gpu_window_score_vs_read", 0.5, at_least=True, bound=1.0),
    Bar("gpu_select_256x32k_us", 25.0),
    Bar("gpu_select_33m_us", 130.0),
    Bar("gpu_decode_512mb_vs_sdpa_flash", 1.1, at_least=True, needs_peers=True),
    Bar("gpu_prefill_8k_vs_sdpa_flash", 0.9, at_least=True, needs_peers=True),
    Bar("gpu_select_256x32k_vs_topk", 5.0, at_least=True, needs_peers=True),
    Bar("gpu_select_33m_vs_topk", 5.0, at_least=True, needs_peers=True),
    Bar("gpu_compact_half_vs_gather", 1.5, at_least=True, needs_peers=True),
)

# Ours, how many times as fast as what of PyTorch: both in microseconds.
PEERS = (
    ("gpu_decode_512mb", "sdpa_flash"),
    ("gpu_decode_512mb", "sdpa_cudnn"),
    ("gpu_decode_33mb", "sdpa_flash"),
    ("gpu_decode_33mb", "sdpa_cudnn"),
    ("gpu_decode_4mb", "sdpa_flash"),
    ("gpu_decode_4mb", "sdpa_cudnn"),
    ("gpu_prefill_8k", "sdpa_flash"),
    ("gpu_prefill_8k", "sdpa_cudnn"),
    ("gpu_select_256x32k", "topk"),
    ("gpu_select_33m", "topk"),
    ("gpu_compact_half", "gather"),
)

# Of what a kernel can reach at most, by the end of the figure's name.
CEILINGS = ("_vs_read", "_vs_copy", "_vs_matmul")


def device_of(records: Sequence[Record]) -> str:
    return str(named(records, "gpu_multiprocessors")[0].get("device"))


def add_peers(measured: Measured, ours: Sequence[Record], peers: Sequence[Record]) -> None:
    """Adds the ratios to what PyTorch could do. Raises BenchmarkError."""
    own = {str(record["name"]): record for record in ours}
    theirs = {str(record["name"]): record for record in peers}
    for case, peer in PEERS:
        mine, other = own.get(f"{case}_us"), theirs.get(f"torch_{case[4:]}_{peer}_us")
        if mine is not None and other is not None:
            measured.add(f"{case}_vs_{peer}", number(other, "value") / number(mine, "value"),
                         "ratio")
    prefill, matmul = own.get("gpu_prefill_8k_tflops"), theirs.get("torch_matmul_tflops")
    if prefill is not None and matmul is not None:
        measured.add("gpu_prefill_8k_vs_matmul",
                     number(prefill, "value") / number(matmul, "value"), "ratio")


def impossible(measured: Measured) -> list[str]:
    """What is faster than the ceilings of the same run: its bytes are miscounted, or it was
    not read from the device's memory."""
    return [f"{name} is {measured.median(name):.4g}, above what is possible"
            for name in measured.values
            if name.endswith(CEILINGS) and measured.median(name) > 1.0]
