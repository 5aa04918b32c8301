"""
A character n-gram model with interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999), in numpy.

An n-gram is one integer, with as many bits for each character as the vocabulary needs. Contexts do not reach over a line end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.kneser_ney import discounts, distinct, smooth
from autocomplete.models.protocol import States, Symbols
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["CharacterNgrams", "longest_order"]

_WORD = 64  # bits of an n-gram
_AT_ONCE = 2**20  # probabilities computed at once when a text is scored


def longest_order(vocabulary: int) -> int:
    """Return the length of the longest n-grams that a vocabulary of this size allows."""
    return _WORD // _bits(vocabulary)


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length. A context is an n-gram without its last character."""

    contexts: NDArray[np.uint64]  # (contexts,) ascending
    first: NDArray[np.int64]  # (contexts + 1,) where the n-grams of each context begin
    weight: NDArray[np.float64]  # (contexts,) backoff weight
    symbols: NDArray[np.integer[Any]]  # (n-grams,) last character
    probabilities: NDArray[np.float32]  # (n-grams,) discounted


class CharacterNgrams:
    """
    A character language model, estimated from a text. A state is (batch,), the preceding characters as one integer.

    :param ids: (n,) the lines, as `Vocabulary.encode_lines` returns them.
    :param vocabulary: number of symbols.
    :param order: length of the longest n-grams, from 2 to `longest_order`; ValueError otherwise.
    """

    def __init__(self, ids: NDArray[np.integer[Any]], vocabulary: int, order: int) -> None:
        if not 2 <= order <= longest_order(vocabulary):
            raise ValueError(f"the order must be from 2 to {longest_order(vocabulary)}")
        self.order, self._bits = order, _bits(vocabulary)
        keys, age = self._ngrams(ids)
        ngrams, counts = _counted(keys[age >= order - 2])
        orders = []
        for length in range(order, 1, -1):
            orders.append(self._smooth(ngrams, counts))
            # The count of a shorter n-gram is the number of characters seen before it. At the start of a line, where only
            # the line end precedes it, it is how often the n-gram occurs.
            shorter = _counted(ngrams & self._mask(length - 1))
            opening = _counted(keys[age == length - 3] & self._mask(length - 1))  # none where length is 2
            ngrams, counts = (np.concatenate(both) for both in zip(opening, shorter, strict=True))
        self._orders = [found for found in reversed(orders) if len(found.contexts)]  # short lines may lack the longest
        unigrams = np.bincount(ngrams.astype(np.int64), counts, vocabulary) + 1.0  # no symbol is impossible
        self._unigrams = unigrams / unigrams.sum()

    @property
    def bytes(self) -> int:
        """The size of all arrays."""
        return sum(array.nbytes for order in self._orders for array in vars(order).values())

    @property
    def parameters(self) -> int:
        """The number of learned probabilities and weights."""
        return len(self._unigrams) + sum(len(order.probabilities) + len(order.weight) for order in self._orders)

    def start(self) -> States:
        """Return the state at the start of a line."""
        return (np.zeros(1, dtype=np.uint64),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each; a BOUNDARY leads to the start of the next line."""
        symbols = np.asarray(symbols, dtype=np.uint64)
        after = (states[0] << np.uint64(self._bits) | symbols) & self._mask(self.order - 1)
        return (np.where(symbols == BOUNDARY, np.uint64(0), after),)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) natural logarithms."""
        return np.log(self._probabilities(states[0])).astype(np.float32)

    def score(self, ids: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return (n - 1,) the natural log probability of each character and line end, and the number of likelier symbols."""
        keys, _ = self._ngrams(ids)
        symbols, contexts = (keys & self._mask(1)).astype(np.int64), keys >> np.uint64(self._bits)
        logs, ranks = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
        batch = max(1, _AT_ONCE // len(self._unigrams))
        for start in range(0, len(keys), batch):
            part = slice(start, start + batch)
            probabilities = self._probabilities(contexts[part])
            right = np.take_along_axis(probabilities, symbols[part, None], axis=1)
            logs.append(np.log(right[:, 0]))
            ranks.append((probabilities > right).sum(axis=1))
        return np.concatenate(logs), np.concatenate(ranks)

    def _probabilities(self, contexts: NDArray[np.uint64]) -> NDArray[np.float64]:
        probabilities = np.tile(self._unigrams, (len(contexts), 1))  # (batch, vocabulary)
        rows = np.arange(len(contexts))
        for length, order in enumerate(self._orders, start=2):
            wanted = contexts[rows] & self._mask(length - 1)
            places = np.searchsorted(order.contexts, wanted)
            places[places == len(order.contexts)] = 0
            known = order.contexts[places] == wanted
            rows, places = rows[known], places[known]
            if not len(rows):
                break
            probabilities[rows] *= order.weight[places, None]
            first, counts = order.first[places], order.first[places + 1] - order.first[places]
            ngrams = np.arange(counts.sum()) + np.repeat(first - np.concatenate([[0], counts.cumsum()[:-1]]), counts)
            probabilities[np.repeat(rows, counts), order.symbols[ngrams]] += order.probabilities[ngrams]
        return probabilities

    def _ngrams(self, ids: NDArray[np.integer[Any]]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Return (characters,) the n-gram that ends with each character, and the number of characters before it in its line."""
        symbols = ids[1:]
        ends = np.flatnonzero(symbols == BOUNDARY)
        starts = np.concatenate([[0], ends + 1])
        age = np.arange(len(symbols)) - np.repeat(starts, np.diff(starts, append=len(symbols)))
        keys = symbols.astype(np.uint64)
        for distance in range(1, self.order):
            # Line ends, which are 0, precede the line.
            before = np.where(age[distance:] >= distance, symbols[:-distance], 0).astype(np.uint64)
            keys[distance:] |= before << np.uint64(self._bits * distance)
        return keys, age.astype(np.int32)

    def _smooth(self, ngrams: NDArray[np.uint64], counts: NDArray[np.int64]) -> _Order:
        order = np.argsort(ngrams, kind="stable")
        ngrams, counts = ngrams[order], counts[order]
        found = smooth(ngrams, counts, 1 << self._bits, discounts(counts))
        first = np.append(0, found.sizes.cumsum())
        weight = 1 - np.add.reduceat(found.shares, first[:-1]) if len(first) > 1 else found.totals
        symbols = (ngrams & self._mask(1)).astype(np.int32)
        return _Order(found.contexts, first, weight, symbols, found.shares.astype(np.float32))

    def _mask(self, length: int) -> np.uint64:
        return np.uint64((1 << (self._bits * length)) - 1)


def _bits(vocabulary: int) -> int:
    return max(1, (vocabulary - 1).bit_length())


def _counted(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    return distinct(np.sort(keys))
