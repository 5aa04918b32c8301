"""Models of what is missing in a line, between its left and its right."""

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
    A known number of letters to come, by a network that reads forward and knows nothing of what follows them.

    A state is the network's, then (batch, 1) how many letters have been read.

    :param left: the symbols from the line's beginning to the gap.
    :param letters: (vocabulary,) which symbols may stand in it.
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
        """Return (batch, vocabulary): of letters as the network has them, and once all are there, certainty of the end."""
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
    A known number of letters that are missing.

    Each letter is asked for between those before it and the right side, with the letters that are still missing read as unknown
    ones: the product is a proper distribution over all fillings, and one that the network was trained for.

    :param right: the symbols from the gap to the line's end; the others are those of `Letters`.
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
    A network of text that knows what stands right of a gap; `WithinWord` makes of it a model of the word in the gap.

    The word is spelled letter by letter, and its end is one more answer, so words of any length can be compared. To rank words by
    pseudo-likelihood instead, by what each letter of the line has given all others, was worse: that prefers words whose letters
    tell each other (of 150 words missing from held-out lines, 6 % right in place of 15 %; `benchmarks/gaps.py`).

    :param left: the symbols from the line's beginning to the gap.
    :param right: those from the gap to the line's end.
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
        """Return (batch, vocabulary): of the letters of the word, and of what follows it."""
        before = self._network.forward.top(states)
        return self._network.log_probabilities(before, np.broadcast_to(self._after, before.shape), "word")
