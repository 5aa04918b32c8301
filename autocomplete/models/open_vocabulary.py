"""
The words of a lexicon, and any others: the mixture of a model that knows its words and one that spells all others.

No word has a probability from both, so the search is short. The best words of the lexicon are found by looking at all of them
at once, without a step of a model; and words in no lexicon, whose letters are to be searched for, need only be looked for where
one of them could be as probable as the last word wanted.

Some words are expected that the lexicon lacks: they have stood on the line. These few have what spells them as well, and are
looked at one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.lexicon import Lexicon
from autocomplete.models.mixture import Mixture
from autocomplete.models.protocol import CharacterLanguageModel, States, Symbols
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["OpenVocabulary", "Remembered"]


class Remembered:
    """
    What a search tree remembers, as a character language model. A state is (batch,) nodes; those missing are added.

    :param word_begins: the probability that a word begins at all; the rest is given to the boundary.
    """

    def __init__(self, tree: SearchTree, word_begins: float = 1.0) -> None:
        self.tree, self.word_begins = tree, word_begins

    def start(self) -> States:
        """Return the empty prefix."""
        return (np.full(1, ROOT),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the nodes after one more symbol each."""
        pairs = list(zip(states[0].tolist(), np.asarray(symbols).tolist(), strict=True))
        if missing := [pair for pair in dict.fromkeys(pairs) if self.tree.known_child(*pair) is None]:
            self.tree.expand(*map(list, zip(*missing, strict=True)))
        return (np.array([self.tree.child(*pair) for pair in pairs], dtype=np.int64),)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) natural logarithms."""
        (nodes,) = states
        result = np.stack([self.tree.log_probabilities(node) for node in nodes.tolist()])
        if self.word_begins < 1 and (fresh := nodes == ROOT).any():
            result[fresh] += np.log(self.word_begins)
            result[fresh, BOUNDARY] = np.log1p(-self.word_begins)
        return result


class OpenVocabulary(Mixture):
    """
    The mixture of two models that have no word in common, and of some words of the first. A state is one of `Mixture`.

    :param unknown: remembers the model of the words that the lexicon lacks.
    :param share: its weight.
    :param word_begins: the probability that a word begins at all, as the lexicon has it, too.
    :param offered: (words,) 1 for those of the lexicon that may be found, 0 for others.
    :param repeated: words that the lexicon lacks, as a model that begins words as often; all of them may be found.
    :param again: its weight, beside which `unknown` has its own share of these words.
    """

    def __init__(
        self,
        unknown: SearchTree,
        known: Lexicon,
        share: float,
        word_begins: float,
        offered: NDArray[Any],
        repeated: Lexicon | None = None,
        again: float = 0.0,
    ) -> None:
        members: list[CharacterLanguageModel] = [Remembered(unknown, word_begins), known]
        prior, others = [share, 1 - share - again], [1.0, 0.0]
        if repeated is not None:
            members, prior, others = [*members, repeated], [*prior, again], [*others, 0.0]
        super().__init__(members, prior, others=others)
        self.unknown, self._known, self._word_begins, self._offered = unknown, known, word_begins, offered
        self._repeated = repeated

    def best_known(self, states: States, depth: int, count: int, floor: float) -> list[tuple[str, float]]:
        """
        Return the most probable words of the lexicon that go on from a state, a batch of one, with their probabilities.

        :param depth: how many symbols led to the state; the word that has no more is none of them.
        """
        first, masses = self._known.below(int(states[1][0]))
        if not (total := masses.sum()):
            return []
        probabilities = masses * self._offered[first : first + len(masses)]
        probabilities *= self._share(states, 1) / total
        if len(self._known.words[first]) == depth:  # the shortest stands first
            probabilities[0] = 0
        places = np.flatnonzero(probabilities > floor)
        places = places[np.argsort(-probabilities[places], kind="stable")[:count]]
        words = (self._known.words[first + place] for place in places.tolist())
        return list(zip(words, probabilities[places].tolist(), strict=True))

    def repeated(self, states: States, depth: int, vocabulary: Vocabulary) -> list[tuple[tuple[int, ...], float]]:
        """
        Return the repeated words that go on from a state: the symbols left, and the probability, in which `unknown` has a part.

        :param depth: how many symbols led to the state; the word that has no more is none of them.
        """
        if self._repeated is None:
            return []
        first, masses = self._repeated.below(int(states[2][0]))
        if not (total := masses.sum()):
            return []
        own, share, node = self._share(states, 2) / total, self._share(states, 0), int(states[0][0])
        found = []
        for word, mass in zip(self._repeated.words[first : first + len(masses)], masses.tolist(), strict=True):
            if suffix := tuple(vocabulary.encode(word)[depth:]):
                found.append((suffix, float(own) * mass + share * self._spelled(node, suffix)))
        return found

    def _spelled(self, node: int, suffix: Sequence[int]) -> float:
        """Return how probable `unknown` finds it that a word goes on from a node with some symbols and ends."""
        log_probability = 0.0
        for symbol in suffix:
            log_probability += float(self.unknown.log_probabilities(node)[symbol])
            node = self.unknown.child(node, symbol)
        return math.exp(log_probability + float(self.unknown.log_probabilities(node)[BOUNDARY]))

    def unknown_share(self, states: States) -> float:
        """Return how probable it is, after a state, a batch of one, that a word comes and the lexicon lacks it."""
        return self._share(states, 0)

    def _share(self, states: States, member: int) -> float:
        begins = self._word_begins if states[0][0] == ROOT else 1.0
        return begins * float(self.weights(states)[0, member])
