"""
The prefixes of sorted words as a tree, built level by level with numpy.

Sorted words that share a prefix are consecutive, so an edge is new where prefix or next symbol differ from the word before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["Trie"]

Integers = NDArray[np.int32]  # half the memory of numpy's default


@dataclass(frozen=True)
class Trie:
    """A node is a distinct prefix, numbered level by level; node 0 is the empty one. An edge is a symbol that follows it."""

    symbols: Integers  # (nodes,) last symbol of the prefix; BOUNDARY for the empty one
    parents: Integers  # (nodes,) the prefix without its last symbol; 0 for the empty one
    levels: tuple[int, ...]  # the number of prefixes of each length from 0
    sources: Integers  # (edges,) the node that the edge leaves; ascending
    targets: Integers  # (edges,) the symbol; ascending for each source; BOUNDARY at the end of a word
    children: Integers  # (edges,) the node that the edge leads to; -1 at the end of a word
    masses: NDArray[np.float64]  # (edges,) summed weight of the words along the edge
    character_words: Integers = field(repr=False)  # (characters,) the word of each character and final boundary
    character_edges: Integers = field(repr=False)  # (characters,) the edge of each character and final boundary

    @classmethod
    def build(cls, ids: Integers, starts: NDArray[np.int64], weights: NDArray[np.float64]) -> Self:
        """
        Return the tree of distinct, sorted words, none of them empty.

        :param ids: (characters,) the symbols of all words, without boundaries.
        :param starts: (words + 1,) where in `ids` each word begins.
        :param weights: (words,)
        """
        ids = np.insert(ids, starts[1:], BOUNDARY)
        words = np.arange(len(starts) - 1, dtype=np.int32)  # those that have not ended
        positions = (starts[:-1] + words).astype(np.int32)  # the index in `ids` of each of them
        nodes = np.zeros_like(words)  # the prefix of each of them
        levels, edge_count, node_count = [1], 0, 1
        parts: list[tuple[NDArray[Any], ...]] = []  # of each level, as in `Trie` from `sources` on
        while True:
            symbols = ids[positions]
            goes_on = symbols != BOUNDARY
            new = np.ones(len(words), dtype=bool)
            new[1:] = (nodes[1:] != nodes[:-1]) | (symbols[1:] != symbols[:-1])
            edges = np.cumsum(new, dtype=np.int32) - 1  # of each word, from 0 in this level
            first = np.flatnonzero(new)
            leads_on = symbols[first] != BOUNDARY
            leads_to = np.where(leads_on, np.cumsum(leads_on, dtype=np.int32) - 1 + node_count, -1)
            masses = np.add.reduceat(weights[words], first)
            parts.append((nodes[first], symbols[first], leads_to, masses, words, edges + edge_count))
            if not goes_on.any():
                break
            nodes = leads_to[edges[goes_on]]
            words = words[goes_on]
            positions = positions[goes_on] + 1
            levels.append(int(leads_on.sum()))
            edge_count += len(first)
            node_count += levels[-1]

        sources, targets, children, *others = map(np.concatenate, zip(*parts, strict=True))
        inner_symbols = np.concatenate([np.array([BOUNDARY], np.int32), targets[children >= 0]])
        parents = np.concatenate([np.array([0], np.int32), sources[children >= 0]])
        return cls(inner_symbols, parents, tuple(levels), sources, targets, children, *others)
