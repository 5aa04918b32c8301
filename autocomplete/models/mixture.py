"""
Several character language models as one.

The weight of each member follows how well it has predicted the word so far. By Bayes' rule, prior times likelihood, the
probability of a word is then exactly the average, by prior, of the probabilities that the members give to it: after `tria` both
agree, after `blorf` only a member that can spell unseen words is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import CharacterLanguageModel, States, Symbols, probabilities

__all__ = ["Mixture"]


class Mixture:
    """
    A Bayesian mixture. A state is the members' states, then the weights (batch, members), then what the members predict
    (batch, members, vocabulary), which the next step needs to weigh them.

    :param members: over the same vocabulary.
    :param prior: the weight of each member before the first letter; positive. They are scaled to sum to 1.
    :param others: the weights after a symbol that all ruled out; by default the prior, as such a symbol tells the members apart
        no better than nothing does.
    :param least: the weight that each keeps at least until it has ruled a letter out. It is not Bayes' rule any more, but a
        word that goes on where the member most trusted knows of no letter costs less: an ending, a slip.
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
        """Return the states after one more symbol each; each member's weight is multiplied by what it gave to the symbol."""
        weights, predictions = states[-2:]
        weights = self._weigh(weights, predictions[np.arange(len(predictions)), :, symbols])
        return self._join([m.step(self._of(i, states), symbols) for i, m in enumerate(self._members)], weights)

    def log_probabilities(self, states: States) -> NDArray[np.float32]:
        """Return the log of the weighted average of the members' probabilities."""
        weights, predictions = states[-2:]
        average: NDArray[np.float32] = (weights[:, None, :] @ predictions)[:, 0]
        with np.errstate(divide="ignore"):  # what all rule out is minus infinity
            return np.log(average, out=average)

    def bounds(self, states: States) -> NDArray[np.float32]:
        """
        Return (batch, vocabulary) the log of what no word that goes on with a symbol is more probable than.

        By a member that spells, a word may have all that the symbol has; by one that knows its words, no more than its best.
        """
        weights, predictions = states[-2:]
        result = np.zeros_like(predictions[:, 0])
        for i, member in enumerate(self._members):
            best: Callable[[States], NDArray[np.float32]] | None = getattr(member, "best", None)
            result += weights[:, i, None] * (best(self._of(i, states)) if best else predictions[:, i])
        with np.errstate(divide="ignore"):
            return np.log(result, out=result)

    def weights(self, states: States) -> NDArray[np.float32]:
        """Return (batch, members): how much each member counts by now."""
        weights: NDArray[np.float32] = states[-2]
        return weights

    def _of(self, member: int, states: States) -> States:
        """Return the part of a state that is a member's own."""
        return states[self._parts[member] : self._parts[member + 1]]

    def _weigh(self, weights: NDArray[np.float32], likelihoods: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (batch, members) the weights after a symbol to which the members gave these probabilities."""
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
