"""A list of rare words as a character language model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import States, Symbols
from autocomplete.models.rare_words import RareWords
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["RareWordList"]


class RareWordList:
    """
    A list of rare words, all as probable.

    A state is (batch, 3): the first of those that are left, the one after the last of them, and how many letters they share.
    """

    def __init__(self, listed: RareWords, vocabulary: Vocabulary) -> None:
        self._listed, self._size = listed, len(vocabulary)

    def start(self) -> States:
        """Return the state before the first letter."""
        return (np.array([[0, len(self._listed), 0]], dtype=np.int32),)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        steps = zip(states[0].tolist(), np.asarray(symbols).tolist(), strict=True)
        left = [(*self._listed.range(first, stop, depth, symbol), depth + 1) for (first, stop, depth), symbol in steps]
        return (np.array(left, dtype=np.int32).reshape(-1, 3),)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return the log share of each next symbol: minus infinity for most; where no word is left, the word ends."""
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities(states))

    def probabilities(self, states: States) -> NDArray[np.float32]:
        """Return the share of each next symbol."""
        found = np.zeros((len(states[0]), self._size), dtype=np.float32)
        for row, (first, stop, depth) in enumerate(states[0].tolist()):
            if first < stop:
                found[row] = self._listed.shares(first, stop, depth, self._size)
            else:
                found[row, BOUNDARY] = 1.0
        return found

    def best(self, states: States) -> NDArray[np.float32]:
        """Return for each next symbol the share of any one word that goes on with it."""
        counts = np.maximum(states[0][:, 1] - states[0][:, 0], 1)
        result: NDArray[np.float32] = (self.probabilities(states) > 0) / counts[:, None].astype(np.float32)
        return result
