"""Dilated causal convolutions in numpy, a step at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import Array, States, Symbols
from autocomplete.models.window import WindowModel
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["CausalConvolution"]


class CausalConvolution(WindowModel):
    """
    Dilated convolutions as a character language model that computes nothing twice (Le Paine et al., "Fast Wavenet Generation
    Algorithm", 2016). A state is the past inputs of each layer, (batch, places, channels), and the outputs of the last one.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(tensors)
        self._inputs = self._weights["embedding.weight"] @ self._weights["widen.weight"].T + self._weights["widen.bias"]
        weights = [self._weights[f"layers.{i}.weight"].transpose(2, 1, 0) for i in range(self._depth)]
        self._layers = [np.concatenate(list(weight)) for weight in weights]  # (kernel x channels, channels) each
        self._kernel = len(weights[0])

    def start(self) -> States:
        """Return the state before the first letter, after boundaries only."""
        outputs = self._inputs[[BOUNDARY]]
        states = []
        for i in range(self._depth):
            states.append(np.repeat(outputs[:, None], (self._kernel - 1) * 2**i, axis=1))
            outputs = self._layer(i, states[-1], outputs)
        return (*states, outputs)

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        outputs = self._inputs[symbols]  # (batch, channels)
        after = []
        for i, before in enumerate(states[:-1]):
            after.append(np.concatenate([before[:, 1:], outputs[:, None]], axis=1))
            outputs = self._layer(i, before, outputs)
        return (*after, outputs)

    def _layer(self, i: int, before: Array, inputs: Array) -> Array:
        seen = before[:, :: 2**i].reshape(len(before), -1)
        convolved = np.concatenate([seen, inputs], axis=1) @ self._layers[i] + self._weights[f"layers.{i}.bias"]
        outputs: Array = inputs + np.maximum(convolved, 0, out=convolved)
        return outputs
