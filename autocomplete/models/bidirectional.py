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

from autocomplete.models.protocol import Array, States, log_softmax
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.configuration import Configuration

__all__ = ["BidirectionalNetwork"]

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
        return read_symbols(self.forward, symbols)

    def right(self, symbols: Sequence[int]) -> States:
        """Return the state of the backward stack after the symbols from a gap to the line's end, in the order of the text."""
        return read_symbols(self.backward, symbols[::-1])

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


def read_symbols(stack: RecurrentNetwork, symbols: Sequence[int]) -> States:
    state = stack.start()
    for symbol in symbols:
        state = stack.step(state, [symbol])
    return state
