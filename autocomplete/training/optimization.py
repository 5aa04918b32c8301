"""What the steps of all trainings have in common: moving data to the network, the precision of its products, the optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["autocast", "new_optimizer", "to_device", "training_step"]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; nobody waits for a GPU, which reads pinned memory by itself while other data is made."""
    if device.type == "cuda" and not tensor.is_cuda:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context in which matrix products are computed in "fp32" or "bf16"."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def new_optimizer(model: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """Return AdamW over all weights of a network; the learning rate is set before each step."""
    return torch.optim.AdamW(model.parameters(), lr=0.0, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True)


def training_step(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float, clip: float) -> Tensor:
    """Take one step down the gradient of a loss, of a norm of `clip` at most, at a learning rate; return the norm it had."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return norm
