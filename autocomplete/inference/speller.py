"""
Words that are not in the lexicon: names, slips of the pen, words run together.

Half of them are in a long list of rare words, all as probable. The others are spelled by the network: in training, rare words
stood by themselves after an unknown symbol, and with that symbol it is told that such a word comes. As in `mixture`, Bayes' rule
says after each letter which of the two it is by now. What stands before the word does not matter, so what follows a prefix is
the same on every line: it is kept, and most of the prefixes that a search looks at were asked for before.
"""

from __future__ import annotations

from copy import copy
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.inference.model import CharacterLanguageModel, States, Symbols, gather, grown, probabilities
from autocomplete.text.rare_words import LISTED, RareWords
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

__all__ = ["Network", "Speller"]

_ROOM = 512  # prefixes that room is set aside for to begin with
_SUREST = 1 - 1e-6  # weight of the list at most: whatever is typed next, the network can spell it


class Network(CharacterLanguageModel, Protocol):
    """A network, which can begin with other symbols than the boundary."""

    def start(self, symbol: int = BOUNDARY) -> States:
        """Return the state after the first symbol."""
        ...


class Speller:
    """
    A character language model of one word. A state is (batch,): which of the prefixes that are kept it is, 0 the empty one.

    :param network: that has learned rare words.
    :param listed: rare words; none at all means that the network spells alone.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, listed: RareWords | None = None) -> None:
        self._prefixes = _Prefixes(network, vocabulary, listed or RareWords.none())
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
        """Keep half of the prefixes, at most: those asked for most often. States are void from now on, in `where` copies too."""
        self._prefixes.forget()

    def start(self) -> States:
        """Return the empty prefix."""
        return (np.zeros(1, dtype=np.int64),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the prefixes with one more symbol each."""
        return (self._prefixes.step(states[0].tolist(), np.asarray(symbols).tolist()),)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) natural logarithms: minus infinity for what is no letter of a word and not its end."""
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
    Prefixes that were asked for, in rows, the empty one first.

    :ivar probabilities: (rows, vocabulary) of what follows each; the rows behind the last prefix are for those to come.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, listed: RareWords) -> None:
        self._network, self._predict, self._listed = network, probabilities(network), listed
        begin, self._inside = (mask.astype(np.float32) for mask in vocabulary.word_symbols())
        self._size = len(vocabulary)
        start = network.start(UNKNOWN)
        self._states: States = tuple(np.empty((0, *array.shape[1:]), array.dtype) for array in start)
        self.probabilities = np.empty((0, self._size), dtype=np.float32)
        # Of each prefix: which words of the list have it, and its length; the weight of the list by then; and how often it was
        # asked for, which is at least as often as any that goes on with it.
        self._ranges = np.empty((0, 3), dtype=np.int32)
        self._weights = np.empty(0)
        self._asked = np.empty(0, dtype=np.int64)
        self._children: dict[int, int] = {}  # by row * vocabulary + symbol
        self._used = 0
        first = self._predict(start) * begin
        first /= first.sum()  # it has been told that a word begins
        self._add(start, first, [(0, len(listed), 0)], [LISTED if len(listed) else 0.0])

    def __len__(self) -> int:
        return self._used

    def forget(self) -> None:
        """Keep the empty one and those asked for most often, half of them at most."""
        asked = self._asked[1 : self._used]
        often = np.sort(asked)[len(asked) // 2 :][:1]  # none where there are no others
        kept = np.append(0, 1 + np.flatnonzero(asked > often))
        numbers = np.full(self._used, -1)
        numbers[kept] = np.arange(len(kept))
        pairs = np.array(list(self._children.items()), dtype=np.int64).reshape(-1, 2)
        pairs = pairs[numbers[pairs[:, 1]] >= 0]
        parents, symbols = np.divmod(pairs[:, 0], self._size)
        keys = numbers[parents] * self._size + symbols
        self._children = dict(zip(keys.tolist(), numbers[pairs[:, 1]].tolist(), strict=True))
        for array in (*self._states, self.probabilities, self._ranges, self._weights, self._asked):
            array[: len(kept)] = array[kept]
        self._asked[: len(kept)] //= 2  # what was asked for long ago counts for less
        self._used = len(kept)

    def step(self, rows: list[int], symbols: list[int]) -> NDArray[np.int64]:
        """Return the rows of prefixes with one more symbol each; those never seen are worked out together."""
        wanted = [row * self._size + symbol for row, symbol in zip(rows, symbols, strict=True)]
        if new := [key for key in dict.fromkeys(wanted) if key not in self._children]:
            parents, lasts = np.divmod(np.array(new), self._size)
            states = self._network.step(gather(self._states, parents), lasts)
            spelled = self._predict(states) * self._inside
            # Some 1e-7 of the sum is rounding; a word may always end, whatever that is.
            spelled[:, BOUNDARY] = np.maximum(1 - spelled.sum(axis=1), 1e-30)
            first = self._used
            self._add(states, spelled, *self._narrowed(parents.tolist(), lasts.tolist()))
            self._children.update(zip(new, range(first, self._used), strict=True))
        found = np.array([self._children[key] for key in wanted], dtype=np.int64)
        self._asked[found] += 1
        return found

    def _narrowed(self, parents: list[int], symbols: list[int]) -> tuple[list[tuple[int, int, int]], list[float]]:
        """Return for each prefix and one more symbol which words of the list have both, and the weight of the list then."""
        ranges, weights = [], []
        for parent, symbol in zip(parents, symbols, strict=True):
            first, stop, depth = self._ranges[parent].tolist()
            left, right = self._listed.range(first, stop, depth, symbol) if first < stop else (first, first)
            weight = 0.0
            if left < right:
                likelihood = (right - left) / (stop - first)
                weight = min(float(self._weights[parent] * likelihood / self.probabilities[parent, symbol]), _SUREST)
            ranges.append((left, right, depth + 1))
            weights.append(weight)
        return ranges, weights

    def _add(
        self,
        states: States,
        spelled: NDArray[np.float32],
        ranges: list[tuple[int, int, int]],
        weights: list[float],
    ) -> None:
        """
        Keep more prefixes.

        :param spelled: (prefixes, vocabulary) what follows by the network.
        """
        rows = slice(self._used, self._used + len(states[0]))
        if rows.stop > len(self.probabilities):
            used, room = rows.start, max(_ROOM, 2 * rows.stop)
            others = self.probabilities, self._ranges, self._weights, self._asked
            self._states = tuple(grown(array, used, room) for array in self._states)
            self.probabilities, self._ranges, self._weights, self._asked = (
                grown(array, used, room) for array in others
            )
        for kept, array in zip(self._states, states, strict=True):
            kept[rows] = array
        for row, (first, stop, depth), weight in zip(spelled, ranges, weights, strict=True):
            if weight:
                row *= 1 - weight
                row += weight * self._listed.shares(first, stop, depth, self._size)
        self.probabilities[rows] = spelled
        self._ranges[rows] = ranges
        self._weights[rows] = weights
        self._asked[rows] = 0
        self._used = rows.stop
