"""
One step of a tanh RNN, a GRU or an LSTM for a batch of states, in numpy.

The equations and the order of the gates are those of torch, whose weights these are; the numbers agree to 1e-5. Two things
make a step cheap. The product of an embedding with the first layer's input weights depends on the symbol alone, so it
is a table. And sigmoid(x) = (1 + tanh(x / 2)) / 2, so all gates take a single tanh, their weights having been halved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.checkpoint import Configuration
from autocomplete.inference.model import States, Symbols
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["RecurrentNetwork"]

Array = NDArray[np.float32]


class RecurrentNetwork:
    """
    The trained network as a character language model. A state is, for each layer, (batch, hidden), twice in an LSTM.

    :param tensors: the weights by name, of the shapes that `configuration` gives.
    """

    def __init__(self, configuration: Configuration, tensors: Mapping[str, NDArray[Any]]) -> None:
        weights = {name: np.asarray(value, dtype=np.float32) for name, value in tensors.items()}
        layer = {"rnn": _RNNLayer, "gru": _GRULayer, "lstm": _LSTMLayer}[configuration.cell]
        self._layers = [
            layer(*(weights[f"recurrent.{name}_l{i}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
            for i in range(configuration.layers)
        ]
        self._table = self._layers[0].project(weights["embedding.weight"])  # (vocabulary, gates * hidden)
        self._decoder = np.ascontiguousarray(weights["decoder.weight"].T)  # (hidden, vocabulary)
        self._decoder_bias = weights["decoder.bias"]
        self._hidden = configuration.hidden

    def start(self) -> States:
        """Return the state before the first letter: zeros, stepped once with the boundary."""
        zeros = np.zeros((1, self._hidden), dtype=np.float32)
        return self.step(tuple(zeros for layer in self._layers for _ in range(layer.arrays)), [BOUNDARY])

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        projected = self._table[symbols]  # (batch, gates * hidden)
        arrays: list[Array] = []
        for depth, layer in enumerate(self._layers):
            if depth:
                projected = layer.project(arrays[-layer.arrays])
            arrays.extend(layer.step(projected, *states[depth * layer.arrays : (depth + 1) * layer.arrays]))
        return tuple(arrays)

    def log_probabilities(self, states: States) -> Array:
        """Return the log of the softmax of the decoded top layer."""
        logits: Array = states[-self._layers[-1].arrays] @ self._decoder + self._decoder_bias
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits


class _Layer:
    """
    Weights of one recurrent layer, transposed for row vectors; `halved` marks the rows of sigmoid gates.

    The hidden state comes first in what `step` takes and gives; `arrays` says how many arrays that are.
    """

    arrays = 1

    def __init__(self, input_weight: Array, hidden_weight: Array, bias: Array, halved: Array) -> None:
        self._input = np.ascontiguousarray((input_weight * halved).T)  # (inputs, gates * hidden)
        self._recurrent = np.ascontiguousarray((hidden_weight * halved).T)  # (hidden, gates * hidden)
        self._bias = bias * halved[:, 0]
        self._size = hidden_weight.shape[1]

    def project(self, inputs: Array) -> Array:
        """Return what the inputs, (batch, inputs), contribute to the gates, the bias included."""
        projected: Array = inputs @ self._input + self._bias
        return projected

    step: Callable[..., tuple[Array, ...]]


class _RNNLayer(_Layer):
    """h' = tanh(W x + U h + b) (Elman, 1990)."""

    def __init__(self, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array) -> None:
        super().__init__(weight_ih, weight_hh, bias_ih + bias_hh, np.ones((len(weight_ih), 1), dtype=np.float32))

    def step(self, projected: Array, hidden: Array) -> tuple[Array]:
        return (np.tanh(projected + hidden @ self._recurrent),)


class _LSTMLayer(_Layer):
    """Gates i, f, o and candidate g: c' = f c + i g, h' = o tanh(c') (Hochreiter and Schmidhuber, 1997; Gers et al., 2000)."""

    arrays = 2

    def __init__(self, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array) -> None:
        halved = np.full((len(weight_ih), 1), 0.5, dtype=np.float32)
        size = weight_hh.shape[1]
        halved[2 * size : 3 * size] = 1.0  # torch's order: i, f, g, o
        super().__init__(weight_ih, weight_hh, bias_ih + bias_hh, halved)

    def step(self, projected: Array, hidden: Array, cell: Array) -> tuple[Array, Array]:
        n = self._size
        gates = hidden @ self._recurrent
        gates += projected
        np.tanh(gates, out=gates)
        candidate = gates[:, 2 * n : 3 * n].copy()
        gates *= 0.5
        gates += 0.5
        input_gate, forget, output = gates[:, :n], gates[:, n : 2 * n], gates[:, 3 * n :]
        cell = forget * cell + input_gate * candidate
        return output * np.tanh(cell), cell


class _GRULayer(_Layer):
    """Gates r, z and candidate n = tanh(W x + b + r (U h + c)): h' = (1 - z) n + z h (Cho et al., 2014; torch's variant)."""

    def __init__(self, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array) -> None:
        halved = np.full((len(weight_ih), 1), 0.5, dtype=np.float32)
        size = weight_hh.shape[1]
        halved[2 * size :] = 1.0  # torch's order: r, z, n
        super().__init__(weight_ih, weight_hh, bias_ih, halved)
        self._recurrent_bias = bias_hh * halved[:, 0]

    def step(self, projected: Array, hidden: Array) -> tuple[Array]:
        n = self._size
        recurrent = hidden @ self._recurrent + self._recurrent_bias
        gates = np.tanh(projected[:, : 2 * n] + recurrent[:, : 2 * n])
        gates *= 0.5
        gates += 0.5
        reset, update = gates[:, :n], gates[:, n:]
        candidate = np.tanh(projected[:, 2 * n :] + reset * recurrent[:, 2 * n :])
        return (candidate + update * (hidden - candidate),)
