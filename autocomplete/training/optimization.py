"""How all networks are trained: the optimizer, and a step of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["new_optimizer", "training_step"]


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
