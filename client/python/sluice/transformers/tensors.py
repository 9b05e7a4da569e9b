# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Between torch's tensors and numpy's arrays, which have no bfloat16 in common."""

import torch

from sluice.tensors import BF16, Array


def to_array(tensor: torch.Tensor) -> Array:
    """The tensor's values, copied to the host where they are not there."""
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        bits: Array = tensor.view(torch.int16).numpy()
        return bits.view(BF16)
    array: Array = tensor.numpy()
    return array


def to_tensor(array: Array, device: torch.device) -> torch.Tensor:
    """A copy of the array on the device."""
    if array.dtype == BF16:
        return torch.from_numpy(array.view("int16").copy()).view(torch.bfloat16).to(device)
    return torch.from_numpy(array.copy()).to(device)
