# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Hugging Face causal models whose KV cache and attention are in the daemon.

cache = SluiceCache(model, "unix:/run/sluice/sluice.sock", policy="l2norm")
text = model.generate(**inputs, past_key_values=cache)

For Llama, Qwen2, Qwen3 and Mistral. Importing this registers the attention "sluice" with the
library; SluiceCache switches its model to it. A forward pass without a SluiceCache then attends in
the process, as "sdpa" does.
"""

try:
    import torch  # noqa: F401
    import transformers  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "sluice.transformers needs PyTorch and transformers: in sluice's repository, "
        "pip install './client/python[transformers]'",
        name=error.name,
    ) from error

from sluice.transformers.cache import SluiceCache

__all__ = ["SluiceCache"]
