"""
A bidirectional network in numpy, and what it makes of a gap: a character language model that knows the right side, too.

What stands right of a gap is read once, from the end of the line. Then the gap is spelled from left to right: each step reads
one more letter with the forward stack, and the decoder joins what that holds with what the right side holds. So the search that
turns every other model into words fills gaps as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autocomplete.checkpoint import Configuration
from autocomplete.inference.lexicon import Lexicon
from autocomplete.inference.model import CharacterLanguageModel, States, Symbols, log_softmax, probabilities
from autocomplete.inference.recurrent import RecurrentNetwork
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["BidirectionalNetwork", "GapOfLetters", "GapOfWord", "KnownWords", "Letters"]

Array = NDArray[np.float32]
GapKind = Literal["letter", "word"]

_FORWARD, _BACKWARD = "recurrent.", "recurrent_backward."


class BidirectionalNetwork:
    """
    A forward and a backward stack of recurrent layers, and what joins them. Both stacks begin with the boundary of the line.

    :param tensors: the weights by name, of the shapes that `configuration` gives.
    """

    def __init__(self, configuration: Configuration, tensors: Mapping[str, NDArray[Any]]) -> None:
        shared = {name: value for name, value in tensors.items() if not name.startswith((_FORWARD, _BACKWARD))}
        self.forward, self.backward = (
            RecurrentNetwork(
                configuration,
                shared | {_FORWARD + name.removeprefix(d): t for name, t in tensors.items() if name.startswith(d)},
            )
            for d in (_FORWARD, _BACKWARD)
        )
        weights = {name: np.asarray(value, dtype=np.float32) for name, value in shared.items()}
        self._joins = {
            kind: (np.ascontiguousarray(weights[f"{kind}.weight"].T), weights[f"{kind}.bias"])
            for kind in ("letter", "word")
        }  # (2 hidden, 2 hidden) and (2 hidden,)
        self._decoder = np.ascontiguousarray(weights["decoder.weight"].T)  # (2 hidden, vocabulary)
        self._decoder_bias = weights["decoder.bias"]

    def left(self, symbols: Sequence[int]) -> States:
        """Return the state of the forward stack after the symbols from the line's beginning to a gap."""
        return _read(self.forward, symbols)

    def right(self, symbols: Sequence[int]) -> States:
        """Return the state of the backward stack after the symbols from a gap to the line's end, in the order of the text."""
        return _read(self.backward, symbols[::-1])

    def log_probabilities(self, before: Array, after: Array, kind: GapKind) -> Array:
        """
        Return the natural log probability of each symbol between two states.

        :param before: (batch, hidden) of the forward stack.
        :param after: (batch, hidden) of the backward stack.
        :returns: (batch, vocabulary)
        """
        weight, bias = self._joins[kind]
        joined = np.maximum(np.concatenate([before, after], axis=1) @ weight + bias, np.float32(0))
        logits: Array = joined @ self._decoder
        logits += self._decoder_bias
        return log_softmax(logits)


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
        return (*_read(self._forward, self._left), np.zeros((1, 1), dtype=np.int64))

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


class KnownWords:
    """
    A model of words with those alone that are in a lexicon; what it gave to others is lost, not shared out.

    A state is the model's, then the lexicon's.
    """

    def __init__(self, model: CharacterLanguageModel, lexicon: Lexicon) -> None:
        self._model, self._lexicon = model, lexicon
        self._predict = probabilities(model)

    def start(self) -> States:
        """Return the state before the first letter."""
        return (*self._model.start(), *self._lexicon.start())

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more letter each."""
        return (*self._model.step(states[:-1], symbols), *self._lexicon.step(states[-1:], symbols))

    def log_probabilities(self, states: States) -> Array:
        """Return (batch, vocabulary): minus infinity where no word of the lexicon goes on so."""
        known = self._lexicon.probabilities(states[-1:]) > 0
        with np.errstate(divide="ignore"):
            return np.log(np.where(known, self._predict(states[:-1]), np.float32(0)))


def _read(stack: RecurrentNetwork, symbols: Sequence[int]) -> States:
    state = stack.start()
    for symbol in symbols:
        state = stack.step(state, [symbol])
    return state
