# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Measures PyTorch's scaled_dot_product_attention on the rows that sluice_attend_bench measures.

Prints one JSON object a line: {"name", "value", "unit", "form", ...}, each the best of the forms
in which the attention can be asked for. Usage: peer_sdpa.py [threads] [repeats].
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

KV_HEADS = 8
GROUP = 4
DIM = 128
DECODE_SLOTS = 16384
DECODE_SEQUENCES = 8  # 512 MiB of keys and values in bf16
PREFILL_QUERIES = 512
PREFILL_KEYS = 4096

Forms = dict[str, Callable[[], torch.Tensor]]


def seconds_of(form: Callable[[], torch.Tensor], repeats: int) -> float:
    form()  # warms up
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        form()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def best_of(forms: Forms, repeats: int) -> tuple[str, float]:
    """The name and the seconds of the fastest form."""
    seconds = {name: seconds_of(form, repeats) for name, form in forms.items()}
    name = min(seconds, key=lambda each: seconds[each])
    return name, seconds[name]


def decode_forms() -> Forms:
    shape = (DECODE_SEQUENCES, KV_HEADS, DECODE_SLOTS, DIM)
    k = torch.randn(shape, dtype=torch.bfloat16)
    v = torch.randn(shape, dtype=torch.bfloat16)
    q = torch.randn((DECODE_SEQUENCES, KV_HEADS, GROUP, DIM), dtype=torch.bfloat16)
    by_head = q.view(DECODE_SEQUENCES, KV_HEADS * GROUP, 1, DIM)
    return {
        "query heads of a group as rows": lambda: sdpa(q, k, v),
        "enable_gqa": lambda: sdpa(by_head, k, v, enable_gqa=True),
    }


def prefill_forms(dtype: torch.dtype) -> Forms:
    """Causal attention of the last PREFILL_QUERIES positions."""
    k = torch.randn((1, KV_HEADS, PREFILL_KEYS, DIM), dtype=dtype)
    v = torch.randn((1, KV_HEADS, PREFILL_KEYS, DIM), dtype=dtype)
    q = torch.randn((1, KV_HEADS * GROUP, PREFILL_QUERIES, DIM), dtype=dtype)
    rows = q.view(1, KV_HEADS, GROUP * PREFILL_QUERIES, DIM)
    k_wide = k.repeat_interleave(GROUP, dim=1)
    v_wide = v.repeat_interleave(GROUP, dim=1)
    seen = torch.ones((PREFILL_QUERIES, PREFILL_KEYS), dtype=torch.bool)
    mask = torch.zeros(seen.shape, dtype=dtype)
    mask.masked_fill_(~seen.tril(PREFILL_KEYS - PREFILL_QUERIES), float("-inf"))
    rows_mask = mask.repeat(GROUP, 1)
    return {
        "query heads of a group as rows": lambda: sdpa(rows, k, v, attn_mask=rows_mask),
        "enable_gqa": lambda: sdpa(q, k, v, attn_mask=mask, enable_gqa=True),
        "repeated heads": lambda: sdpa(q, k_wide, v_wide, attn_mask=mask),
    }


def unmasked_prefill_forms(dtype: torch.dtype) -> Forms:
    """Every query sees every key: PyTorch has no causal form here that skips what is not seen."""
    k = torch.randn((1, KV_HEADS, PREFILL_KEYS, DIM), dtype=dtype)
    v = torch.randn((1, KV_HEADS, PREFILL_KEYS, DIM), dtype=dtype)
    rows = torch.randn((1, KV_HEADS, GROUP * PREFILL_QUERIES, DIM), dtype=dtype)
    return {"without a mask, by its share of causal work": lambda: sdpa(rows, k, v)}


def measure_decode(repeats: int) -> dict[str, object]:
    form, seconds = best_of(decode_forms(), repeats)
    read_bytes = 2 * 2 * DECODE_SEQUENCES * KV_HEADS * DECODE_SLOTS * DIM
    rate = read_bytes / seconds / 1e9
    return {"name": "sdpa_decode", "value": rate, "unit": "GB/s", "form": form}


def measure_prefill(dtype: torch.dtype, repeats: int) -> dict[str, object]:
    form, seconds = best_of(prefill_forms(dtype), repeats)
    causal_share = 1 - (PREFILL_QUERIES - 1) / 2 / PREFILL_KEYS
    whole_form, whole_seconds = best_of(unmasked_prefill_forms(dtype), repeats)
    if whole_seconds * causal_share < seconds:
        form, seconds = whole_form, whole_seconds * causal_share
    name = str(dtype).removeprefix("torch.")
    figure = {"name": "sdpa_prefill", "value": seconds * 1e3, "unit": "ms"}
    return figure | {"form": form, "dtype": name}


def main() -> int:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    facts = {"version": torch.__version__, "threads": threads}
    with torch.inference_mode():
        print(json.dumps(measure_decode(repeats) | facts), flush=True)
        for dtype in (torch.bfloat16, torch.float32):
            print(json.dumps(measure_prefill(dtype, repeats) | facts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
