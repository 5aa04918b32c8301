"""One step of networks without memory, in numpy, to compare their speed with `recurrent`. In torch: `training/windows`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import Array, States, Symbols, log_softmax
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["FeedForwardWindow"]


class WindowModel:
    """The decoder that both share; `tensors` has the weights by their torch names."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._weights = {name: np.asarray(value, dtype=np.float32) for name, value in tensors.items()}
        self._depth = sum(name.startswith("layers.") and name.endswith(".bias") for name in tensors)
        self._decoder = np.ascontiguousarray(self._weights["decoder.weight"].T)  # (hidden, vocabulary)

    def log_probabilities(self, states: States) -> Array:
        """Return the log of the softmax of the decoded last layer, the last array of a state."""
        logits: Array = states[-1] @ self._decoder
        logits += self._weights["decoder.bias"]
        return log_softmax(logits)


class FeedForwardWindow(WindowModel):
    """
    The last k symbols through tanh layers, as a character language model. The first layer is a table by place and symbol.

    A state is the symbols, (batch, k), and the outputs of the last layer, (batch, hidden).
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(tensors)
        embedding, first = self._weights["embedding.weight"], self._weights["layers.0.weight"]
        blocks = first.reshape(len(first), -1, embedding.shape[1])  # (hidden, window, embedding)
        self._table = np.ascontiguousarray(np.einsum("ve,hke->kvh", embedding, blocks))  # (window, vocabulary, hidden)
        self._places = np.arange(len(self._table))
        self._layers = [np.ascontiguousarray(self._weights[f"layers.{i}.weight"].T) for i in range(1, self._depth)]

    def start(self) -> States:
        """Return the state before the first letter: boundaries."""
        return self._read(np.full((1, len(self._places)), BOUNDARY))

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        return self._read(np.concatenate([states[0][:, 1:], np.asarray(symbols)[:, None]], axis=1))

    def _read(self, window: NDArray[np.int64]) -> States:
        outputs = np.tanh(self._table[self._places, window].sum(axis=1) + self._weights["layers.0.bias"])
        for i, layer in enumerate(self._layers, start=1):
            outputs = np.tanh(outputs @ layer + self._weights[f"layers.{i}.bias"])
        return window, outputs
