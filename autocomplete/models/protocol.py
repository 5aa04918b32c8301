"""
The character language model: what everything that predicts is.

A state is a tuple of arrays with the batch first, so that a search can gather, stack and step many states at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY

__all__ = [
    "Array", "ByProbabilities", "CharacterLanguageModel", "States", "Steps", "Symbols", "along", "gather", "grown",
    "log_softmax", "probabilities", "word_log_probabilities",
]  # fmt: skip

Array = NDArray[np.float32]
States = tuple[NDArray[Any], ...]  # each (batch, ...)
Symbols = NDArray[np.integer[Any]] | Sequence[int]

_TOGETHER = 64  # sequences that are stepped at once


class Steps(Protocol):
    """What steps from state to state: a model of characters, or one of words."""

    def start(self) -> States:
        """Return the state before the first symbol, as a batch of one."""
        ...

    def step(self, states: States, symbols: Symbols) -> States:
        """
        Return the states after one more symbol each.

        :param symbols: (batch,) ids.
        """
        ...


class CharacterLanguageModel(Steps, Protocol):
    """Given a state and a symbol, answers the next state; given a state, a probability for every next symbol."""

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) natural logarithms; each row sums to 1 as probabilities."""
        ...


class ByProbabilities:
    """A model whose answers are probabilities in the first place."""

    probabilities: Callable[[States], Array]

    def log_probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary) natural logarithms: minus infinity for what cannot be."""
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities(states))


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


def along(
    model: Steps, sequences: Sequence[Sequence[int]], states: States | None = None
) -> Iterator[tuple[list[int], int, States]]:
    """
    Yield, for each place of some sequences, which of them have a symbol there, the place, and the states before it.

    :param states: (sequences, ...) where each begins; by default all begin at the model's start.
    """
    order = sorted(range(len(sequences)), key=lambda row: -len(sequences[row]))
    for first in range(0, len(order), _TOGETHER):
        rows = order[first : first + _TOGETHER]
        current = gather(model.start(), [0] * len(rows)) if states is None else gather(states, rows)
        for place in range(len(sequences[rows[0]])):
            if place:
                rows = [row for row in rows if len(sequences[row]) > place]  # the longest stand first
                symbols = [sequences[row][place - 1] for row in rows]
                current = model.step(gather(current, range(len(rows))), symbols)
            yield rows, place, current


def word_log_probabilities(
    model: CharacterLanguageModel, words: Sequence[Sequence[int]], states: States | None = None
) -> NDArray[np.float64]:
    """
    Return (words,) the natural log probability of each word and its end.

    :param words: the symbols of each, without boundaries.
    :param states: as for `along`.
    """
    result = np.zeros(len(words))
    ended = [[*word, BOUNDARY] for word in words]
    for rows, place, current in along(model, ended, states):
        result[rows] += model.log_probabilities(current)[np.arange(len(rows)), [ended[row][place] for row in rows]]
    return result
