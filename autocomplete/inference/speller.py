"""
The network as a model of words that no list has: names, slips of the pen, words run together.

In training, rare words stood by themselves after an unknown symbol; with that symbol, the network is told that such a word
comes. What stands before the word does not matter, so what the network makes of a prefix is the same on every line: it is
kept, and most of the prefixes that a search looks at were asked for before.
"""

from __future__ import annotations

from copy import copy
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.inference.model import CharacterLanguageModel, States, Symbols, gather, probabilities
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

__all__ = ["Network", "Speller"]

_ROOM = 512  # prefixes that room is set aside for to begin with


class Network(CharacterLanguageModel, Protocol):
    """A network, which can begin with other symbols than the boundary."""

    def start(self, symbol: int = BOUNDARY) -> States:
        """Return the state after the first symbol."""
        ...


class Speller:
    """
    A character language model of one word. A state is (batch,): which of the prefixes that are kept it is, 0 the empty one.

    :param network: that has learned rare words.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary) -> None:
        self._prefixes = _Prefixes(network, vocabulary)
        self._word_begins = 1.0

    def __len__(self) -> int:
        """Return how many prefixes are kept."""
        return len(self._prefixes)

    def where(self, word_begins: float) -> Self:
        """
        Return the same model where it is not sure that a word begins.

        :param word_begins: the probability of that; the rest is given to the boundary.
        """
        other = copy(self)
        other._word_begins = word_begins
        return other

    def forget(self) -> None:
        """Keep the empty prefix only; other states are void from now on, in all models that came out of this one."""
        self._prefixes.forget()

    def start(self) -> States:
        """Return the empty prefix."""
        return (np.zeros(1, dtype=np.int64),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the prefixes with one more symbol each."""
        return (self._prefixes.step(states[0].tolist(), np.asarray(symbols).tolist()),)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary): of letters as the network has them, of BOUNDARY all the rest, of others minus infinity."""
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities(states))

    def probabilities(self, states: States) -> NDArray[np.float32]:
        """Return the same as probabilities."""
        (prefixes,) = states
        result = self._prefixes.probabilities.take(prefixes, axis=0)
        if self._word_begins < 1 and (fresh := prefixes == 0).any():
            result[fresh] *= self._word_begins
            result[fresh, BOUNDARY] = 1 - self._word_begins
        return result


class _Prefixes:
    """
    Prefixes that were asked for, in rows.

    :ivar probabilities: (rows, vocabulary) of what follows each; the rows behind the last prefix are for those to come.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary) -> None:
        self._network, self._predict = network, probabilities(network)
        self._start = network.start(UNKNOWN)
        self._begin, self._inside = (mask.astype(np.float32) for mask in vocabulary.word_symbols())
        self._size = len(vocabulary)
        self._states: States = tuple(np.empty((0, *array.shape[1:]), array.dtype) for array in self._start)
        self.probabilities = np.empty((0, self._size), dtype=np.float32)
        self.forget()

    def __len__(self) -> int:
        return self._used

    def forget(self) -> None:
        """Keep the empty prefix only."""
        self._children: dict[int, int] = {}  # by row * vocabulary + symbol
        self._used = 0
        self._add(self._start, self._begin)
        self.probabilities[0, BOUNDARY] = 0.0  # it has been told that a word begins
        self.probabilities[0] /= self.probabilities[0].sum()

    def step(self, rows: list[int], symbols: list[int]) -> NDArray[np.int64]:
        """Return the rows of prefixes with one more symbol each; those never seen are worked out together."""
        wanted = [row * self._size + symbol for row, symbol in zip(rows, symbols, strict=True)]
        if new := [key for key in dict.fromkeys(wanted) if key not in self._children]:
            parents, lasts = np.divmod(np.array(new), self._size)
            first = self._used
            self._add(self._network.step(gather(self._states, parents), lasts), self._inside)
            self._children.update(zip(new, range(first, self._used), strict=True))
        return np.array([self._children[key] for key in wanted])

    def _add(self, states: States, letters: NDArray[np.float32]) -> None:
        rows = slice(self._used, self._used + len(states[0]))
        if rows.stop > len(self.probabilities):
            room = max(_ROOM, 2 * rows.stop)
            self._states = tuple(_grown(array, rows.start, room) for array in self._states)
            self.probabilities = _grown(self.probabilities, rows.start, room)
        for kept, array in zip(self._states, states, strict=True):
            kept[rows] = array
        found = self._predict(states) * letters
        # Some 1e-7 of the sum is rounding; a word may always end, whatever that is.
        found[:, BOUNDARY] = np.maximum(1 - found.sum(axis=1), 1e-30)
        self.probabilities[rows] = found
        self._used = rows.stop


def _grown(array: NDArray[np.float32], used: int, room: int) -> NDArray[np.float32]:
    """Return an array of so many rows that begins with the used ones of this one."""
    grown = np.empty((room, *array.shape[1:]), dtype=array.dtype)
    grown[:used] = array[:used]
    return grown
