# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A small but real engine: a Llama-architecture model in numpy on top of Sluice.

The forward pass runs here; attention and the KV cache run wherever the attention object given
to it says: in this process (`in_process`) or in the daemon (`daemon_attention`).
"""

import os

# Read by the BLAS library when numpy is first imported. One thread is as fast for single tokens,
# and a second one would only spin in the way of the daemon's threads.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
