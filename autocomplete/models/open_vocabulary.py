"""
An open vocabulary: a mixture of a lexicon and a model that spells all other words.

No word has a probability from both, so the search is short: the best words of the lexicon are found by looking at all of them,
and others are only searched for above the probability of the last word wanted. The few words of the line that the lexicon lacks
are spelled as well, and are looked at one by one.
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
    A search tree as a character language model. A state is (batch,) nodes; missing nodes are added.

    :param word_begins: the probability that a word begins at all; the boundary gets the rest.
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
    The mixture of two models without common words, and of some words of the first one. A state is that of `Mixture`.

    :param unknown: the search tree of the out-of-vocabulary model.
    :param share: the weight of `unknown`.
    :param word_begins: the probability that a word begins at all, the same in all models.
    :param offered: (words,) 1 for words of the lexicon that may be found, 0 for others.
    :param repeated: out-of-vocabulary words of the line; all of them may be found.
    :param again: the weight of `repeated`.
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
        members += [] if repeated is None else [repeated]
        prior = [share, 1 - share - again, again][: len(members)]
        super().__init__(members, prior, others=[1.0, 0.0, 0.0][: len(members)])
        self.unknown, self._known, self._repeated = unknown, known, repeated
        self._word_begins, self._offered = word_begins, offered

    def best_known(self, states: States, depth: int, count: int, floor: float) -> list[tuple[str, float]]:
        """
        Return the most probable words of the lexicon below a state, a batch of one, with their probabilities.

        :param depth: the number of symbols that led to the state; the word that they spell is left out.
        """
        first, masses = self._known.below(int(states[1][0]))
        if not (total := masses.sum()):
            return []
        probabilities = masses * self._offered[first : first + len(masses)]
        probabilities *= self._share(states, 1) / total
        if len(self._known.words[first]) == depth:  # the shortest is first
            probabilities[0] = 0
        places = np.flatnonzero(probabilities > floor)
        places = places[np.argsort(-probabilities[places], kind="stable")[:count]]
        words = (self._known.words[first + place] for place in places.tolist())
        return list(zip(words, probabilities[places].tolist(), strict=True))

    def repeated(self, states: States, depth: int, vocabulary: Vocabulary) -> list[tuple[tuple[int, ...], float]]:
        """Return the remaining symbols and the total probability of the repeated words; see `best_known` for the parameters."""
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
        """Return the probability by `unknown` that a word continues from a node with these symbols and ends."""
        log_probability = 0.0
        for symbol in suffix:
            log_probability += float(self.unknown.log_probabilities(node)[symbol])
            node = self.unknown.child(node, symbol)
        return math.exp(log_probability + float(self.unknown.log_probabilities(node)[BOUNDARY]))

    def unknown_share(self, states: States) -> float:
        """Return the probability of an out-of-vocabulary word after a state, a batch of one."""
        return self._share(states, 0)

    def _share(self, states: States, member: int) -> float:
        begins = self._word_begins if states[0][0] == ROOT else 1.0
        return begins * float(self.weights(states)[0, member])
