"""How data comes to where the network is."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["sent"]


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """
    Return a tensor on a device.

    To a GPU it goes from pinned memory, which the GPU reads by itself: nobody waits for it, and the next step's data can be made
    meanwhile.
    """
    if device.type == "cuda" and not tensor.is_cuda:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
