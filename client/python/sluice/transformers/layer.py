# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What the library wants to see as a layer of a cache."""

from typing import Any

from transformers.cache_utils import CacheLayerMixin


class DaemonLayer(CacheLayerMixin):
    """Tells that the layer grows and cannot be compiled; the cache answers everything else."""

    is_compileable = False
    is_sliding = False  # to the mask, which a window does not change
    supports_early_init = False

    def __init__(self, is_croppable: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_croppable = is_croppable

    def lazy_initialization(self, *arguments: Any) -> None:
        """There is nothing to make."""

    def update(self, *arguments: Any, **more: Any) -> Any:
        raise NotImplementedError("a SluiceCache is updated as a whole")

    def get_mask_sizes(self, *arguments: Any) -> Any:
        raise NotImplementedError("a SluiceCache is asked as a whole")

    def get_seq_length(self, *arguments: Any) -> Any:
        raise NotImplementedError("a SluiceCache is asked as a whole")

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        """As older versions name it."""
        return -1
