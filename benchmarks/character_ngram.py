"""
A character n-gram model with interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999), in numpy.

An n-gram is one integer, five bits a character, so twelve characters are the longest; those of one length are one sorted
array, and counting is sorting. A line is read as if a line end stood before it; what stands further back does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocomplete.inference.model import States, Symbols
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["ALPHABET", "HIGHEST_ORDER", "SPACE", "CharacterNgram", "held_out_bits"]

ALPHABET = "\n� 'abcdefghijklmnopqrstuvwxyz"  # the replacement character stands for every letter that is not here
SPACE = ALPHABET.index(" ")
HIGHEST_ORDER = 12
_BITS = 5
_SYMBOL = np.uint64((1 << _BITS) - 1)
_TABLE = np.full(256, UNKNOWN, dtype=np.uint8)  # from a Latin-1 byte to a symbol
_TABLE[[ord(character) for character in ALPHABET if character != "�"]] = [BOUNDARY, *range(UNKNOWN + 1, len(ALPHABET))]


@dataclass(frozen=True)
class _Order:
    """
    What is known of the n-grams of one length. A context is all of an n-gram but its last character.

    :param contexts: (contexts,) in ascending order.
    :param first: (contexts + 1,) where the n-grams of each context begin.
    :param weight: (contexts,) of the probabilities that the shorter context gives.
    :param symbols: (n-grams,) the last character of each.
    :param probabilities: (n-grams,) its count less the discount, as a share of its context's.
    """

    contexts: NDArray[np.uint64]
    first: NDArray[np.int64]
    weight: NDArray[np.float64]
    symbols: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


class CharacterNgram:
    """
    The model; a character language model for `inference.search`. A state is the integer of the characters before.

    :param lines: to learn from, in lower case.
    :param order: characters of the longest n-grams.
    """

    def __init__(self, lines: Iterable[str], order: int) -> None:
        if not 2 <= order <= HIGHEST_ORDER:
            raise ValueError(f"the order must be from 2 to {HIGHEST_ORDER}")
        self.order = order
        keys, age = _ngrams(_encode(lines), order)
        ngrams, counts = _count(keys[age >= order - 2])
        orders = []
        for length in range(order, 1, -1):
            orders.append(_smooth(ngrams, counts))
            # Of a shorter n-gram it counts after how many characters it stands; but after nothing else than a line end
            # stands one that begins a line, and of that it counts how often.
            opening = _count(keys[age == length - 3] & _mask(length - 1)) if length > 2 else (ngrams[:0], counts[:0])
            ngrams, counts = _count(ngrams & _mask(length - 1))
            ngrams, counts = np.concatenate([opening[0], ngrams]), np.concatenate([opening[1], counts])
        self._orders = orders[::-1]
        unigrams = np.bincount(ngrams.astype(np.int64), counts, len(ALPHABET)) + 1.0  # none is impossible
        self._unigrams = unigrams / unigrams.sum()

    @property
    def bytes(self) -> int:
        """The size of all arrays."""
        return sum(array.nbytes for order in self._orders for array in vars(order).values())

    def start(self) -> States:
        """Return the state at the start of a line."""
        return (np.zeros(1, dtype=np.uint64),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        return ((states[0] << np.uint64(_BITS) | np.asarray(symbols, dtype=np.uint64)) & _mask(self.order - 1),)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) natural logarithms."""
        return np.log(self._probabilities(states[0])).astype(np.float32)

    def bits(self, lines: Iterable[str], batch: int = 16_384) -> NDArray[np.float64]:
        """Return (characters,) minus the binary logarithm of the probability of each character of lines, their ends included."""
        keys, _ = _ngrams(_encode(lines), self.order)
        symbols, contexts = (keys & _SYMBOL).astype(np.int64), keys >> np.uint64(_BITS)
        parts = []
        for start in range(0, len(keys), batch):
            part = slice(start, start + batch)
            probabilities = self._probabilities(contexts[part])
            parts.append(-np.log2(probabilities[np.arange(len(probabilities)), symbols[part]]))
        return np.concatenate(parts)

    def encode(self, text: str) -> list[int]:
        """Return a symbol for each character."""
        return _TABLE[np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)].tolist()

    def _probabilities(self, contexts: NDArray[np.uint64]) -> NDArray[np.float64]:
        probabilities = np.tile(self._unigrams, (len(contexts), 1))  # (batch, vocabulary)
        rows = np.arange(len(contexts))
        for length, order in enumerate(self._orders, start=2):
            wanted = contexts[rows] & _mask(length - 1)
            places = np.searchsorted(order.contexts, wanted)
            places[places == len(order.contexts)] = 0
            known = order.contexts[places] == wanted
            rows, places = rows[known], places[known]
            if not len(rows):
                break
            probabilities[rows] *= order.weight[places, None]
            first, counts = order.first[places], order.first[places + 1] - order.first[places]
            # The n-grams of all contexts, one context after another.
            ngrams = np.arange(counts.sum()) + np.repeat(first - np.concatenate([[0], counts.cumsum()[:-1]]), counts)
            probabilities[np.repeat(rows, counts), order.symbols[ngrams]] += order.probabilities[ngrams]
        return probabilities


def _mask(length: int) -> np.uint64:
    """Return the bits of that many characters."""
    return np.uint64((1 << (_BITS * length)) - 1)


def _encode(lines: Iterable[str]) -> NDArray[np.uint8]:
    """Return the symbols of lines, each with its end."""
    text = "".join(f"{line}\n" for line in lines)
    return _TABLE[np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)]


def _ngrams(symbols: NDArray[np.uint8], order: int) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Return (characters,) the n-gram that ends with each character, and how many stand before it on its line."""
    ends = np.flatnonzero(symbols == BOUNDARY)
    starts = np.concatenate([[0], ends[:-1] + 1])
    age = (np.arange(len(symbols)) - np.repeat(starts, ends + 1 - starts)).astype(np.int32)
    keys = symbols.astype(np.uint64)
    for distance in range(1, order):
        # Before the line there is nothing but line ends, which are 0.
        before = np.where(age[distance:] >= distance, symbols[:-distance], np.uint8(0)).astype(np.uint64)
        keys[distance:] |= before << np.uint64(_BITS * distance)
    return keys, age


def _count(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the different keys in ascending order, and how often each stands there."""
    keys = np.sort(keys)
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    return keys[first], np.diff(first, append=len(keys))


def _smooth(ngrams: NDArray[np.uint64], counts: NDArray[np.int64]) -> _Order:
    """Return what is known of n-grams of one length from their counts."""
    order = np.argsort(ngrams, kind="stable")
    ngrams, counts = ngrams[order], counts[order]
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    contexts, sizes = _count(ngrams >> np.uint64(_BITS))
    first = np.concatenate([[0], sizes.cumsum()])
    totals = np.add.reduceat(counts, first[:-1])
    return _Order(
        contexts,
        first,
        np.add.reduceat(discounts, first[:-1]) / totals,
        (ngrams & _SYMBOL).astype(np.uint8),
        ((counts - discounts) / np.repeat(totals, sizes)).astype(np.float32),
    )


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (4,) what is taken from a count of 0, 1, 2, and 3 or more: equation 26 of Chen and Goodman."""
    singles, doubles, triples, quadruples = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not (singles and doubles and triples and quadruples):
        return np.array([0, 0.5, 0.75, 0.9])  # too few n-grams to tell
    ratio = singles / (singles + 2 * doubles)
    found = [1 - 2 * ratio * doubles / singles, 2 - 3 * ratio * triples / doubles, 3 - 4 * ratio * quadruples / triples]
    return np.array([0, *np.clip(found, 0.01, [0.99, 1.99, 2.99])])


def held_out_bits(lines: Sequence[str], orders: Iterable[int], every: int = 100) -> dict[int, float]:
    """Return the bits per character of each order on one line in so many, learnt from the other lines."""
    held_out = lines[::every]
    rest = [line for place, line in enumerate(lines) if place % every]
    return {order: float(CharacterNgram(rest, order).bits(held_out).mean()) for order in orders}
