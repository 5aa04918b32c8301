"""
Several character language models as one.

Each member is weighted by Bayes' rule: prior times the likelihood of the word so far. The probability of a word is then exactly
the average, by prior, of the members' probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import CharacterLanguageModel, States, Symbols, probabilities

__all__ = ["Mixture"]


class Mixture:
    """
    A Bayesian mixture. A state is the members' states, then their weights, (batch, members), and predictions,
    (batch, members, vocabulary).

    :param prior: the positive weight of each member before the first letter; they are scaled to sum to 1.
    :param others: the weights after a symbol that all members ruled out; by default the prior.
    :param least: the least weight of a member that has not ruled out a letter. It departs from Bayes' rule, but makes endings
        and typos cheaper that the most trusted member does not know.
    """

    def __init__(
        self,
        members: Sequence[CharacterLanguageModel],
        prior: Sequence[float],
        *,
        others: Sequence[float] | None = None,
        least: float = 0.0,
    ) -> None:
        self._least = least
        self._members = tuple(members)
        self._prior = np.array([[weight / sum(prior) for weight in prior]], dtype=np.float32)
        self._others = self._prior if others is None else np.array([others], dtype=np.float32)
        self._predict = [probabilities(member) for member in self._members]
        starts = [member.start() for member in self._members]
        self._parts = np.cumsum([0, *map(len, starts)]).tolist()
        self._size = self._members[0].log_probabilities(starts[0]).shape[1]
        self._start = self._join(starts, self._prior)

    def start(self) -> States:
        """Return the state before the first letter."""
        return self._start

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        weights = self._weigh(states[-2], states[-1][np.arange(len(states[-1])), :, symbols])
        return self._join([m.step(self._of(i, states), symbols) for i, m in enumerate(self._members)], weights)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) the log of the weighted average of the members' probabilities."""
        weights, predictions = states[-2:]
        average: NDArray[np.float32] = (weights[:, None, :] @ predictions)[:, 0]
        with np.errstate(divide="ignore"):  # minus infinity for what all rule out
            return np.log(average, out=average)

    def bounds(self, states: States) -> NDArray[np.float32]:
        """Return (batch, vocabulary) an upper bound on the log probability of any one word that continues with a symbol."""
        weights, predictions = states[-2:]
        result = np.zeros_like(predictions[:, 0])
        for i, member in enumerate(self._members):
            best: Callable[[States], NDArray[np.float32]] | None = getattr(member, "best", None)
            result += weights[:, i, None] * (best(self._of(i, states)) if best else predictions[:, i])
        with np.errstate(divide="ignore"):
            return np.log(result, out=result)

    def weights(self, states: States) -> NDArray[np.float32]:
        """Return (batch, members) the current weight of each member."""
        return states[-2]

    def _of(self, member: int, states: States) -> States:
        return states[self._parts[member] : self._parts[member + 1]]

    def _weigh(self, weights: NDArray[np.float32], likelihoods: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (batch, members) the weights after a symbol, given the members' likelihoods of it."""
        weights = weights * likelihoods
        total = weights.sum(axis=1, keepdims=True)
        if not total.all():
            weights = np.where(total > 0, weights, self._others)
            total = weights.sum(axis=1, keepdims=True)
        weights /= total
        if self._least:
            np.maximum(weights, self._least, out=weights, where=weights > 0)
            weights /= weights.sum(axis=1, keepdims=True)
        return weights

    def _join(self, states: Sequence[States], weights: NDArray[np.float32]) -> States:
        predictions = np.empty((len(weights), len(self._members), self._size), dtype=np.float32)
        for i, (predict, state) in enumerate(zip(self._predict, states, strict=True)):
            predictions[:, i] = predict(state)
        return (*(array for state in states for array in state), weights, predictions)
