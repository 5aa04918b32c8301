"""A model of words, restricted to a lexicon."""

from __future__ import annotations

import numpy as np

from autocomplete.models.lexicon import Lexicon
from autocomplete.models.protocol import Array, ByProbabilities, CharacterLanguageModel, States, Symbols, probabilities

__all__ = ["KnownWords"]


class KnownWords(ByProbabilities):
    """A model of words without those outside a lexicon. It is not renormalized. A state is the model's, then the lexicon's."""

    def __init__(self, model: CharacterLanguageModel, lexicon: Lexicon) -> None:
        self._model, self._lexicon = model, lexicon
        self._predict = probabilities(model)

    def start(self) -> States:
        """Return the state before the first letter."""
        return (*self._model.start(), *self._lexicon.start())

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more letter each."""
        return (*self._model.step(states[:-1], symbols), *self._lexicon.step(states[-1:], symbols))

    def probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary): 0 where no word of the lexicon continues that way."""
        known = self._lexicon.probabilities(states[-1:]) > 0
        return np.where(known, self._predict(states[:-1]), np.float32(0))
