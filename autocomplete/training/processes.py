"""
Several processes that train one network together, as PyTorch's launcher starts them:

    torchrun --nproc-per-node 2 -m autocomplete train corpus.txt

Each reads its own part of every batch, `DistributedDataParallel` averages the gradients, and so all have the same network after
every step. What depends on a clock or on a user is decided by all at once; the first process alone measures and writes.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

__all__ = ["ALONE", "Processes", "join_processes"]

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T")

_PATIENCE = timedelta(hours=2)  # that the others wait while the first measures or writes


@dataclass(frozen=True)
class Processes:
    """The processes of a training, as one of them sees them."""

    rank: int  # of this process, from 0
    count: int  # of all processes
    device: torch.device  # that this process computes on

    @property
    def first(self) -> bool:
        """Whether this is the one that measures and writes."""
        return self.rank == 0

    def sums(self, values: Sequence[float]) -> list[float]:
        """Return the sum over all processes of each value."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return total.tolist()

    def from_first(self, compute: Callable[[], Sequence[float]], size: int) -> list[float]:
        """Return `size` values that the first process alone computes; the others wait for them."""
        return self.sums(compute() if self.first else [0.0] * size)

    def gathered(self, tensor: Tensor, dim: int) -> Tensor:
        """Return the tensors of all processes, of one shape, joined along a dimension in the order of the ranks."""
        if self.count == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        distributed.all_gather(parts, tensor.contiguous())
        return torch.cat(parts, dim)

    def own_rows(self, rows: int) -> NDArray[np.int64]:
        """Return which of so many rows, shared out among all processes, are those of this one."""
        own: NDArray[np.int64] = np.array_split(np.arange(rows), self.count)[self.rank]
        return own

    def seed(self, seed: int, step: int) -> None:
        """Have each of several processes drop out its own activations in a step, the same ones whenever it takes that step."""
        if self.count > 1:
            torch.manual_seed(int(np.random.SeedSequence([seed, step, self.rank]).generate_state(1, np.uint64)[0] >> 1))

    def part(self) -> None:
        """Wait for all others: a process that ends while the rest still work may take their connections with it."""
        self.sums([0.0])

    def shared(self, model: M) -> Callable[[Callable[[M], T]], T]:
        """Return what applies a function to the network so that the gradients become the mean of those of all processes."""
        return _Applied(model) if self.count == 1 else nn.parallel.DistributedDataParallel(_Applied(model))


class _Applied(nn.Module, Generic[M]):
    """A network whose forward pass is a function that it is given."""

    def __init__(self, model: M) -> None:
        super().__init__()
        self.model = model

    def forward(self, function: Callable[[M], T]) -> T:
        """Return what the function returns for the network."""
        return function(self.model)


ALONE = Processes(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def join_processes() -> Processes:
    """Join the other processes of the launcher, if there is one, for as long as this one lives."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count()) if cuda else ALONE.device
    if not distributed.is_initialized():
        if cuda:
            torch.cuda.set_device(device)
        # DistributedDataParallel imports it; its functions have the group that there is then as a default: they would keep it
        importlib.import_module("torch.distributed.nn")
        distributed.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
        atexit.register(_leave)
    return Processes(distributed.get_rank(), distributed.get_world_size(), device)


def _leave() -> None:
    """
    Part from the other processes, and end the threads that exchange tensors with them.

    A thread that frees a tensor of Python's while Python ends takes the process with it: "terminate called without an active
    exception". The threads end with the last that refers to their group, and what trained does so in cycles.
    """
    gc.collect()
    distributed.destroy_process_group()
