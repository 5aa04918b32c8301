"""
A long list of rare words in little memory, searchable by prefix.

The words are sorted and kept by columns: all first letters, all second letters, and so on. Words that share a prefix are
consecutive, and the next column is sorted among them, so one more letter narrows the range by bisection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import ByProbabilities, States, Symbols
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["LISTED", "LONGEST", "RareWordList", "RareWords"]

LISTED = 0.5  # weight of the list beside a network that spells; it has 0.4 to 0.6 of the OOV words of everyday texts
LONGEST = 20  # letters of a word; each column takes a byte for every word


class RareWords:
    """A list of words; `columns` is (letters + 1, words) their symbols, sorted, padded with BOUNDARY."""

    def __init__(self, columns: NDArray[Any]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return int(self._columns.shape[1])

    @classmethod
    def of(cls, words: Iterable[str], vocabulary: Vocabulary) -> Self:
        """Return the list of some words, distinct and of `LONGEST` letters at most."""
        every = list(words)
        if not every:
            return cls.none()
        ids, starts = vocabulary.encode_words([every[i] for i in vocabulary.sort(every)])
        lengths = np.diff(starts)
        which = np.repeat(np.arange(len(lengths)), lengths)  # the word of each letter
        columns = np.zeros((int(lengths.max(initial=0)) + 1, len(lengths)), dtype=np.min_scalar_type(len(vocabulary)))
        columns[np.arange(len(ids)) - starts[which], which] = ids
        return cls(columns)

    @classmethod
    def none(cls) -> Self:
        """Return an empty list."""
        return cls(np.zeros((1, 0), dtype=np.uint8))

    def words(self, vocabulary: Vocabulary) -> list[str]:
        """Return the words, in their order."""
        return [vocabulary.decode(word) for word in self._columns.T.tolist()]

    def range(self, first: int, stop: int, depth: int, symbol: int) -> tuple[int, int]:
        """Return the range of the words within `first:stop`, which share `depth` symbols, that continue with a symbol."""
        if depth >= len(self._columns):
            return first, first
        column = self._columns[depth, first:stop]
        left, right = np.searchsorted(column, np.array([symbol, symbol + 1], column.dtype))
        return first + int(left), first + int(right)

    def shares(self, first: int, stop: int, depth: int, size: int) -> NDArray[np.float64]:
        """Return (size,) the share of the words within `first:stop`, at least one, that continue with each symbol."""
        return np.bincount(self._columns[depth, first:stop], minlength=size) / (stop - first)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return arrays of small numbers: the number of symbols that each word shares with the one before, and the others."""
        columns = self._columns
        same = np.zeros(len(self), dtype=np.uint8)
        same[1:] = np.logical_and.accumulate(columns[:, 1:] == columns[:, :-1]).sum(axis=0)
        depths = np.arange(len(columns))[:, None]
        lengths = (columns != BOUNDARY).sum(axis=0)
        return {"same": same, "rest": columns.T[((depths >= same) & (depths <= lengths)).T]}

    @classmethod
    def from_tensors(cls, same: NDArray[Any], rest: NDArray[Any]) -> Self:
        """Return the list from its `tensors`; raise ValueError if they do not fit together."""
        ends = np.flatnonzero(rest == BOUNDARY)
        if not len(ends) == len(same) or (len(rest) and ends[-1] != len(rest) - 1):
            raise ValueError(f"there are {len(same)} rare words, and the ends of {len(ends)}")
        counts = np.diff(ends, prepend=-1).astype(np.int32)
        shift = (same - (ends + 1 - counts)).astype(np.int32)  # from a letter's index in `rest` to that in its word
        places = np.arange(len(rest), dtype=np.int32)
        places += np.repeat(shift, counts)
        columns = np.zeros((int(places.max(initial=0)) + 1, len(same)), dtype=rest.dtype)
        columns[places, np.repeat(np.arange(len(same), dtype=np.int32), counts)] = rest
        for depth, column in enumerate(columns):
            own = np.flatnonzero(same <= depth)  # words with a new letter here, which those up to the next one share
            column[:] = np.repeat(column[own], np.diff(own, append=len(same)))
        return cls(columns)


class RareWordList(ByProbabilities):
    """
    A uniform distribution over a list of rare words.

    A state is (batch, 3): the first of the words left, the one after the last of them, and the number of letters they share.
    """

    def __init__(self, listed: RareWords, vocabulary: Vocabulary) -> None:
        self._listed, self._size = listed, len(vocabulary)
        self._ended = np.arange(self._size) == BOUNDARY

    def start(self) -> States:
        """Return the state before the first letter."""
        return (np.array([[0, len(self._listed), 0]], dtype=np.int32),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        steps = zip(states[0].tolist(), np.asarray(symbols).tolist(), strict=True)
        left = [(*self._listed.range(first, stop, depth, symbol), depth + 1) for (first, stop, depth), symbol in steps]
        return (np.array(left, dtype=np.int32).reshape(-1, 3),)

    def probabilities(self, states: States) -> NDArray[np.float32]:
        """Return the share of each next symbol."""
        found = np.zeros((len(states[0]), self._size), dtype=np.float32)
        for row, (first, stop, depth) in enumerate(states[0].tolist()):
            found[row] = self._listed.shares(first, stop, depth, self._size) if first < stop else self._ended
        return found

    def best(self, states: States) -> NDArray[np.float32]:
        """Return for each next symbol the share of any one word that continues with it."""
        counts = np.maximum(states[0][:, 1] - states[0][:, 0], 1)
        result: NDArray[np.float32] = (self.probabilities(states) > 0) / counts[:, None].astype(np.float32)
        return result
