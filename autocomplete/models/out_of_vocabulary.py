"""
Out-of-vocabulary words: names, typos, words run together.

Half of the probability goes to a uniform list of rare words. The network spells the rest, after the unknown symbol, as in its
training on rare words. Words of the lexicon are left out, about a twentieth, so that each word has its probability from one
model alone. The line before the word does not matter.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.lexicon import Lexicon
from autocomplete.models.mixture import Mixture
from autocomplete.models.protocol import Array, ByProbabilities, CharacterLanguageModel, States, Symbols, probabilities
from autocomplete.models.rare_words import LISTED, RareWordList, RareWords
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

__all__ = ["Network", "OOVCharacterModel", "out_of_vocabulary_model"]

_LEAST = 0.1  # least weight of either model: many words outside the list are a word of it with an ending
_LEAST_SPELLED = 1e-30  # least probability of a word of the lexicon as spelled; with 0 it would not be a word
_MOST = 0.99  # greatest share of the lexicon in what is spelled, against rounding errors


class Network(CharacterLanguageModel, Protocol):
    """A network that can start with other symbols than the boundary."""

    def start(self, symbol: int = BOUNDARY) -> States:
        """Return the state after the first symbol."""


def out_of_vocabulary_model(
    network: Network, vocabulary: Vocabulary, lexicon: Lexicon, spelled: NDArray[np.floating], listed: RareWords
) -> CharacterLanguageModel:
    """
    Return the model of out-of-vocabulary words.

    :param spelled: (words,) the network's natural log probability of each word of the lexicon.
    :param listed: rare words outside the lexicon; if there are none, the network spells alone.
    """
    masses = np.maximum(np.exp(spelled.astype(np.float32)), _LEAST_SPELLED)
    speller = OOVCharacterModel(network, vocabulary, lexicon.weighed(masses, 1.0), float(masses.sum()))
    if not len(listed):
        return speller
    return Mixture([speller, RareWordList(listed, vocabulary)], [1 - LISTED, LISTED], others=[1, 0], least=_LEAST)


class OOVCharacterModel(ByProbabilities):
    """
    A network trained on rare words, without the words of a lexicon.

    A state is the network's, then (batch,) the node of the lexicon, then two arrays (batch, vocabulary): the share of the lexicon
    in what the network spells from each symbol on, and the probability of the symbol.

    :param known: the words of the lexicon, weighted by the network's probability of each.
    :param share: the network's probability of all of them together.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, known: Lexicon, share: float) -> None:
        self._network, self._predict, self._known = network, probabilities(network), known
        begin, self._inside = (mask.astype(np.float32) for mask in vocabulary.word_symbols())
        start = network.start(UNKNOWN)
        first = self._predict(start) * begin
        first /= first.sum()  # a word begins
        self._start = self._join(start, known.start(), np.array([share], dtype=np.float32), first)

    def start(self) -> States:
        """Return the state before the first letter."""
        return self._start

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        *network, nodes, known, _ = states
        following = self._network.step(tuple(network), symbols)
        spelled = self._predict(following) * self._inside
        # The sum has a rounding error of 1e-7; the end of a word is always possible.
        spelled[:, BOUNDARY] = np.maximum(1 - spelled.sum(axis=1), 1e-30)
        shares = known[np.arange(len(known)), symbols]
        return self._join(following, self._known.step((nodes,), symbols), shares, spelled)

    def probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary): 0 for all but letters and the end of the word."""
        return states[-1]

    def _join(self, network: States, nodes: States, shares: Array, spelled: Array) -> States:
        """Return states, given (batch,) the share of the lexicon and (batch, vocabulary) the network's probabilities."""
        known = self._known.probabilities(nodes)
        ends = (known[:, BOUNDARY] > 0) & (shares > 0)  # a word of the lexicon
        known *= shares[:, None]
        np.divide(known, spelled, out=known, where=spelled > 0)
        np.minimum(known, _MOST, out=known)
        known[ends, BOUNDARY] = 1.0
        spelled = spelled * (1 - known)
        spelled /= spelled.sum(axis=1, keepdims=True)
        return (*network, *nodes, known, spelled)
