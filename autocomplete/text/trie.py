"""
The prefixes of sorted words as a tree, built length by length, without a Python step per word.

Sorted words that share a prefix stand together, so an edge is new exactly where a word's prefix or next symbol differs
from that of the word before it. Training walks the tree level by level; the lexicon looks its edges up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["Trie"]

Integers = NDArray[np.int32]  # half the memory of numpy's default, which the prompt feels


@dataclass(frozen=True)
class Trie:
    """
    A node is a distinct prefix, numbered level by level; node 0 is the empty one. An edge is a symbol that follows it.

    :param symbols: (nodes,) the last symbol of each prefix; BOUNDARY for the empty one.
    :param parents: (nodes,) the prefix without it; 0 for the empty one.
    :param levels: how many prefixes there are of each length from 0.
    :param sources: (edges,) the prefix that an edge leaves; ascending.
    :param targets: (edges,) the symbol that follows there; ascending for each source, BOUNDARY where a word ends.
    :param children: (edges,) the prefix that an edge leads to; -1 where a word ends.
    :param masses: (edges,) summed weight of the words that go that way.
    :param character_words: (characters,) for each character of each word and the boundary after it, the word, and
    :param character_edges: (characters,) the edge that it takes.
    """

    symbols: Integers
    parents: Integers
    levels: tuple[int, ...]
    sources: Integers
    targets: Integers
    children: Integers
    masses: NDArray[np.float64]
    character_words: Integers = field(repr=False)
    character_edges: Integers = field(repr=False)

    @classmethod
    def build(cls, ids: Integers, starts: NDArray[np.int64], weights: NDArray[np.float64]) -> Self:
        """
        Return the tree of some words.

        :param ids: (characters,) the symbols of all words; BOUNDARY is not among them.
        :param starts: (words + 1,) where in `ids` each word begins; the words distinct, not empty, sorted by their ids.
        :param weights: (words,)
        """
        ids = np.insert(ids, starts[1:], BOUNDARY)
        words = np.arange(len(starts) - 1, dtype=np.int32)  # those that have not ended,
        positions = (starts[:-1] + words).astype(np.int32)  # where in `ids` each of them stands, and
        nodes = np.zeros_like(words)  # at which prefix
        levels, edge_count, node_count = [1], 0, 1
        sources, targets, children, masses, character_words, character_edges = [], [], [], [], [], []
        while True:
            symbols = ids[positions]
            goes_on = symbols != BOUNDARY
            new = np.ones(len(words), dtype=bool)
            new[1:] = (nodes[1:] != nodes[:-1]) | (symbols[1:] != symbols[:-1])
            edges = np.cumsum(new, dtype=np.int32) - 1  # of each word, counted from the first of this level
            first = np.flatnonzero(new)
            leads_on = symbols[first] != BOUNDARY
            leads_to = np.where(leads_on, np.cumsum(leads_on, dtype=np.int32) - 1 + node_count, -1)
            sources.append(nodes[first])
            targets.append(symbols[first])
            children.append(leads_to)
            masses.append(np.add.reduceat(weights[words], first))
            character_words.append(words)
            character_edges.append(edges + edge_count)
            if not goes_on.any():
                break
            nodes = leads_to[edges[goes_on]]
            words = words[goes_on]
            positions = positions[goes_on] + 1
            levels.append(int(leads_on.sum()))
            edge_count += len(first)
            node_count += levels[-1]

        source, target, child = map(np.concatenate, (sources, targets, children))
        return cls(
            symbols=np.concatenate([np.array([BOUNDARY], np.int32), target[child >= 0]]),
            parents=np.concatenate([np.array([0], np.int32), source[child >= 0]]),
            levels=tuple(levels),
            sources=source,
            targets=target,
            children=child,
            masses=np.concatenate(masses),
            character_words=np.concatenate(character_words),
            character_edges=np.concatenate(character_edges),
        )
