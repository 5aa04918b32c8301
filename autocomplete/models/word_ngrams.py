"""
Word n-grams with interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999), as a distribution over all words.

Each n-gram has its discounted share of its context. The rest of 1 goes to the shorter context. It is not stored, so distributions
sum to 1 after pruning and rounding, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.kneser_ney import discounts, smooth

__all__ = ["NGrams", "Pairs", "estimate"]

_PRIOR_SHARE = 0.3  # interpolation weight of the prior in the unigrams
_PAIR_SHARE = 0.5  # share of the additional pairs in what the text's pairs leave to the unigrams
_PAIR_WEIGHT = 20.0  # least count of a context when its pairs are chosen
_MOST = 12_000_000  # distinct n-grams of the longest length, of 12 bytes each
_PART = 300_000  # n-grams processed at once
_STEPS = 20.0  # steps of the log of a share, which is kept in a byte and rounded down: exp(-255 / 20) is 3e-6


@dataclass(frozen=True)
class _Level:
    """The n-grams of one length. A context is the index of the shorter n-gram in the level before; of pairs, a word's rank."""

    starts: NDArray[np.int32]  # (contexts + 1,) where the n-grams of each context begin
    ranks: NDArray[np.uint16]  # (n-grams,) rank of the last word, ascending within a context
    shares: NDArray[np.uint8]  # (n-grams,) log of the share, in steps

    def row(self, context: int) -> slice:
        """Return the range of the n-grams of a context."""
        return slice(int(self.starts[context]), int(self.starts[context + 1]))

    def place(self, context: int, rank: int) -> int | None:
        """Return the index of a context with one more word, None if it is not kept."""
        row = self.row(context)
        i = row.start + int(np.searchsorted(self.ranks[row], np.uint16(rank)))
        return i if i < row.stop and self.ranks[i] == rank else None

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return arrays of small numbers, which compress well: counts instead of starts, gaps instead of ranks."""
        counts = np.diff(self.starts)
        gaps = np.diff(self.ranks, prepend=np.uint16(0))
        firsts = self.starts[:-1][counts > 0]
        gaps[firsts] = self.ranks[firsts]
        return {"counts": counts.astype(np.uint16), "gaps": gaps, "shares": self.shares}

    @classmethod
    def from_tensors(cls, counts: NDArray[Any], gaps: NDArray[Any], shares: NDArray[Any]) -> Self:
        """Return the level from its `tensors`; raise ValueError if they do not match."""
        starts = np.zeros(len(counts) + 1, dtype=np.int32)
        np.cumsum(counts, out=starts[1:])
        if not starts[-1] == len(gaps) == len(shares):
            raise ValueError(f"there are {starts[-1]} n-grams, {len(gaps)} words of them and {len(shares)} shares")
        sums = np.cumsum(gaps, dtype=np.uint16)  # may overflow, but differences are right
        known = np.flatnonzero(counts)
        before = sums[starts[known] - 1]
        before[:1] = 0
        return cls(starts, sums - np.repeat(before, counts[known]), shares)


class NGrams:
    """
    Smoothed word n-grams. Words are ids from 0. In contexts, `start` is a sentence boundary and `other` an unknown word.

    :param unigrams: (words,) the distribution without context. A word's rank is its index when they are sorted by it.
    :param levels: the pairs, the triples, and so on.
    :raises ValueError: if the levels do not fit each other or the words.
    """

    def __init__(self, unigrams: NDArray[np.float32], levels: Sequence[_Level]) -> None:
        self.unigrams = unigrams
        self._levels = tuple(levels)
        self.order = len(self._levels) + 1  # the length of the longest n-grams
        self._by_rank, self._ranks = _ranked(unigrams)
        contexts = len(self._ranks)
        for n, level in enumerate(self._levels, start=2):
            if len(level.starts) != contexts + 1 or level.ranks.max(initial=0) >= max(len(unigrams), 1):
                raise ValueError(f"the {n}-grams do not fit what is shorter")
            contexts = len(level.ranks)
        self._decoded = np.exp(-np.arange(256) / _STEPS).astype(np.float32)
        self.start, self.other = len(unigrams), len(unigrams) + 1

    def __len__(self) -> int:
        return sum(len(level.ranks) for level in self._levels)

    def distribution(
        self, context: Sequence[int], weights: Sequence[float] | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """
        Return (words,) the probability of each next word, and the length of the longest known context.

        :param context: the words so far, the last one last.
        :param weights: (order,) a factor of the probabilities for each length of the known context; by default 1.
        """
        rows = []
        for length in range(1, min(len(context), len(self._levels)) + 1):
            row = self._row(context[len(context) - length :])
            if row.start == row.stop:
                break
            level = self._levels[length - 1]
            rows.append((self._by_rank[level.ranks[row]], self._decoded[level.shares[row]]))
        rest = 1.0 if weights is None else weights[len(rows)]  # left by the longer contexts to the shorter ones
        extra = []
        for words, shares in reversed(rows):
            extra.append((words, rest * shares))
            rest *= max(1.0 - float(shares.sum()), 0.0)
        result = np.float32(rest) * self.unigrams
        for words, shares in extra:
            result[words] += shares
        return result, len(rows)

    def _row(self, context: Sequence[int]) -> slice:
        """Return the range of the n-grams of a context."""
        place = int(self._ranks[context[0]])
        for level, word in zip(self._levels, context[1:], strict=False):
            found = level.place(place, int(self._ranks[word]))
            if found is None:
                return slice(0, 0)
            place = found
        return self._levels[len(context) - 1].row(place)

    def pairs(self) -> Pairs:
        """Return its pairs of words, with relative frequencies as counts; without those that begin a sentence."""
        if not self._levels:
            return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        level = self._levels[0]
        first = np.repeat(np.arange(len(self._ranks)), np.diff(level.starts))
        known = first < self.start
        first = self._by_rank[first[known]].astype(np.int64)
        shares = self.unigrams[first] * self._decoded[level.shares[known]]
        return Pairs(first, self._by_rank[level.ranks[known]].astype(np.int64), shares.astype(np.float64))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, for a checkpoint."""
        named: dict[str, NDArray[Any]] = {"unigrams": self.unigrams}
        for n, level in enumerate(self._levels, start=2):
            named |= {f"{n}.{name}": array for name, array in level.tensors().items()}
        return named

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Self:
        """
        Return the n-grams from their `tensors`, of this format or the one before 2026-11-22.

        :raises LookupError, TypeError, ValueError: if they are neither.
        """
        unigrams = tensors["unigrams"].astype(np.float32)
        lengths = range(2, 2 + sum(name.endswith(".shares") for name in tensors))
        if "2.contexts" not in tensors:
            named = [{name: tensors[f"{n}.{name}"] for name in ("counts", "gaps", "shares")} for n in lengths]
            return cls(unigrams, [_Level.from_tensors(**arrays) for arrays in named])
        kept = []
        for n in lengths:
            contexts, starts, words, shares = (tensors[f"{n}.{k}"] for k in ("contexts", "starts", "words", "shares"))
            kept.append((np.repeat(contexts, np.diff(starts)), words, shares))
        return cls(unigrams, _sorted_levels(unigrams, kept))


def _ranked(unigrams: NDArray[np.float32]) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Return (words,) the words by descending probability, and (words + 2,) the rank of each; `start` and `other` are last."""
    words = len(unigrams)
    by_rank = np.argsort(-unigrams, kind="stable").astype(np.int32)
    ranks = np.arange(words + 2, dtype=np.int32)
    ranks[by_rank] = np.arange(words)
    return by_rank, ranks


def _sorted_levels(
    unigrams: NDArray[np.float32], kept: Iterable[tuple[NDArray[Any], NDArray[Any], NDArray[np.uint8]]]
) -> list[_Level]:
    """Return the levels, given (n-grams,) for each: the context, a word or an index among the shorter n-grams; word; share."""
    _, ranks = _ranked(unigrams)
    places, levels = ranks, []
    for contexts, words, shares in kept:
        contexts, last = places[contexts], ranks[words]
        order = np.lexsort((last, contexts))
        starts = np.searchsorted(contexts[order], np.arange(len(places) + 1))
        levels.append(_Level(starts.astype(np.int32), last[order].astype(np.uint16), shares[order]))
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
    return levels


@dataclass(frozen=True)
class Pairs:
    """Additional pairs of words, for those that a text lacks."""

    first: NDArray[np.int64]  # (pairs,) word ids
    second: NDArray[np.int64]  # (pairs,) word ids
    counts: NDArray[np.float64]  # (pairs,)


def estimate(
    tokens: NDArray[np.integer[Any]] | Iterable[NDArray[np.integer[Any]]],
    prior: NDArray[np.float64],
    sizes: Sequence[int],
    pairs: Pairs | None = None,
) -> NGrams:
    """
    Return the n-grams of a text.

    :param tokens: (n,) word ids, with `words` at a sentence boundary and `words + 1` for unknown words; or several such passages,
        which are read until memory is full: there are twelve million distinct n-grams.
    :param prior: (words,) a distribution that is interpolated with the unigrams.
    :param sizes: the number of n-grams to keep of each length from 2 on, those that matter most (Seymore and Rosenfeld, 1996).
    :param pairs: additional pairs.
    """
    words, base = len(prior), len(prior) + 2
    counted = _count([tokens] if isinstance(tokens, np.ndarray) else tokens, base, 1 + len(sizes))
    unigrams = counted[0].counts[:words] + 1e-9
    unigrams = (1 - _PRIOR_SHARE) * unigrams / unigrams.sum() + _PRIOR_SHARE * prior / prior.sum()
    below = counted[0].keys  # the n-grams one word shorter
    lower = np.append(unigrams, [0.0, 0.0])  # the probability of the last word of each
    places = np.arange(base)  # the index of each among those kept, or -1
    ngrams: list[tuple[NDArray[Any], NDArray[Any], NDArray[np.uint8]]] = []
    for size, level in zip(sizes, counted[1:], strict=True):
        taken = discounts(level.counts)
        added = None
        if pairs is not None and not ngrams:
            level, added = _with_pairs(level, pairs, base)
        best: tuple[NDArray[Any], ...] = np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        whole = np.empty(len(level.keys) if len(ngrams) + 1 < len(sizes) else 0)  # not needed of the longest
        for part in _whole_contexts(level.keys, base):
            keys, counts = level.keys[part], level.counts[part]
            contexts, lengths, totals, shares = smooth(keys, counts, base, taken)
            which = np.repeat(np.arange(len(contexts)), lengths)
            if added is not None:  # they get a part of what the text leaves to the unigrams
                rest = 1 - np.bincount(which, weights=shares)
                from_elsewhere = np.maximum(np.bincount(which, weights=added[part]), 1e-300)
                shares += _PAIR_SHARE * (rest / from_elsewhere)[which] * added[part]
                totals = np.maximum(totals, _PAIR_WEIGHT)
            rest = 1 - np.bincount(which, weights=shares)
            backoff = lower[np.searchsorted(below, keys % base ** (len(ngrams) + 1))]
            own = shares + rest[which] * backoff
            if len(whole):
                whole[part] = own
            gain = np.log(np.maximum(own, 1e-30)) - np.log(np.maximum(backoff, 1e-30))
            gain *= shares * totals[which]
            context_places = places[np.searchsorted(below, contexts)][which]
            gain[(keys % base >= words) | (context_places < 0)] = 0
            chosen = np.flatnonzero(gain > 0)
            best = _best(size, best, (gain[chosen], chosen + part.start, context_places[chosen], shares[chosen]))
        _, kept, kept_contexts, kept_shares = best
        rounded = np.ceil(-np.log(kept_shares) * _STEPS).clip(0, 255).astype(np.uint8)
        ngrams.append((kept_contexts, level.keys[kept] % base, rounded))
        places = np.full(len(level.keys), -1, dtype=np.int32)
        places[kept] = np.arange(len(kept))
        below, lower = level.keys, whole
    rounded_unigrams = unigrams.astype(np.float32)
    return NGrams(rounded_unigrams, _sorted_levels(rounded_unigrams, ngrams))


@dataclass
class _Counted:
    """The distinct n-grams of one length."""

    keys: NDArray[np.int64]  # (n-grams,) ascending: the words as the digits of a number
    counts: NDArray[np.int32]  # (n-grams,)

    def add(self, keys: NDArray[np.int64], counts: NDArray[np.integer[Any]]) -> None:
        """Add distinct, ascending n-grams."""
        at = np.searchsorted(self.keys, keys)
        known = np.flatnonzero(self.keys.take(at, mode="clip") == keys) if len(self.keys) else at[:0]
        self.counts[at[known]] += counts[known].astype(np.int32)
        fresh = np.ones(len(keys), dtype=bool)
        fresh[known] = False
        self.keys = np.insert(self.keys, at[fresh], keys[fresh])
        self.counts = np.insert(self.counts, at[fresh], counts[fresh])


def _count(passages: Iterable[NDArray[np.integer[Any]]], base: int, order: int) -> list[_Counted]:
    """
    Return the n-grams of each length from 1 to `order`, none of them across a sentence boundary.

    The longest are counted as they occur, and so are those that begin a sentence; others by the distinct words before them.
    """
    if base**order >= 2**63:
        raise ValueError(f"{base} words are too many for n-grams of {order}")
    start = base - 2
    found = [
        _Counted(np.arange(base if n == 0 else 0), np.zeros(base if n == 0 else 0, np.int32)) for n in range(order)
    ]
    for passage in passages:
        tokens = keys = passage.astype(np.int64)
        inside = np.ones(len(tokens), dtype=bool)  # whether an n-gram begins here
        found[0].counts += np.bincount(tokens, minlength=base).astype(np.int32)
        for length, level in enumerate(found[1:], start=2):
            following = tokens[length - 1 :]
            keys, inside = keys[:-1] * base + following, inside[:-1] & (following != start)
            level.add(*np.unique(keys[inside], return_counts=True))
        if len(found[-1].keys) > _MOST:
            break
    for length, (level, longer) in enumerate(pairwise(found), start=1):
        before = np.zeros(len(level.keys), dtype=np.int32)
        for part in _whole_contexts(longer.keys, base):
            places = np.searchsorted(level.keys, longer.keys[part] % base**length)
            np.add.at(before, places, 1)
        level.counts = np.where(level.keys // base ** (length - 1) == start, level.counts, before)
    return found


def _whole_contexts(keys: NDArray[np.int64], base: int) -> Iterator[slice]:
    """Yield consecutive parts of some n-grams that do not divide a context."""
    start = 0
    while start < len(keys):
        end = start + _PART
        end = len(keys) if end >= len(keys) else int(np.searchsorted(keys, (keys[end] // base + 1) * base))
        yield slice(start, end)
        start = end


def _best(size: int, kept: tuple[NDArray[Any], ...], added: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    """Return the rows of two sets of columns with the greatest first column, in their order."""
    joined = [np.concatenate(both) for both in zip(kept, added, strict=True)]
    chosen = np.sort(np.argsort(-joined[0], kind="stable")[:size])
    return tuple(column[chosen] for column in joined)


def _with_pairs(level: _Counted, pairs: Pairs, base: int) -> tuple[_Counted, NDArray[np.float64]]:
    """Return the pairs of a text together with additional ones, and the additional count of each."""
    order = np.lexsort((pairs.second, pairs.first))
    theirs = (pairs.first * base + pairs.second)[order]
    joined = _Counted(level.keys, level.counts.copy())
    joined.add(theirs, np.zeros(len(theirs), dtype=np.int32))
    added = np.zeros(len(joined.keys))
    added[np.searchsorted(joined.keys, theirs)] = pairs.counts[order]
    return joined, added
