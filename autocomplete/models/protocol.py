"""The character language model. A state is a tuple of arrays with the batch first, so that many states are stepped at once."""

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

_TOGETHER = 64  # sequences stepped at once


class Steps(Protocol):
    """A model of characters or words that steps from state to state."""

    def start(self) -> States:
        """Return the state before the first symbol, as a batch of one."""

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each; `symbols` is (batch,) ids."""


class CharacterLanguageModel(Steps, Protocol):
    """A model that predicts the next symbol from a state."""

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) natural logarithms; each row sums to 1 as probabilities."""


class ByProbabilities:
    """A base class for models that compute probabilities first."""

    probabilities: Callable[[States], Array]

    def log_probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary) natural logarithms; minus infinity for impossible symbols."""
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities(states))


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log of the softmax of logits, (batch, vocabulary), in place."""
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits


def probabilities(model: CharacterLanguageModel) -> Callable[[States], NDArray[np.float32]]:
    """Return a function from states to probabilities: the model's own `probabilities`, if it has one."""
    own: Callable[[States], NDArray[np.float32]] | None = getattr(model, "probabilities", None)
    return own or (lambda states: np.exp(model.log_probabilities(states)))


def gather(states: States, rows: NDArray[np.int64] | Sequence[int]) -> States:
    """Return these rows of a batch of states."""
    return tuple(array.take(rows, axis=0) for array in states)


def grown(array: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    """Return an array of `room` rows that begins with the used ones of this array; the others are not initialized."""
    larger = np.empty((room, *array.shape[1:]), dtype=array.dtype)
    larger[:used] = array[:used]
    return larger


def along(
    model: Steps, sequences: Sequence[Sequence[int]], states: States | None = None
) -> Iterator[tuple[list[int], int, States]]:
    """
    Yield, for each position, the sequences that have a symbol there, the position, and their states before it.

    :param states: (sequences, ...) the initial states; by default the model's start.
    """
    order = sorted(range(len(sequences)), key=lambda row: -len(sequences[row]))
    for first in range(0, len(order), _TOGETHER):
        rows = order[first : first + _TOGETHER]
        current = gather(model.start(), [0] * len(rows)) if states is None else gather(states, rows)
        for place in range(len(sequences[rows[0]])):
            if place:
                rows = [row for row in rows if len(sequences[row]) > place]  # the longest are first
                current = model.step(gather(current, range(len(rows))), [sequences[row][place - 1] for row in rows])
            yield rows, place, current


def word_log_probabilities(
    model: CharacterLanguageModel, words: Sequence[Sequence[int]], states: States | None = None
) -> NDArray[np.float64]:
    """Return (words,) the natural log probability of each word and its end, given their symbols; `states` as for `along`."""
    result = np.zeros(len(words))
    ended = [[*word, BOUNDARY] for word in words]
    for rows, place, current in along(model, ended, states):
        result[rows] += model.log_probabilities(current)[np.arange(len(rows)), [ended[row][place] for row in rows]]
    return result
