"""
A bidirectional network in numpy. It fills gaps in a line.

The backward stack reads the text right of the gap once. The forward stack then spells the gap letter by letter, and the
decoder combines both states, so the usual search fills gaps, too.
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
    A forward and a backward stack of recurrent layers, joined by a decoder. Both stacks start with the line boundary.

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
        kinds = "letter", "word"  # each has a weight, (2 hidden, 2 hidden), and a bias, (2 hidden,)
        self._joins = {k: (np.ascontiguousarray(weights[f"{k}.weight"].T), weights[f"{k}.bias"]) for k in kinds}
        self._decoder = np.ascontiguousarray(weights["decoder.weight"].T)  # (2 hidden, vocabulary)
        self._decoder_bias = weights["decoder.bias"]

    def left(self, symbols: Sequence[int]) -> States:
        """Return the state of the forward stack after the symbols from the start of the line to the gap."""
        return read_symbols(self.forward, symbols)

    def right(self, symbols: Sequence[int]) -> States:
        """Return the state of the backward stack; `symbols` run from the gap to the end of the line, in reading order."""
        return read_symbols(self.backward, symbols[::-1])

    def log_probabilities(self, before: Array, after: Array, kind: GapKind) -> Array:
        """Return (batch, vocabulary) natural logs, given the top (batch, hidden) of the forward and the backward stack."""
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
