"""
Which word follows which: word n-grams of a text, smoothed, as one distribution over all words.

Interpolated modified Kneser-Ney (Chen and Goodman, 1999): each n-gram keeps its discounted share of its context, and what was
taken away goes to the context without its first word. The shares of a context sum to less than one, and the rest is
what the shorter context gets: it is not stored, so a distribution sums to one however much is pruned and rounded.
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

_PRIOR_SHARE = 0.3  # of the prior, beside the words of the text
_PAIR_SHARE = 0.5  # of pairs from elsewhere, in what the pairs of the text leave to single words
_PAIR_WEIGHT = 20.0  # times that a word is taken to stand in the text at least when its pairs are chosen
_MOST = 12_000_000  # distinct n-grams of the longest length, of 12 bytes each
_PART = 300_000  # n-grams looked at side by side
_STEPS = 20.0  # a share is kept in a byte, rounded down, as the logarithm of it in twentieths: exp(-255 / 20) is 3 in a million


@dataclass(frozen=True)
class _Level:
    """
    The n-grams of one length. A context is the place of the (n - 1)-gram in the level before; of the pairs, a word's rank.

    :param starts: (contexts + 1,) where the n-grams of each context begin.
    :param ranks: (n-grams,) the rank of the last word of each, ascending within a context.
    :param shares: (n-grams,) uint8: the logarithm of each one's share.
    """

    starts: NDArray[np.int32]
    ranks: NDArray[np.uint16]
    shares: NDArray[np.uint8]

    def row(self, context: int) -> slice:
        """Return where the n-grams of a context stand."""
        return slice(int(self.starts[context]), int(self.starts[context + 1]))

    def place(self, context: int, rank: int) -> int | None:
        """Return where a context stands with one more word, None where that is not kept."""
        row = self.row(context)
        i = row.start + int(np.searchsorted(self.ranks[row], np.uint16(rank)))
        return i if i < row.stop and self.ranks[i] == rank else None

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return arrays of small numbers, which take little room when they are deflated: ranks as gaps within a context."""
        counts = np.diff(self.starts)
        gaps = np.diff(self.ranks, prepend=np.uint16(0))
        firsts = self.starts[:-1][counts > 0]
        gaps[firsts] = self.ranks[firsts]
        return {"counts": counts.astype(np.uint16), "gaps": gaps, "shares": self.shares}

    @classmethod
    def from_tensors(cls, counts: NDArray[Any], gaps: NDArray[Any], shares: NDArray[Any]) -> Self:
        """Return what `tensors` gave; raise ValueError where they do not match."""
        starts = np.zeros(len(counts) + 1, dtype=np.int32)
        np.cumsum(counts, out=starts[1:])
        if not starts[-1] == len(gaps) == len(shares):
            raise ValueError(f"there are {starts[-1]} n-grams, {len(gaps)} words of them and {len(shares)} shares")
        sums = np.cumsum(gaps, dtype=np.uint16)  # it may overflow: differences are right
        known = np.flatnonzero(counts)
        before = sums[starts[known] - 1]
        before[:1] = 0
        return cls(starts, sums - np.repeat(before, counts[known]), shares)


class NGrams:
    """
    Smoothed word n-grams. Words are numbers from 0; `start` stands for the beginning of a line or sentence, `other` for any
    word that has no number. Both occur in contexts only.

    :param unigrams: (words,) the distribution where no context is known; a word's rank is its place when they are sorted by it.
    :param levels: of the pairs, the triples, and so on.
    :raises ValueError: where the levels do not fit each other or the words.
    """

    def __init__(self, unigrams: NDArray[np.float32], levels: Sequence[_Level]) -> None:
        self._unigrams = unigrams
        self._levels = tuple(levels)
        self._by_rank, self._ranks = _ranked(unigrams)
        contexts = len(self._ranks)
        for n, level in enumerate(self._levels, start=2):
            if len(level.starts) != contexts + 1 or level.ranks.max(initial=0) >= max(len(unigrams), 1):
                raise ValueError(f"the {n}-grams do not fit what is shorter")
            contexts = len(level.ranks)
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
        return sum(len(level.ranks) for level in self._levels)

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
            level = self._levels[length - 1]
            rows.append((self._by_rank[level.ranks[row]], self._decoded[level.shares[row]]))
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
        place = int(self._ranks[context[0]])
        for level, word in zip(self._levels, context[1:], strict=False):
            found = level.place(place, int(self._ranks[word]))
            if found is None:
                return slice(0, 0)
            place = found
        return self._levels[len(context) - 1].row(place)

    def pairs(self) -> Pairs:
        """Return its pairs of words, in shares of the text instead of counts; without those that begin a line or sentence."""
        if not self._levels:
            return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        level = self._levels[0]
        first = np.repeat(np.arange(len(self._ranks)), np.diff(level.starts))
        known = first < self.start
        first = self._by_rank[first[known]].astype(np.int64)
        shares = self._unigrams[first] * self._decoded[level.shares[known]]
        return Pairs(first, self._by_rank[level.ranks[known]].astype(np.int64), shares.astype(np.float64))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, for a checkpoint."""
        named: dict[str, NDArray[Any]] = {"unigrams": self._unigrams}
        for n, level in enumerate(self._levels, start=2):
            named |= {f"{n}.{name}": array for name, array in level.tensors().items()}
        return named

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> Self:
        """
        Return what `tensors` gave, now or before 2026-11-22, when contexts and words were kept as they are.

        :raises LookupError, TypeError, ValueError: where they are not that.
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
    """Return (words,) the words from the most probable on, and (words + 2,) the rank of each; contexts alone stand last."""
    words = len(unigrams)
    by_rank = np.argsort(-unigrams, kind="stable").astype(np.int32)
    ranks = np.arange(words + 2, dtype=np.int32)
    ranks[by_rank] = np.arange(words)
    return by_rank, ranks


def _sorted_levels(
    unigrams: NDArray[np.float32], kept: Iterable[tuple[NDArray[Any], NDArray[Any], NDArray[np.uint8]]]
) -> list[_Level]:
    """
    Return n-grams in order.

    :param kept: for each length, (n-grams,): the context of each, a word or a place among those of the length before; its last
        word; its share.
    """
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
    tokens: NDArray[np.integer[Any]] | Iterable[NDArray[np.integer[Any]]],
    prior: NDArray[np.float64],
    sizes: Sequence[int],
    pairs: Pairs | None = None,
) -> NGrams:
    """
    Return the n-grams of a text.

    :param tokens: (n,) its words as numbers, with `words` where a line or sentence begins, and `words + 1` for any other word; or
        several such passages, which are read until there are twelve million distinct n-grams: what memory shall hold.
    :param prior: (words,) a distribution that is mixed with that of the text where no context is known.
    :param sizes: how many n-grams are kept of each length from 2 on: those that the text would miss the most (Seymore and
        Rosenfeld, 1996).
    """
    words, base = len(prior), len(prior) + 2
    counted = _count([tokens] if isinstance(tokens, np.ndarray) else tokens, base, 1 + len(sizes))
    unigrams = counted[0].counts[:words] + 1e-9
    unigrams = (1 - _PRIOR_SHARE) * unigrams / unigrams.sum() + _PRIOR_SHARE * prior / prior.sum()
    below = counted[0].keys  # the n-grams one word shorter,
    lower = np.append(unigrams, [0.0, 0.0])  # the probability of each one's last word,
    places = np.arange(base)  # and its place among those kept; -1 where it is not
    ngrams: list[tuple[NDArray[Any], NDArray[Any], NDArray[np.uint8]]] = []
    for size, level in zip(sizes, counted[1:], strict=True):
        taken = discounts(level.counts)
        added = None
        if pairs is not None and not ngrams:
            level, added = _with_pairs(level, pairs, base)
        best = _Best(size)
        whole = np.empty(len(level.keys) if len(ngrams) + 1 < len(sizes) else 0)  # of the longest, nobody asks for it
        for part in _whole_contexts(level.keys, base):
            keys, counts = level.keys[part], level.counts[part]
            contexts, lengths, totals, shares = smooth(keys, counts, base, taken)
            which = np.repeat(np.arange(len(contexts)), lengths)
            if added is not None:  # they get a part of what the text leaves to single words
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
            best.add(gain, np.arange(part.start, part.stop), context_places, shares)
        kept, kept_contexts, kept_shares = best.kept()
        rounded = np.ceil(-np.log(kept_shares) * _STEPS).clip(0, 255).astype(np.uint8)
        ngrams.append((kept_contexts, level.keys[kept] % base, rounded))
        places = np.full(len(level.keys), -1, dtype=np.int32)
        places[kept] = np.arange(len(kept))
        below, lower = level.keys, whole
    rounded_unigrams = unigrams.astype(np.float32)
    return NGrams(rounded_unigrams, _sorted_levels(rounded_unigrams, ngrams))


@dataclass
class _Counted:
    """
    The distinct n-grams of one length.

    :param keys: (n-grams,) ascending: their words as the digits of a number.
    :param counts: (n-grams,) how often each stands in the text; once all are read, how many different words stand before it, but
        at the longest length, and at the beginning of a sentence.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int32]

    def add(self, keys: NDArray[np.int64], counts: NDArray[np.integer[Any]]) -> None:
        """Add n-grams, distinct and ascending."""
        at = np.searchsorted(self.keys, keys)
        known = np.flatnonzero(self.keys.take(at, mode="clip") == keys) if len(self.keys) else at[:0]
        self.counts[at[known]] += counts[known].astype(np.int32)
        fresh = np.ones(len(keys), dtype=bool)
        fresh[known] = False
        self.keys = np.insert(self.keys, at[fresh], keys[fresh])
        self.counts = np.insert(self.counts, at[fresh], counts[fresh])


def _count(passages: Iterable[NDArray[np.integer[Any]]], base: int, order: int) -> list[_Counted]:
    """Return the n-grams of each length from 1 to `order`; none reaches over the beginning of a sentence."""
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
    """Yield parts of some n-grams, a million or so each, that have all n-grams of a context or none."""
    start = 0
    while start < len(keys):
        end = start + _PART
        end = len(keys) if end >= len(keys) else int(np.searchsorted(keys, (keys[end] // base + 1) * base))
        yield slice(start, end)
        start = end


class _Best:
    """The n-grams that would be missed the most, of many that come by."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: list[tuple[NDArray[Any], ...]] = []

    def add(self, gain: NDArray[np.float64], *columns: NDArray[Any]) -> None:
        """Consider some, in ascending order."""
        chosen = np.flatnonzero(gain > 0)
        self._rows.append((gain[chosen], *(column[chosen] for column in columns)))
        if len(self._rows) > 1:
            joined = [np.concatenate(parts) for parts in zip(*self._rows, strict=True)]
            chosen = np.sort(np.argsort(-joined[0], kind="stable")[: self._size])
            self._rows = [tuple(column[chosen] for column in joined)]

    def kept(self) -> tuple[NDArray[Any], ...]:
        """Return the columns of those that are kept, in ascending order."""
        nothing = np.zeros(0)
        self.add(nothing, nothing.astype(np.int64), nothing.astype(np.int64), nothing)
        self.add(nothing, nothing.astype(np.int64), nothing.astype(np.int64), nothing)
        return self._rows[0][1:]


def _with_pairs(level: _Counted, pairs: Pairs, base: int) -> tuple[_Counted, NDArray[np.float64]]:
    """Return the pairs of a text together with those from elsewhere, and how often each stands there."""
    order = np.lexsort((pairs.second, pairs.first))
    theirs = (pairs.first * base + pairs.second)[order]
    joined = _Counted(level.keys, level.counts.copy())
    joined.add(theirs, np.zeros(len(theirs), dtype=np.int32))
    added = np.zeros(len(joined.keys))
    added[np.searchsorted(joined.keys, theirs)] = pairs.counts[order]
    return joined, added
