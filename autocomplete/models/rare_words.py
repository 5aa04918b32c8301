"""
A long list of rare words in little memory: which of them begin with a prefix, and what letters follow there.

The words are sorted, and kept by columns: all first letters, all second letters, and so on. Words that share a prefix stand
together, and within them the next column is in order, so a letter more narrows the range by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["LISTED", "LONGEST", "RareWords"]

LISTED = 0.5  # weight of the list beside a network that spells: of everyday texts, it has 0.4 to 0.6 of what the lexicon lacks
LONGEST = 20  # letters; hardly any word is longer, and each column takes a byte for every word


class RareWords:
    """
    A list of words.

    :param columns: (letters + 1, words) the symbols of the words, sorted, BOUNDARY where a word has no letter any more.
    """

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
        columns = np.zeros((int(lengths.max(initial=0)) + 1, len(lengths)), dtype=np.min_scalar_type(len(vocabulary)))
        columns[np.arange(len(ids)) - np.repeat(starts[:-1], lengths), np.repeat(np.arange(len(lengths)), lengths)] = (
            ids
        )
        return cls(columns)

    @classmethod
    def none(cls) -> Self:
        """Return the list of no words."""
        return cls(np.zeros((1, 0), dtype=np.uint8))

    def words(self, vocabulary: Vocabulary) -> list[str]:
        """Return the words, in their order."""
        return [vocabulary.decode(word) for word in self._columns.T.tolist()]

    def beside(self, spelled: Sequence[float], words: Sequence[str], vocabulary: Vocabulary) -> list[float]:
        """
        Return the log probabilities of words, given those by a network: as if it were the list's turn with the chance `LISTED`.

        :param spelled: the natural logarithms by the network.
        """
        if not len(self):
            return list(spelled)
        listed = set(self.words(vocabulary))
        network, one = math.log(1 - LISTED), math.log(LISTED / len(self))
        return [
            float(np.logaddexp(network + log, one)) if word in listed else network + log
            for log, word in zip(spelled, words, strict=True)
        ]

    def range(self, first: int, stop: int, depth: int, symbol: int) -> tuple[int, int]:
        """Return which of the words from `first` to before `stop`, which share so many symbols, have this one next."""
        if depth >= len(self._columns):
            return first, first
        column = self._columns[depth, first:stop]
        left, right = np.searchsorted(column, np.array([symbol, symbol + 1], column.dtype))
        return first + int(left), first + int(right)

    def shares(self, first: int, stop: int, depth: int, size: int) -> NDArray[np.float64]:
        """
        Return (size,) by which symbol how many of those words go on, as shares of them all.

        :param stop: more than `first`.
        :param size: of the vocabulary.
        """
        return np.bincount(self._columns[depth, first:stop], minlength=size) / (stop - first)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return arrays of small numbers: how many symbols each word shares with the one before, and all further ones."""
        columns = self._columns
        same = np.zeros(len(self), dtype=np.uint8)
        same[1:] = np.logical_and.accumulate(columns[:, 1:] == columns[:, :-1]).sum(axis=0)
        depths = np.arange(len(columns))[:, None]
        lengths = (columns != BOUNDARY).sum(axis=0)
        return {"same": same, "rest": columns.T[((depths >= same) & (depths <= lengths)).T]}

    @classmethod
    def from_tensors(cls, same: NDArray[Any], rest: NDArray[Any]) -> Self:
        """Return what `tensors` gave; raise ValueError where it does not hold together."""
        ends = np.flatnonzero(rest == BOUNDARY)
        if not len(ends) == len(same) or (len(rest) and ends[-1] != len(rest) - 1):
            raise ValueError(f"there are {len(same)} rare words, and the ends of {len(ends)}")
        counts = np.diff(ends, prepend=-1).astype(np.int32)
        # From where the letters of a word stand among all of them to where they stand in it.
        shift = (same - (ends + 1 - counts)).astype(np.int32)
        places = np.arange(len(rest), dtype=np.int32)
        places += np.repeat(shift, counts)
        columns = np.zeros((int(places.max(initial=0)) + 1, len(same)), dtype=rest.dtype)
        columns[places, np.repeat(np.arange(len(same), dtype=np.int32), counts)] = rest
        for depth, column in enumerate(columns):
            own = np.flatnonzero(
                same <= depth
            )  # words with a letter of their own here, which those up to the next one share
            column[:] = np.repeat(column[own], np.diff(own, append=len(same)))
        return cls(columns)
