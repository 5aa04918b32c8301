"""Models of missing letters or words in a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.bidirectional import BidirectionalNetwork, read_symbols
from autocomplete.models.protocol import Array, States, Symbols, log_softmax
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["GapOfLetters", "GapOfWord", "Letters"]


class Letters:
    """
    A known number of missing letters, as a forward network predicts them without the right side.

    A state is the network's, then (batch, 1) the number of letters read.

    :param left: the symbols from the start of the line to the gap.
    :param letters: (vocabulary,) which symbols may fill the gap.
    """

    def __init__(self, forward: RecurrentNetwork, left: Sequence[int], length: int, letters: NDArray[np.bool_]) -> None:
        self._forward, self._left, self._length, self._forbidden = forward, left, length, ~letters

    def start(self) -> States:
        """Return the state before the first letter."""
        return (*read_symbols(self._forward, self._left), np.zeros((1, 1), dtype=np.int64))

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more letter each."""
        return (*self._forward.step(states[:-1], symbols), states[-1] + 1)

    def log_probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary): the network's answer for letters only, and BOUNDARY alone once all letters are read."""
        read = states[-1][:, 0]
        logs = self._answer(states[:-1], read)
        logs[:, self._forbidden] = -np.inf
        logs = log_softmax(logs)
        full = read >= self._length
        logs[full] = -np.inf
        logs[full, BOUNDARY] = 0.0
        return logs

    def _answer(self, states: States, read: NDArray[np.int64]) -> Array:
        return self._forward.log_probabilities(states)


class GapOfLetters(Letters):
    """
    A known number of missing letters, as a bidirectional network predicts them. Letters that are still missing are unknown
    symbols on the right side, as in training, so the product is a distribution over all fillings. Parameters as in `Letters`.

    :param right: the symbols from the gap to the end of the line.
    """

    def __init__(
        self,
        network: BidirectionalNetwork,
        left: Sequence[int],
        right: Sequence[int],
        length: int,
        letters: NDArray[np.bool_],
    ) -> None:
        super().__init__(network.forward, left, length, letters)
        self._network = network
        missing = [network.right([*[UNKNOWN] * (length - 1 - read), *right]) for read in range(length)]
        self._after = np.concatenate([network.backward.top(state) for state in missing])  # (length, hidden)

    def _answer(self, states: States, read: NDArray[np.int64]) -> Array:
        after = self._after[np.minimum(read, self._length - 1)]
        return self._network.log_probabilities(self._network.forward.top(states), after, "letter")


class GapOfWord:
    """
    A network of text that knows the right side of a gap; `WithinWord` makes it a model of the missing word.

    Ranking the words by pseudo-likelihood is worse: 6 % of 150 missing words right instead of 15 % (`benchmarks/gaps.py`).

    :param left: the symbols from the start of the line to the gap.
    :param right: the symbols from the gap to the end of the line.
    """

    def __init__(self, network: BidirectionalNetwork, left: Sequence[int], right: Sequence[int]) -> None:
        self._network, self._left = network, left
        self._after = network.backward.top(network.right(right))  # (1, hidden)

    def start(self) -> States:
        """Return the state before the first letter."""
        return self._network.left(self._left)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more letter each."""
        return self._network.forward.step(states, symbols)

    def log_probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary) natural logs, of letters and of what follows the word."""
        before = self._network.forward.top(states)
        return self._network.log_probabilities(before, np.broadcast_to(self._after, before.shape), "word")
