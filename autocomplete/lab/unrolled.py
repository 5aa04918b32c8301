"""A network unrolled in time: what each of its layers holds after each symbol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.training.networks.recurrent import CharRNN, State

__all__ = ["Unrolled", "unroll"]


@dataclass(frozen=True)
class Unrolled:
    """
    Copies of the tensors of a forward pass.

    :param embedded: (batch, time, embedding) what the first layer reads.
    :param states: (layers, batch, time + 1, hidden) the hidden states before the first symbol, which are zeros, and after each.
    :param logits: (batch, time, vocabulary)
    :param probabilities: (batch, time, vocabulary) of each next symbol.
    """

    embedded: NDArray[np.float32]
    states: NDArray[np.float32]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]


@torch.no_grad()
def unroll(model: CharRNN, inputs: Tensor) -> Unrolled:
    """
    Read symbols one at a time and keep every hidden state; torch's own pass returns those of the top layer only.

    :param inputs: (batch, time) ids.
    """
    embedded = model.embedding(inputs)
    state: State | None = None
    states: list[Tensor] = []
    logits: list[Tensor] = []
    for time in range(inputs.shape[1]):
        answer, state = model.continue_from(state, inputs[:, time : time + 1])
        hidden = state if isinstance(state, Tensor) else state[0]  # (layers, batch, hidden)
        if not states:
            states.append(torch.zeros_like(hidden))
        states.append(hidden)
        logits.append(answer[:, 0])
    together = torch.stack(logits, dim=1)  # (batch, time, vocabulary)
    return Unrolled(
        embedded.numpy(),
        torch.stack(states, dim=2).numpy(),
        together.numpy(),
        together.softmax(dim=-1).numpy(),
    )
