"""
The corpus's words and counts as a character language model.

A state is the node of a trie. The probability of a next letter is the share of the words below the node, by count, that
go on with it. After a prefix that no word has, the lexicon has nothing to add: the word ends. It gave that prefix the
probability zero, so a mixture no longer asks it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autocomplete.inference.model import States, Symbols
from autocomplete.text.trie import Trie
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["Lexicon"]


class Lexicon:
    """
    Words with counts as a character language model. A state is (batch,): the node; the last node is that of no word.

    :param words: distinct keys, none empty; at least one.
    :param counts: (words,) positive.
    """

    def __init__(
        self, words: Sequence[str], counts: Sequence[float] | NDArray[np.float64], vocabulary: Vocabulary
    ) -> None:
        order = vocabulary.sort(words)
        ids, starts = vocabulary.encode_words([words[i] for i in order])
        trie = Trie.build(ids, starts, np.asarray(counts, dtype=np.float64)[order])
        self._nowhere = len(trie.symbols)
        self._size = len(vocabulary)
        # Ascending, to be looked up by bisection.
        self._edges = trie.sources.astype(np.int64) * self._size + trie.targets
        self._children = np.where(trie.children < 0, self._nowhere, trie.children)
        self._targets = trie.targets
        self._first_edges = np.searchsorted(trie.sources, np.arange(self._nowhere + 2))  # of each node
        below = np.bincount(trie.sources, weights=trie.masses)
        self._log_shares = np.log(trie.masses / below[trie.sources]).astype(np.float32)

    def start(self) -> States:
        """Return the empty prefix."""
        return (np.zeros(1, dtype=np.int64),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the nodes after one more symbol each."""
        (nodes,) = states
        wanted = nodes * self._size + np.asarray(symbols)
        places = np.searchsorted(self._edges, wanted)
        places[places == len(self._edges)] = 0
        return (np.where(self._edges[places] == wanted, self._children[places], self._nowhere),)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return the log share of each next symbol: minus infinity for most; after a prefix of no word, the word ends."""
        (nodes,) = states
        result = np.full((len(nodes), self._size), -np.inf, dtype=np.float32)
        first, last = self._first_edges[nodes], self._first_edges[nodes + 1]
        degrees = last - first
        rows = np.repeat(np.arange(len(nodes)), degrees)
        edges = np.arange(len(rows)) + np.repeat(last - np.cumsum(degrees), degrees)
        result[rows, self._targets[edges]] = self._log_shares[edges]
        result[nodes == self._nowhere, BOUNDARY] = 0.0
        return result
