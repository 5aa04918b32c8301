"""
The prefixes of sorted words as a tree, built without a Python step per word.

Sorted words that share a prefix stand together, so a prefix is new exactly where a word differs from the one before it,
and its words are a range of rows. Training walks the tree level by level; the lexicon looks its edges up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["Trie"]


@dataclass(frozen=True)
class Trie:
    """
    A node is a distinct prefix, numbered level by level; node 0 is the empty one. An edge is a symbol that follows a prefix.

    :param symbols: (nodes,) the last symbol of each prefix; BOUNDARY for the empty one.
    :param parents: (nodes,) the prefix without it; 0 for the empty one.
    :param levels: how many prefixes there are of each length from 0.
    :param sources: (edges,) the prefix that an edge leaves; ascending.
    :param targets: (edges,) the symbol that follows there; ascending for each source, BOUNDARY where a word ends.
    :param children: (edges,) the prefix that an edge leads to; -1 where a word ends.
    :param masses: (edges,) summed weight of the words that go that way.
    """

    symbols: NDArray[np.int64]
    parents: NDArray[np.int64]
    levels: tuple[int, ...]
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    children: NDArray[np.int64]
    masses: NDArray[np.float64]
    _new: NDArray[np.bool_] = field(repr=False)
    _inside: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def build(cls, ids: NDArray[np.int64], starts: NDArray[np.int64], weights: NDArray[np.float64]) -> Self:
        """
        Return the tree of some words.

        :param ids: (characters,) the symbols of all words; BOUNDARY is not among them.
        :param starts: (words + 1,) where in `ids` each word begins; the words distinct, not empty, and sorted by their ids.
        :param weights: (words,)
        """
        lengths = np.diff(starts)
        steps = np.arange(lengths.max() + 1)[:, None]  # (time, 1); all that follows has time first: level by level
        letter = steps < lengths  # (time, words)
        symbols = np.full(letter.shape, BOUNDARY, dtype=ids.dtype)
        symbols.T[letter.T] = ids
        inside = steps <= lengths  # the letters of a word and the boundary after it

        new = inside.copy()  # an edge that no earlier word has taken
        new[:, 1:] &= np.logical_or.accumulate(symbols[:, 1:] != symbols[:, :-1], axis=0)
        time, word = np.nonzero(new)
        targets = symbols[time, word]
        leads_on = targets != BOUNDARY
        children = np.where(leads_on, np.cumsum(leads_on), -1)

        # Each word stands, before its next symbol, at the prefix that the newest edge so far on its level led to.
        node = np.zeros(letter.shape, dtype=np.int64)
        placed = new & letter
        level_ends = np.cumsum(placed.sum(axis=1))
        node[1:] = np.cumsum(placed, axis=1)[:-1] + np.concatenate([[0], level_ends[:-2]])[:, None]
        sources = node[time, word]
        flat = np.flatnonzero(new)
        return cls(
            symbols=np.concatenate([[BOUNDARY], targets[leads_on]]),
            parents=np.concatenate([[0], sources[leads_on]]),
            levels=(1, *(int(size) for size in placed.sum(axis=1)[:-1])),
            sources=sources,
            targets=targets,
            children=children,
            masses=np.add.reduceat((inside * weights).ravel(), flat),
            _new=new,
            _inside=inside,
        )

    def characters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each character of each word and the boundary after it, the word and the edge: both (characters,)."""
        edges = np.cumsum(self._new).reshape(self._new.shape) - 1
        words, times = np.nonzero(self._inside.T)
        return words, edges[times, words]
