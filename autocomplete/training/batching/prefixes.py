"""
Words as a tree of prefixes: what a training step reads.

`the`, `then` and `there` share the steps over `t`, `h` and `e`. A batch therefore holds each distinct prefix of its words once,
level by level: the network takes one step for all the prefixes of one length, and each of them is asked for all the
characters that follow it, weighted by how many words go that way. That is the same gradient as running every word
from its start, without a padded position, and for English words drawn by count in about a third of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.text.trie import Trie
from autocomplete.text.vocabulary import UNKNOWN, Vocabulary
from autocomplete.training.optimization import to_device
from autocomplete.training.processes import ALONE, Processes

__all__ = ["PrefixBatch", "WordSampler", "Words"]


@dataclass(frozen=True)
class PrefixBatch:
    """
    The prefixes of some words, in levels by length: first the empty one, then those of one character, and so on.

    An edge leads from a prefix to a symbol that follows it.
    """

    symbols: Tensor  # (prefixes,) the last symbol of each prefix; the boundary for the empty one
    parents: Tensor  # (prefixes,) the place of each prefix without its last symbol, *within the level before*
    levels: tuple[int, ...]  # number of prefixes in each level
    sources: Tensor  # (edges,) place of the prefix
    targets: Tensor  # (edges,) the symbol that follows
    weights: Tensor  # (edges,) sum of the weights of the words that go this way
    characters: float  # of all the words, each with its boundary and as often as it was drawn

    @classmethod
    def from_trie(cls, trie: Trie) -> PrefixBatch:
        """Return the batch of all the words of a tree."""
        level_starts = np.cumsum([0, 0, *trie.levels[:-1]])[:-1]  # of the level before
        return cls(
            symbols=torch.from_numpy(trie.symbols).long(),
            parents=torch.from_numpy(trie.parents - np.repeat(level_starts, trie.levels)),
            levels=trie.levels,
            sources=torch.from_numpy(trie.sources).long(),
            targets=torch.from_numpy(trie.targets).long(),
            weights=torch.from_numpy(trie.masses.astype(np.float32)),
            characters=float(trie.masses.sum()),
        )

    def hide(self, share: float, generator: np.random.Generator) -> PrefixBatch:
        """Return the batch with a share of its inputs replaced by UNKNOWN, so that a network learns to read on past one."""
        hidden = torch.from_numpy(generator.random(len(self.symbols)) < share)
        hidden[0] = False  # the boundary with which all words begin
        return replace(self, symbols=self.symbols.masked_fill(hidden, UNKNOWN))

    def begun_with(self, symbol: int) -> PrefixBatch:
        """Return the batch with words that begin with another symbol than the boundary."""
        symbols = self.symbols.clone()
        symbols[0] = symbol
        return replace(self, symbols=symbols)

    def to(self, device: torch.device) -> PrefixBatch:
        """Return the batch with its tensors on a device."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {name: to_device(value, device) for name, value in tensors.items()}
        return replace(self, **moved)


class Words:
    """
    The encoded words of a corpus, from which trees are made without a Python step per word.

    :param words: distinct keys, none empty.
    """

    def __init__(self, words: Sequence[str], vocabulary: Vocabulary) -> None:
        # (words,) the place in `words` of each word in the order of this class
        self.order: NDArray[np.int64] = np.array(vocabulary.sort(words))
        self._ids, self._starts = vocabulary.encode_words([words[i] for i in self.order])

    def __len__(self) -> int:
        return len(self.order)

    def trie(self, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> Trie:
        """Return the tree of some words by their places in `order`, (n,) ascending and each once, and weights, (n,)."""
        starts, stops = self._starts[rows], self._starts[rows + 1]
        ends = np.cumsum(stops - starts)
        positions = np.arange(ends[-1]) + np.repeat(stops - ends, stops - starts)
        return Trie.build(self._ids[positions], np.concatenate([[0], ends]), weights)


class WordSampler:
    """
    Draws words by count.

    :param counts: (words,) positive.
    :param alpha: words are drawn in proportion to count ** alpha: 1 as in the corpus, 0 all alike.
    :param draws: words drawn for a step, by each process.
    :param processes: that share a draw among them.
    """

    def __init__(
        self,
        counts: NDArray[np.float64],
        alpha: float,
        draws: int,
        generator: np.random.Generator,
        processes: Processes = ALONE,
    ) -> None:
        weights = counts**alpha
        self._cumulative = np.cumsum(weights / weights.sum())
        self._draws, self._generator, self._processes = draws, generator, processes

    def draw(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """
        Return the distinct words of this process's part of one draw, ascending, and how often each came up.

        The draw is stratified (one point from each of as many equal parts): each word comes up about as often as
        expected, which leaves less noise in the gradient than independent draws do.
        """
        every = self._draws * self._processes.count
        points = (np.arange(every) + self._generator.random(every)) / every
        points = points[self._processes.own_rows(every)]
        drawn = np.searchsorted(self._cumulative, points, side="right").clip(max=len(self._cumulative) - 1)
        rows, multiplicity = np.unique(drawn, return_counts=True)
        return rows, multiplicity.astype(np.float64)
