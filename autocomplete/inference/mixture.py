"""
Several character language models as one.

The weight of each member follows how well it has predicted the word so far. By Bayes' rule, prior times likelihood, the
probability of a word is then exactly the average, by prior, of the probabilities that the members give to it: after `tria` both
agree, after `blorf` only a member that can spell unseen words is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autocomplete.inference.model import CharacterLanguageModel, States, Symbols

__all__ = ["Mixture"]


class Mixture:
    """
    A Bayesian mixture. A state is the members' states, then the log weights (batch, members), then what the members
    predict (batch, members, vocabulary), which the next step needs to weigh them.

    :param members: over the same vocabulary.
    :param prior: the weight of each member before the first letter; positive. They are scaled to sum to 1.
    """

    def __init__(self, members: Sequence[CharacterLanguageModel], prior: Sequence[float]) -> None:
        self._members = tuple(members)
        self._log_prior = np.array([[math.log(weight / sum(prior)) for weight in prior]], dtype=np.float32)
        starts = [member.start() for member in self._members]
        self._bounds = np.cumsum([0, *map(len, starts)]).tolist()
        self._start = self._join(starts, self._log_prior)

    def start(self) -> States:
        """Return the state before the first letter."""
        return self._start

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each; each member's weight is multiplied by what it gave to the symbol."""
        log_weights, predictions = states[-2:]
        log_weights = log_weights + predictions[np.arange(len(predictions)), :, symbols]
        best = log_weights.max(axis=1, keepdims=True)
        # A symbol that every member ruled out tells them apart no better than nothing does: begin again with the prior.
        impossible = best == -np.inf
        if impossible.any():
            log_weights = np.where(impossible, self._log_prior, log_weights)
            best = np.where(impossible, 0, best)
        log_weights -= best
        log_weights -= np.log(np.exp(log_weights).sum(axis=1, keepdims=True))
        stepped = [
            member.step(states[self._bounds[i] : self._bounds[i + 1]], symbols)
            for i, member in enumerate(self._members)
        ]
        return self._join(stepped, log_weights)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return the log of the weighted average of the members' probabilities."""
        log_weights, predictions = states[-2:]
        with np.errstate(divide="ignore"):  # what all rule out, or hold for next to impossible, is minus infinity
            result: NDArray[np.float32] = np.log((np.exp(log_weights)[:, :, None] * np.exp(predictions)).sum(axis=1))
        return result

    def weights(self, states: States) -> NDArray[np.float32]:
        """Return (batch, members): how much each member counts by now."""
        weights: NDArray[np.float32] = np.exp(states[-2])
        return weights

    def _join(self, states: Sequence[States], log_weights: NDArray[np.float32]) -> States:
        predictions = [m.log_probabilities(s) for m, s in zip(self._members, states, strict=True)]
        return (*(array for state in states for array in state), log_weights, np.stack(predictions, axis=1))
