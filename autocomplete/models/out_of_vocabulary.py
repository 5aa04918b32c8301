"""
Words that are not in the lexicon: names, slips of the pen, words run together.

Half of them are in a long list of rare words, all as probable. The others are spelled by the network: in training, rare words
stood by themselves after an unknown symbol, and with that symbol it is told that such a word comes. What it would give to the
words of the lexicon, a twentieth, is left out: so each word has its probability from one place alone, and a search need not look
for the words of the lexicon here. What stands before the word does not matter: what follows a prefix is the same on every line.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.lexicon import Lexicon
from autocomplete.models.mixture import Mixture
from autocomplete.models.protocol import ByProbabilities, CharacterLanguageModel, States, Symbols, probabilities
from autocomplete.models.rare_words import LISTED, RareWordList, RareWords
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

__all__ = ["Network", "OOVCharacterModel", "out_of_vocabulary_model"]

_LEAST = (
    0.1  # weight of either at least, whatever came so far: of words in no list, many are one of the list and an ending
)
_LEAST_SPELLED = 1e-30  # probability of a word of the lexicon as it is spelled; with none at all it would be no word
_MOST = 0.99  # of what is spelled that words of the lexicon are taken to have: what they have is rounded


class Network(CharacterLanguageModel, Protocol):
    """A network, which can begin with other symbols than the boundary."""

    def start(self, symbol: int = BOUNDARY) -> States:
        """Return the state after the first symbol."""
        ...


def out_of_vocabulary_model(
    network: Network, vocabulary: Vocabulary, lexicon: Lexicon, spelled: NDArray[np.floating], listed: RareWords
) -> CharacterLanguageModel:
    """
    Return the model of words that the lexicon lacks.

    :param spelled: (words,) the natural log probability that the network gives to each word of the lexicon.
    :param listed: rare words, none of them in the lexicon; without any, the network spells alone.
    """
    masses = np.maximum(np.exp(spelled.astype(np.float32)), _LEAST_SPELLED)
    speller = OOVCharacterModel(network, vocabulary, lexicon.weighed(masses, 1.0), float(masses.sum()))
    if not len(listed):
        return speller
    return Mixture([speller, RareWordList(listed, vocabulary)], [1 - LISTED, LISTED], others=[1, 0], least=_LEAST)


class OOVCharacterModel(ByProbabilities):
    """
    A network that has learned rare words, as a model of those that a lexicon lacks.

    A state is the network's, then (batch,) the place in the lexicon, then of each symbol (batch, vocabulary): how much of what
    the network spells on from there is in the lexicon, and the probability of the symbol.

    :param known: the words of the lexicon, weighed by what the network gives to them.
    :param share: what it gives to all of them together.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, known: Lexicon, share: float) -> None:
        self._network, self._predict, self._known = network, probabilities(network), known
        begin, self._inside = (mask.astype(np.float32) for mask in vocabulary.word_symbols())
        start = network.start(UNKNOWN)
        first = self._predict(start) * begin
        first /= first.sum()  # it has been told that a word begins
        self._start = self._join(start, known.start(), np.array([share], dtype=np.float32), first)

    def start(self) -> States:
        """Return the state before the first letter."""
        return self._start

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        *network, nodes, known, _ = states
        following = self._network.step(tuple(network), symbols)
        spelled = self._predict(following) * self._inside
        # Some 1e-7 of the sum is rounding; a word may always end, whatever that is.
        spelled[:, BOUNDARY] = np.maximum(1 - spelled.sum(axis=1), 1e-30)
        shares = known[np.arange(len(known)), symbols]
        return self._join(following, self._known.step((nodes,), symbols), shares, spelled)

    def probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary): 0 for what is no letter of a word and not its end."""
        result: NDArray[np.float32] = states[-1]
        return result

    def _join(
        self, network: States, nodes: States, shares: NDArray[np.float32], spelled: NDArray[np.float32]
    ) -> States:
        """
        Return states.

        :param shares: (batch,) of what is spelled on from there, how much is in the lexicon.
        :param spelled: (batch, vocabulary) by the network; 0 for what cannot be.
        """
        known = self._known.probabilities(nodes)
        ends = (known[:, BOUNDARY] > 0) & (shares > 0)  # a word of the lexicon
        known *= shares[:, None]
        np.divide(known, spelled, out=known, where=spelled > 0)
        np.minimum(known, _MOST, out=known)
        known[ends, BOUNDARY] = 1.0
        spelled = spelled * (1 - known)
        spelled /= spelled.sum(axis=1, keepdims=True)
        return (*network, *nodes, known, spelled)
