"""A text network as a model of one word."""

from __future__ import annotations

import numpy as np

from autocomplete.models.protocol import Array, ByProbabilities, CharacterLanguageModel, States, Symbols, probabilities
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["WithinWord"]

_LEAST = np.float32(1e-30)  # probability of the end of a word, against rounding errors


class WithinWord(ByProbabilities):
    """
    A text network as a model of one word. BOUNDARY stands for all symbols that end the word, or that cannot begin one.

    A state is the network's, then (batch, 1) whether no letter has been read.

    :param state: (batch, ...) the network's state where the word begins.
    """

    def __init__(self, network: CharacterLanguageModel, state: States, vocabulary: Vocabulary) -> None:
        self._network, self._state = network, state
        self._predict = probabilities(network)
        begin, inside = vocabulary.word_symbols()
        self._letters = np.stack([inside, begin]).astype(np.float32)  # once the word has begun, and before

    def start(self) -> States:
        """Return the state where the word begins."""
        return (*self._state, np.ones((len(self._state[0]), 1), dtype=np.int8))

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more letter each."""
        return (*self._network.step(states[:-1], symbols), np.zeros((len(states[-1]), 1), dtype=np.int8))

    def probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary): the network's answer for letters, the rest for BOUNDARY, 0 for others."""
        result = self._predict(states[:-1])
        result *= self._letters[states[-1][:, 0]]
        result[:, BOUNDARY] = np.maximum(1 - result.sum(axis=1), _LEAST)
        return result

    def word_begins(self) -> Array:
        """Return (batch,) the probability that a word begins."""
        begins: Array = self._predict(self._state) @ self._letters[1]
        return begins
