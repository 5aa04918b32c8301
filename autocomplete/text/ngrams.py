"""
Which word follows which: word n-grams of a text, smoothed, as one distribution over all words.

Interpolated modified Kneser-Ney (Chen and Goodman, 1999): each n-gram keeps its discounted share of its context, and what was
taken away goes to the context without its first word. The shares of a context sum to less than one, and the rest is
what the shorter context gets: it is not stored, so a distribution sums to one however much is pruned and rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["NGrams", "Pairs", "estimate"]

_PRIOR_SHARE = 0.3  # of the prior, beside the words of the text
_PAIR_SHARE = 0.5  # of pairs from elsewhere, in what the pairs of the text leave to single words
_PAIR_WEIGHT = 20.0  # times that a word is taken to stand in the text at least when its pairs are chosen
_STEPS = 20.0  # a share is kept in a byte, rounded down, as the logarithm of it in twentieths: exp(-255 / 20) is 3 in a million


@dataclass(frozen=True)
class _Level:
    """
    The n-grams of one length. A context is the place of the (n - 1)-gram in the level before; of the words, the word.

    :param contexts: (contexts,) ascending: those that have n-grams here.
    :param starts: (contexts + 1,) where in the others the n-grams of each context begin.
    :param words: (n-grams,) the last word of each, ascending within a context.
    :param shares: (n-grams,) uint8: the logarithm of each one's share.
    """

    contexts: NDArray[np.int32]
    starts: NDArray[np.int32]
    words: NDArray[np.uint16]
    shares: NDArray[np.uint8]

    def row(self, context: int) -> slice:
        """Return where the n-grams of a context stand."""
        i = int(np.searchsorted(self.contexts, np.int32(context)))  # of the same type, or all would be converted
        if i == len(self.contexts) or self.contexts[i] != context:
            return slice(0, 0)
        return slice(int(self.starts[i]), int(self.starts[i + 1]))


class NGrams:
    """
    Smoothed word n-grams. Words are numbers from 0; `start` stands for the beginning of a line or sentence, `other` for any
    word that has no number. Both occur in contexts only.

    :param unigrams: (words,) the distribution where no context is known.
    :param levels: of the pairs, the triples, and so on.
    """

    def __init__(self, unigrams: NDArray[np.float32], levels: Sequence[_Level]) -> None:
        self._unigrams = unigrams
        self._levels = tuple(levels)
        self._decoded = np.exp(-np.arange(256) / _STEPS).astype(np.float32)
        self.start, self.other = len(unigrams), len(unigrams) + 1

    @property
    def unigrams(self) -> NDArray[np.float32]:
        """The distribution where no context is known."""
        return self._unigrams

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self._levels) + 1

    def __len__(self) -> int:
        return sum(len(level.words) for level in self._levels)

    def distribution(
        self, context: Sequence[int], weights: Sequence[float] | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """
        Return the probability of each next word, and how many words of the context it rests on.

        :param context: the words so far, the last one last.
        :param weights: (order,) what to multiply the probabilities with, by how many words they rest on.
        :returns: (words,) of sum 1, or of the weight.
        """
        rows = []
        for length in range(1, min(len(context), len(self._levels)) + 1):
            row = self._row(context[len(context) - length :])
            if row.start == row.stop:
                break
            rows.append((self._levels[length - 1].words[row], self._decoded[self._levels[length - 1].shares[row]]))
        rest = 1.0 if weights is None else weights[len(rows)]  # what the longer contexts leave to the shorter ones
        extra = []
        for words, shares in reversed(rows):
            extra.append((words, rest * shares))
            rest *= max(1.0 - float(shares.sum()), 0.0)
        result = np.float32(rest) * self._unigrams
        for words, shares in extra:
            result[words] += shares
        return result, len(rows)

    def _row(self, context: Sequence[int]) -> slice:
        """Return where the n-grams of a context of so many words stand."""
        place = context[0]
        for level, word in zip(self._levels, context[1:], strict=False):
            row = level.row(place)
            i = row.start + int(np.searchsorted(level.words[row], np.uint16(word)))
            if i == row.stop or level.words[i] != word:
                return slice(0, 0)
            place = i
        return self._levels[len(context) - 1].row(place)

    def pairs(self) -> Pairs:
        """Return its pairs of words, in shares of the text instead of counts; without those that begin a line or sentence."""
        if not self._levels:
            return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        level = self._levels[0]
        first = np.repeat(level.contexts, np.diff(level.starts)).astype(np.int64)
        known = first < self.start
        shares = self._unigrams[first[known]] * self._decoded[level.shares[known]]
        return Pairs(first[known], level.words[known].astype(np.int64), shares.astype(np.float64))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, for a checkpoint."""
        named: dict[str, NDArray[Any]] = {"unigrams": self._unigrams}
        for n, level in enumerate(self._levels, start=2):
            named |= {f"{n}.{name}": array for name, array in vars(level).items()}
        return named

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Return what `tensors` gave."""
        levels: list[_Level] = []
        while f"{len(levels) + 2}.words" in tensors:
            n = len(levels) + 2
            levels.append(_Level(*(tensors[f"{n}.{name}"] for name in ("contexts", "starts", "words", "shares"))))
        return cls(tensors["unigrams"].astype(np.float32), levels)


@dataclass(frozen=True)
class Pairs:
    """
    Pairs of words from elsewhere, for those that a text lacks.

    :param first: (pairs,) the number of the first word, and
    :param second: (pairs,) of the second;
    :param counts: (pairs,) how often they stand together.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    counts: NDArray[np.float64]


def estimate(
    tokens: NDArray[np.int64],
    prior: NDArray[np.float64],
    sizes: Sequence[int],
    pairs: Pairs | None = None,
) -> NGrams:
    """
    Return the n-grams of a text.

    :param tokens: (n,) its words as numbers, with `words` where a line or sentence begins, and `words + 1` for any other word.
    :param prior: (words,) a distribution that is mixed with that of the text where no context is known.
    :param sizes: how many n-grams are kept of each length from 2 on: those that the text would miss the most (Seymore and
        Rosenfeld, 1996).
    """
    counted = _count(tokens, len(prior), 1 + len(sizes))
    unigrams = counted[0].counts[: len(prior)] + 1e-9
    unigrams = (1 - _PRIOR_SHARE) * unigrams / unigrams.sum() + _PRIOR_SHARE * prior / prior.sum()
    lower = np.append(unigrams, [0.0, 0.0])  # the probability of each n-gram's last word, one level below
    places = np.arange(len(prior) + 2)  # of each n-gram of the level below among those kept; -1 where it is not
    levels: list[_Level] = []
    for size, level in zip(sizes, counted[1:], strict=True):
        totals = np.bincount(level.contexts, weights=level.counts, minlength=len(places))
        shares = np.maximum(level.counts - _discounts(level.counts), 0) / np.maximum(totals, 1e-9)[level.contexts]
        if pairs is not None and not levels:
            level, shares = _with_pairs(level, shares, pairs, len(places))
            totals = np.maximum(totals, _PAIR_WEIGHT)
        backoff = lower[level.suffixes]
        rest = 1 - np.bincount(level.contexts, weights=shares, minlength=len(places))
        whole = shares + rest[level.contexts] * backoff
        gain = shares * totals[level.contexts] * (np.log(np.maximum(whole, 1e-30)) - np.log(np.maximum(backoff, 1e-30)))
        gain[(level.words >= len(prior)) | (places[level.contexts] < 0)] = 0
        kept = np.argsort(-gain, kind="stable")[:size]
        kept = kept[gain[kept] > 0]
        kept = kept[np.lexsort((level.words[kept], places[level.contexts[kept]]))]
        contexts, starts = np.unique(places[level.contexts[kept]], return_index=True)
        levels.append(
            _Level(
                contexts.astype(np.int32),
                np.append(starts, len(kept)).astype(np.int32),
                level.words[kept].astype(np.uint16),
                np.ceil(-np.log(shares[kept]) * _STEPS).clip(0, 255).astype(np.uint8),
            )
        )
        places = np.full(len(level.words), -1)
        places[kept] = np.arange(len(kept))
        lower = whole
    return NGrams(unigrams.astype(np.float32), levels)


@dataclass(frozen=True)
class _Counted:
    """
    The distinct n-grams of one length.

    :param contexts: (n-grams,) the n-gram without its last word, as its place in the level below.
    :param words: (n-grams,) the last word.
    :param suffixes: (n-grams,) the n-gram without its first word, as its place in the level below.
    :param counts: (n-grams,) how many different words stand before it; at the longest length, and at the beginning of a
        sentence, how often it stands in the text.
    """

    contexts: NDArray[np.int64]
    words: NDArray[np.int64]
    suffixes: NDArray[np.int64]
    counts: NDArray[np.float64]


def _count(tokens: NDArray[np.int64], start: int, order: int) -> list[_Counted]:
    """Return the n-grams of each length from 1 to `order`; none reaches over the beginning of a sentence."""
    base = start + 2
    every = np.arange(base)
    places = tokens  # of the n-gram that ends at each word, in its level
    inside = np.ones(len(tokens), dtype=bool)  # whether one does
    found = [(every, every, every, np.bincount(tokens, minlength=base), every < 0)]
    for length in range(2, order + 1):
        inside = np.append(False, inside[:-1]) & (tokens != start)
        at = np.flatnonzero(inside)
        keys, first, which, counts = np.unique(
            places[at - 1] * base + tokens[at], return_index=True, return_inverse=True, return_counts=True
        )
        found.append((keys // base, keys % base, places[at[first]], counts, tokens[at[first] - length + 1] == start))
        places = np.full(len(tokens), -1)
        places[at] = which
    levels = []
    for i, (contexts, words, suffixes, counts, begins) in enumerate(found):
        if i + 1 < len(found):
            before = np.bincount(found[i + 1][2], minlength=len(counts))
            counts = np.where(begins, counts, before)
        levels.append(_Counted(contexts, words, suffixes, counts.astype(np.float64)))
    return levels


def _discounts(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is taken from each count: Chen and Goodman's D1, D2 and D3+, kept within what few counts can tell."""
    n1, n2, n3, n4 = (max(float((counts == count).sum()), 1.0) for count in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    estimates = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    discounts = [0.0, *(min(max(d, 0.1 * count), 0.95 * count) for count, d in enumerate(estimates, start=1))]
    return np.array(discounts)[np.minimum(counts, 3).astype(np.int64)]


def _with_pairs(
    level: _Counted, shares: NDArray[np.float64], pairs: Pairs, base: int
) -> tuple[_Counted, NDArray[np.float64]]:
    """Return the pairs of a text and those from elsewhere, which get a part of what the text leaves to single words."""
    rest = 1 - np.bincount(level.contexts, weights=shares, minlength=base)
    totals = np.bincount(pairs.first, weights=pairs.counts, minlength=base)
    more = _PAIR_SHARE * rest[pairs.first] * pairs.counts / totals[pairs.first]
    # The text's own come first and keep their places, by which longer n-grams know them.
    own = level.contexts * base + level.words
    theirs = pairs.first * base + pairs.second
    place = np.searchsorted(own, theirs).clip(max=len(own) - 1)
    known = own[place] == theirs
    shares = shares.copy()
    np.add.at(shares, place[known], more[known])
    first, second = pairs.first[~known], pairs.second[~known]
    joined = _Counted(
        np.append(level.contexts, first),
        np.append(level.words, second),
        np.append(level.suffixes, second),
        np.append(level.counts, np.zeros(len(first))),
    )
    return joined, np.append(shares, more[~known])
