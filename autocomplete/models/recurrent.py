"""
One step of a tanh RNN, a GRU or an LSTM for a batch of states, in numpy. Equations and gate order are torch's.

Three things make a step cheap. The input projection of each character is precomputed in a table. All gates share one tanh, as
sigmoid(x) = (1 + tanh(x / 2)) / 2 and the weights are halved. Each gate has narrow matrices of its own, for which OpenBLAS has
kernels that are two to three times as fast for a few rows. The large matrices of a word network stay in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autocomplete.models.protocol import Array, States, Symbols, log_softmax
from autocomplete.storage.byte_matrix import ByteMatrix, Tensor, quantize
from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["RecurrentNetwork"]

_WIDEST = 128  # columns of a block of a matrix


class RecurrentNetwork:
    """
    The trained network as a language model. A state is, for each layer, (batch, hidden), twice in an LSTM.

    :param tensors: the weights by name, of the shapes in `configuration`. With a tied decoder, matrices are kept in bytes.
    """

    def __init__(self, configuration: Configuration, tensors: Mapping[str, Tensor]) -> None:
        weights: dict[str, Any] = {
            name: value if isinstance(value, ByteMatrix) else np.asarray(value, dtype=np.float32)
            for name, value in (quantize(tensors) if configuration.tied else tensors).items()
        }
        layer = {"rnn": _RNNLayer, "gru": _GRULayer, "lstm": _LSTMLayer}[configuration.cell]
        self._layers = [
            layer(*(weights[f"recurrent.{name}_l{i}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
            for i in range(configuration.layers)
        ]
        self._embedding: ByteMatrix | None = None
        if configuration.tied:
            self._embedding = weights["embedding.weight"]  # (vocabulary, embedding)
            self._projection: ByteMatrix = weights["projection.weight"]  # (embedding, hidden)
        else:
            self._table = self._layers[0].project(weights["embedding.weight"])  # (gates, vocabulary, hidden)
            self._decoder = np.ascontiguousarray(weights["decoder.weight"].T)  # (hidden, vocabulary)
        self._decoder_bias = weights["decoder.bias"]
        self._hidden = configuration.hidden

    def start(self, symbol: int = BOUNDARY) -> States:
        """Return the state before the first letter: zeros, stepped once with the boundary or another symbol."""
        zeros = np.zeros((1, self._hidden), dtype=np.float32)
        return self.step(tuple(zeros for layer in self._layers for _ in range(layer.arrays)), [symbol])

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        if self._embedding is None:
            projected = self._table.take(symbols, axis=1)  # (gates, batch, hidden)
        else:  # a table of many words would take more memory than it saves time
            projected = self._layers[0].project(self._embedding.take(symbols))
        arrays: list[Array] = []
        for depth, layer in enumerate(self._layers):
            if depth:
                projected = layer.project(arrays[-layer.arrays])
            arrays.extend(layer.step(projected, *states[depth * layer.arrays : (depth + 1) * layer.arrays]))
        return tuple(arrays)

    def top(self, states: States) -> Array:
        """Return (batch, hidden) the hidden state of the top layer."""
        return states[-self._layers[-1].arrays]

    def projected(self, states: States) -> Array:
        """Return (batch, embedding) what a tied decoder multiplies the embeddings by."""
        return self._projection.times(self.top(states))

    def log_probabilities(self, states: States) -> Array:
        """Return the log of the softmax of the decoded top layer."""
        return log_softmax(self._logits(states))

    def probabilities(self, states: States) -> Array:
        """Return the softmax of the decoded top layer."""
        return _softmax(self._logits(states))

    def probabilities_of(self, projected: Array) -> Array:
        """Return the same, given the result of `projected`."""
        return _softmax(self._tied_logits(projected))

    def _logits(self, states: States) -> Array:
        """Return (batch, vocabulary)."""
        if self._embedding is not None:
            return self._tied_logits(self.projected(states))
        logits: Array = self.top(states) @ self._decoder
        logits += self._decoder_bias
        return logits

    def _tied_logits(self, projected: Array) -> Array:
        assert self._embedding is not None
        logits = self._embedding.times(projected)
        logits += self._decoder_bias
        return logits


def _softmax(logits: Array) -> Array:
    """Return the softmax of logits, (batch, vocabulary), in place."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


class _Layer:
    """The weights of one layer: a matrix for each gate, transposed for row vectors; or one matrix of all gates, in bytes."""

    arrays = 1  # of its state, the hidden state first
    scales: tuple[float, ...]  # of the weights of each gate: a half for a sigmoid, to be computed as a tanh

    def __init__(
        self, weight_ih: Array | ByteMatrix, weight_hh: Array | ByteMatrix, bias_ih: Array, bias_hh: Array
    ) -> None:
        self._scales = np.array(self.scales, dtype=np.float32)[:, None, None]
        # (gates, inputs, hidden) and (gates, blocks, hidden, width)
        self._input = weight_ih if isinstance(weight_ih, ByteMatrix) else self._by_gate(weight_ih)
        self._recurrent = weight_hh if isinstance(weight_hh, ByteMatrix) else self._in_blocks(self._by_gate(weight_hh))
        self._bias = self._by_gate(bias_ih[:, None])  # (gates, 1, hidden)
        self._recurrent_bias = self._by_gate(bias_hh[:, None])

    def project(self, inputs: Array) -> Array:
        """Return what the inputs, (batch, inputs), contribute to the gates, (gates, batch, hidden)."""
        if isinstance(self._input, ByteMatrix):
            return self._of_bytes(self._input, inputs) + self._bias
        return inputs @ self._input + self._bias

    def recur(self, hidden: Array) -> Array:
        """Return what the hidden state, (batch, hidden), contributes to the gates, (gates, batch, hidden)."""
        if isinstance(self._recurrent, ByteMatrix):
            return self._of_bytes(self._recurrent, hidden)
        blocks = hidden @ self._recurrent  # (gates, blocks, batch, width)
        return blocks.transpose(0, 2, 1, 3).reshape(len(blocks), *hidden.shape)

    def _of_bytes(self, matrix: ByteMatrix, vectors: Array) -> Array:
        """Return (gates, batch, hidden) the products of the gates' matrices with vectors, (batch, columns)."""
        products = matrix.times(vectors).reshape(len(vectors), len(self.scales), -1).transpose(1, 0, 2)
        return products * self._scales

    @staticmethod
    def _in_blocks(matrices: Array) -> Array:
        gates, rows, columns = matrices.shape
        width = next((w for w in range(min(_WIDEST, columns), 31, -1) if columns % w == 0), columns)
        return np.ascontiguousarray(matrices.reshape(gates, rows, -1, width).transpose(0, 2, 1, 3))

    def _by_gate(self, weight: Array) -> Array:
        gates = weight.reshape(len(self.scales), -1, weight.shape[1])
        return np.ascontiguousarray(gates.transpose(0, 2, 1)) * self._scales

    step: Callable[..., tuple[Array, ...]]


class _RNNLayer(_Layer):
    """h' = tanh(W x + b + U h + c) (Elman, 1990)."""

    scales = (1.0,)

    def step(self, projected: Array, hidden: Array) -> tuple[Array]:
        return (np.tanh(projected + self.recur(hidden) + self._recurrent_bias)[0],)


class _LSTMLayer(_Layer):
    """Gates i, f, o and candidate g: c' = f c + i g, h' = o tanh(c') (Hochreiter and Schmidhuber, 1997; Gers et al., 2000)."""

    arrays = 2
    scales = (0.5, 0.5, 1.0, 0.5)  # i, f, g, o

    def step(self, projected: Array, hidden: Array, cell: Array) -> tuple[Array, Array]:
        gates = self.recur(hidden)
        gates += projected
        gates += self._recurrent_bias
        i, f, g, o = np.tanh(gates, out=gates)
        cell = _sigmoid(f) * cell + _sigmoid(i) * g
        return _sigmoid(o) * np.tanh(cell), cell


class _GRULayer(_Layer):
    """Gates r, z and candidate n = tanh(W x + b + r (U h + c)): h' = (1 - z) n + z h (Cho et al., 2014; torch's variant)."""

    scales = (0.5, 0.5, 1.0)  # r, z, n

    def step(self, projected: Array, hidden: Array) -> tuple[Array]:
        recurrent = self.recur(hidden)
        recurrent += self._recurrent_bias
        r, z = np.tanh(projected[:2] + recurrent[:2])
        n = np.tanh(projected[2] + _sigmoid(r) * recurrent[2])
        return (n + _sigmoid(z) * (hidden - n),)


def _sigmoid(tanh_of_half: Array) -> Array:
    """Return sigmoid(x), given tanh(x / 2), in place."""
    tanh_of_half *= 0.5
    tanh_of_half += 0.5
    return tanh_of_half
