"""
The character language model: what everything that predicts is.

A state is a tuple of arrays with the batch first, so that a search can gather, stack and step many states at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "CharacterLanguageModel", "States", "Symbols", "gather", "grown", "log_softmax", "probabilities"]

Array = NDArray[np.float32]
States = tuple[NDArray[Any], ...]  # each (batch, ...)
Symbols = NDArray[np.int64] | Sequence[int]


class CharacterLanguageModel(Protocol):
    """Given a state and a symbol, answers the next state; given a state, a probability for every next symbol."""

    def start(self) -> States:
        """Return the state before the first character of a word, as a batch of one."""
        ...

    def step(self, states: States, symbols: Symbols) -> States:
        """
        Return the states after one more symbol each.

        :param symbols: (batch,) ids.
        """
        ...

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) natural logarithms; each row sums to 1 as probabilities."""
        ...


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (batch, vocabulary) logits less the log of the sum of their exponentials, in place."""
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits


def probabilities(model: CharacterLanguageModel) -> Callable[[States], NDArray[np.float32]]:
    """Return what answers with probabilities in place of their logarithms: the model's own `probabilities`, if it has one."""
    own: Callable[[States], NDArray[np.float32]] | None = getattr(model, "probabilities", None)
    return own or (lambda states: np.exp(model.log_probabilities(states)))


def gather(states: States, rows: NDArray[np.int64] | Sequence[int]) -> States:
    """Return the states of some rows of a batch, in the order of `rows`."""
    return tuple(array.take(rows, axis=0) for array in states)


def grown(array: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    """Return an array of so many rows that begins with the used ones of this one; memory is taken as the others are filled."""
    larger = np.empty((room, *array.shape[1:]), dtype=array.dtype)
    larger[:used] = array[:used]
    return larger
