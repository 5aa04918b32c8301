"""
A text as contiguous streams, for truncated back-propagation through time.

The text is cut into as many equal parts as the batch has rows, and the rows are read side by side, some symbols at a step.
The hidden state is carried on from step to step, so the network learns to use what stood long before, though the error is
propagated back through the symbols of one step only (Williams and Peng, 1990).

A line is typed with nothing before it. To learn how lines begin, a network may read passages, too, each as if it were all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autocomplete.corpus.encoded import Ids
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.networks.recurrent import CharRNN, State
from autocomplete.training.optimization import autocast, to_device
from autocomplete.training.processes import ALONE, Processes

__all__ = ["Passages", "SampledLoss", "StreamNetwork", "Streams", "choose_source", "stream_loss"]

# How much of a run is over, and the share of its steps that then read the background: half of them while the network learns
# what is common to all text, and few at the end, so that it ends as a model of the corpus.
_BACKGROUND = (0.0, 0.5, 0.8, 1.0), (0.5, 0.5, 0.35, 0.2)

Source = TypeVar("Source")


class StreamNetwork(Protocol):
    """What reads a text in pieces: `CharRNN`, and the networks that `lab` compares, each with a state of its own kind."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def continue_from(self, state: Any, inputs: Tensor) -> tuple[Tensor, Any]:
        """Return the logits of the next symbol after each of the inputs, (batch, time), and the state after the last."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Be as in training, or as in use."""
        ...


def choose_source(sources: Sequence[Source], progress: float, generator: np.random.Generator) -> Source:
    """
    Return the corpus, or one of the background texts behind it.

    :param progress: of the whole run, from 0 to 1.
    """
    if len(sources) == 1 or generator.random() >= np.interp(progress, *_BACKGROUND):
        return sources[0]
    return sources[1 if len(sources) == 2 else int(generator.integers(1, len(sources)))]


class Streams:
    """
    The text in rows, read again from another place when it is over.

    :param ids: (n,) two symbols at least.
    :param batch: rows for each process; fewer where the text is too short for that many of a few steps.
    :param bptt: symbols read at a step.
    :param processes: that read the rows, each its own.
    """

    def __init__(
        self, ids: Ids, batch: int, bptt: int, generator: np.random.Generator, processes: Processes = ALONE
    ) -> None:
        self._ids, self._bptt, self._generator, self._processes = ids, bptt, generator, processes
        self._batch = processes.count * max(1, min(batch, len(ids) // (4 * bptt * processes.count)))
        self._rows = processes.own_rows(self._batch)
        self._length = len(ids) // self._batch  # of a row
        self._shift = self._position = 0
        self._state: tuple[Tensor, ...] = ()  # none before the first symbols

    def next(self, hidden: float = 0.0) -> tuple[Tensor, Tensor, State | None]:
        """
        Return inputs and targets, each (rows, time), and the state that was left before them.

        :param hidden: share of the inputs to replace by UNKNOWN.
        """
        if self._position + 2 > self._length:  # a new beginning, so that no row has its ends where they were
            self._shift = int(self._generator.integers(len(self._ids)))
            self._position, self._state = 0, ()
        columns = np.arange(self._position, min(self._position + self._bptt + 1, self._length))
        places = self._shift + self._length * self._rows[:, None] + columns
        window = torch.from_numpy(self._ids[places % len(self._ids)].astype(np.int64))
        self._position += self._bptt
        inputs = window[:, :-1]
        if hidden:  # drawn for all rows, so that all processes draw alike
            drawn = self._generator.random((self._batch, inputs.shape[1]))[self._rows]
            inputs = inputs.masked_fill(torch.from_numpy(drawn < hidden), UNKNOWN)
        if len(self._state) == 2:
            return inputs, window[:, 1:], (self._state[0], self._state[1])
        return inputs, window[:, 1:], self._state[0] if self._state else None

    def keep(self, state: State) -> None:
        """Carry a state on to the next symbols."""
        self._state = tuple(_contiguous_copy(part) for part in ((state,) if isinstance(state, Tensor) else state))

    def forget(self) -> None:
        """Carry nothing on to the next symbols."""
        self._state = ()

    def tensors(self) -> dict[str, Tensor]:
        """Return what a resumed run needs to read on, the rows of all processes; each of them has to ask."""
        state = {f"state.{i}": self._processes.gathered(part, dim=1) for i, part in enumerate(self._state)}
        return {"place": torch.tensor([self._shift, self._position])} | state

    def load(self, tensors: dict[str, Tensor], device: torch.device) -> None:
        """Read on where `tensors` was asked for, with a network on that device."""
        self._shift, self._position = tensors["place"].tolist()
        every = [tensors[name].to(device) for name in ("state.0", "state.1") if name in tensors]
        self._state = tuple(_contiguous_copy(state[:, self._rows]) for state in every)


class Passages:
    """
    Passages from anywhere in a text, with nothing before them. They begin where a line or a sentence does.

    :param ids: (n,) with BOUNDARY where one begins.
    :param batch: passages of a step.
    :param bptt: symbols of each. Where no line begins among so many, it begins as it comes.
    """

    def __init__(self, ids: Ids, batch: int, bptt: int, generator: np.random.Generator) -> None:
        self._ids, self._batch, self._bptt, self._generator = ids, batch, bptt, generator

    def places(self) -> NDArray[np.int64]:
        """Return the places in the text of the next passages, (batch, bptt + 1)."""
        length, wanted = len(self._ids), np.arange(self._bptt + 1)
        places = self._generator.integers(length, size=self._batch)[:, None]
        begins = self._ids[(places + wanted) % length] == BOUNDARY
        found: NDArray[np.int64] = (places + begins.argmax(axis=1)[:, None] + wanted) % length
        return found

    def next(self) -> tuple[Tensor, Tensor, State | None]:
        """Return inputs and targets, each (batch, bptt), and no state; see `Streams.next`."""
        window = torch.from_numpy(self._ids[self.places()].astype(np.int64))
        return window[:, :-1], window[:, 1:], None

    def keep(self, state: State) -> None:
        """Carry nothing on."""


def _contiguous_copy(state: Tensor) -> Tensor:
    """Return a copy, for the last bits of a product can depend on where in memory its factors lie, and a resumed run is exact."""
    return state.detach().clone(memory_format=torch.contiguous_format)


def stream_loss(model: StreamNetwork, streams: Streams, hidden: float, precision: str) -> tuple[Tensor, int]:
    """Return the mean cross entropy of the next symbols of a text, in nats, and how many symbols those are."""
    inputs, targets, state = streams.next(hidden)
    with autocast(model.device, precision):
        logits, state = model.continue_from(state, to_device(inputs, model.device))
    streams.keep(state)
    logits = logits.transpose(0, 1).flatten(0, 1)  # time first, as they lie
    targets = to_device(targets, model.device).t().flatten()
    return functional.cross_entropy(logits.float(), targets), len(targets)


class SampledLoss:
    """
    `stream_loss` for a large vocabulary: each step's softmax is over some symbols only, drawn by their frequency.

    :param counts: (vocabulary,) of the symbols in the text, or in several.
    :param sampled: symbols drawn for a step.
    """

    def __init__(self, counts: NDArray[Any], sampled: int, generator: np.random.Generator) -> None:
        shares = (counts + 1) / (counts + 1).sum()
        self._cumulative = np.cumsum(shares)
        self._log_chances = torch.from_numpy(np.log(-np.expm1(sampled * np.log1p(-shares))).astype(np.float32))
        self._sampled, self._generator = sampled, generator

    def __call__(self, model: CharRNN, streams: Streams | Passages, precision: str) -> Tensor:
        """Return the estimated mean cross entropy of the next symbols of a text, in nats."""
        inputs, targets, state = streams.next()
        points = self._generator.random(self._sampled) * self._cumulative[-1]
        drawn = np.searchsorted(self._cumulative, points, side="right").clip(max=len(self._cumulative) - 1)
        needed = inputs, targets, torch.from_numpy(np.unique(drawn))
        inputs, targets, candidates = (to_device(tensor, model.device) for tensor in needed)
        self._log_chances = self._log_chances.to(model.device)
        with autocast(model.device, precision):
            loss, state = model.sampled_from(state, inputs, targets, candidates, self._log_chances)
        streams.keep(state)
        return loss
