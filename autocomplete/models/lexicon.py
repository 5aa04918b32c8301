"""
Words with their probabilities, as a character language model.

A state is a node of a trie. The probability of a next letter is the share, by count, of the words below the node that continue
with it. After a prefix of no word, the word ends; the prefix itself had probability 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import ByProbabilities, States, Symbols
from autocomplete.text.trie import Trie
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["Lexicon"]


class Lexicon(ByProbabilities):
    """
    Words with counts as a character language model. A state is (batch,) nodes; the last node stands for no word.

    :param words: at least one; distinct keys, not empty.
    :param counts: (words,) positive.
    """

    def __init__(
        self, words: Sequence[str], counts: Sequence[float] | NDArray[np.float64], vocabulary: Vocabulary
    ) -> None:
        order = vocabulary.sort(words)
        self.words: tuple[str, ...] = tuple(map(words.__getitem__, order))
        ids, starts = vocabulary.encode_words(self.words)
        trie = Trie.build(ids, starts, np.asarray(counts, dtype=np.float64)[order])
        self._nowhere = len(trie.symbols)
        self._size = len(vocabulary)
        # Ascending, for bisection; int32 if the numbers allow.
        edges = trie.sources.astype(np.int64) * self._size + trie.targets
        self._edges = edges.astype(np.int32 if edges[-1] + 2 * self._size < 2**31 else np.int64)
        self._children = np.where(trie.children < 0, self._nowhere, trie.children)
        self._targets = trie.targets.astype(np.min_scalar_type(self._size))
        counted = np.bincount(trie.sources, minlength=self._nowhere + 1)
        self._first_edges = np.append(0, np.cumsum(counted)).astype(np.int32)  # of each node
        # The sorted words that take an edge are consecutive.
        places = np.flatnonzero(np.diff(trie.character_edges, prepend=-1, append=-1))
        self._edge_firsts = trie.character_words[places[:-1]]
        self._edge_stops = trie.character_words[places[1:] - 1] + 1
        self.counts = self._masses = np.asarray(counts, dtype=np.float32)[order]
        self._word_begins = 1.0

    def weighed(self, probabilities: NDArray[Any], word_begins: float) -> Self:
        """
        Return the same words with other probabilities.

        :param probabilities: (words,) in the order of `words`; they are scaled to sum to 1.
        :param word_begins: the probability that a word begins here at all; the boundary gets the rest.
        """
        other = copy(self)
        other._masses, other._word_begins = np.asarray(probabilities, dtype=np.float32), word_begins
        return other

    def start(self) -> States:
        """Return the empty prefix."""
        return (np.zeros(1, dtype=np.int64),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the nodes after one more symbol each."""
        (nodes,) = states
        wanted = (nodes * self._size + np.asarray(symbols)).astype(self._edges.dtype)
        places = np.searchsorted(self._edges, wanted)
        places[places == len(self._edges)] = 0
        return (np.where(self._edges[places] == wanted, self._children[places], self._nowhere),)

    def below(self, node: int) -> tuple[int, NDArray[np.float32]]:
        """Return the index of the first word below a node, and the weights of all of them, which are consecutive."""
        first, stop = self._first_edges[node : node + 2].tolist() if node < self._nowhere else (0, 0)
        if first == stop:
            return 0, self._masses[:0]
        begin = int(self._edge_firsts[first])
        return begin, self._masses[begin : self._edge_stops[stop - 1]]

    def probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) the share of each next symbol; after a prefix of no word, the word ends."""
        return self._of_each(states, np.add)

    def best(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) for each next symbol the share of the most probable word that continues with it."""
        return self._of_each(states, np.maximum)

    def _of_each(self, states: States, reduced: np.ufunc) -> NDArray[np.float32]:
        """Return (batch, vocabulary) the reduced shares of the words that continue with each symbol."""
        (nodes,) = states
        found = np.zeros((len(nodes), self._size), dtype=np.float32)
        edges = zip(self._first_edges[nodes].tolist(), self._first_edges[nodes + 1].tolist(), strict=True)
        for row, (first, stop) in enumerate(edges):
            if first < stop:
                words = self._edge_firsts[first:stop]
                masses = self._masses[words[0] : self._edge_stops[stop - 1]]
                if total := masses.sum():
                    found[row, self._targets[first:stop]] = reduced.reduceat(masses, words - words[0]) / total
                    continue
            found[row, BOUNDARY] = 1.0  # a prefix of no word, or of impossible ones only
        if self._word_begins < 1 and (fresh := nodes == 0).any():
            found[fresh] *= self._word_begins
            found[fresh, BOUNDARY] = 1 - self._word_begins
        return found
