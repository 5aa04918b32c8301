"""
One step of a tanh RNN, a GRU or an LSTM for a batch of states, in numpy.

The equations and the order of the gates are those of torch, whose weights these are; the numbers agree to 1e-5. Three
things make a step cheap. The product of an embedding with the first layer's input weights depends on the symbol alone,
so it is a table (but for a vocabulary of words). As sigmoid(x) = (1 + tanh(x / 2)) / 2, all gates take a single tanh,
their weights having been halved. And each gate has matrices of its own, of a few columns each: OpenBLAS has kernels for
small products, two to three times as fast for a few rows as those for large ones, which copy the matrix first.

Of a network of words, which is large and takes one step a word, the matrices stay in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autocomplete.models.protocol import Array, States, Symbols
from autocomplete.storage.byte_matrix import ByteMatrix, Tensor, quantize
from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["RecurrentNetwork"]

_WIDEST = 128  # columns of a block of a matrix; see above


class RecurrentNetwork:
    """
    The trained network as a character language model. A state is, for each layer, (batch, hidden), twice in an LSTM.

    :param tensors: the weights by name, of the shapes that `configuration` gives. One with a tied decoder, as a network of words
        has it, keeps its matrices in bytes.
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
        """Return the state before the first letter: zeros, stepped once with the boundary, or with another symbol."""
        zeros = np.zeros((1, self._hidden), dtype=np.float32)
        return self.step(tuple(zeros for layer in self._layers for _ in range(layer.arrays)), [symbol])

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more symbol each."""
        projected = self._project(symbols)  # (gates, batch, hidden)
        arrays: list[Array] = []
        for depth, layer in enumerate(self._layers):
            if depth:
                projected = layer.project(arrays[-layer.arrays])
            arrays.extend(layer.step(projected, *states[depth * layer.arrays : (depth + 1) * layer.arrays]))
        return tuple(arrays)

    def _project(self, symbols: Symbols) -> Array:
        # A table for each of many words would take more memory than it saves time.
        if self._embedding is not None:
            return self._layers[0].project(self._embedding.take(symbols))
        return self._table.take(symbols, axis=1)

    def top(self, states: States) -> Array:
        """Return (batch, hidden) the hidden state of the top layer."""
        hidden: Array = states[-self._layers[-1].arrays]
        return hidden

    def projected(self, states: States) -> Array:
        """Return (batch, embedding) what the embeddings are multiplied by, of a network whose decoder they are."""
        return self._projection.times(self.top(states))

    def log_probabilities(self, states: States) -> Array:
        """Return the log of the softmax of the decoded top layer."""
        logits = self._logits(self._decoded(states))
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    def probabilities(self, states: States) -> Array:
        """Return the softmax of the decoded top layer."""
        return self._softmax(self._decoded(states))

    def probabilities_of(self, projected: Array) -> Array:
        """Return the same for what `projected` gave."""
        assert self._embedding is not None
        return self._softmax(self._embedding.times(projected))

    def _decoded(self, states: States) -> Array:
        """Return (batch, vocabulary) the products of the top layer with the decoder, without its bias."""
        if self._embedding is not None:
            return self._embedding.times(self.projected(states))
        decoded: Array = self.top(states) @ self._decoder
        return decoded

    def _logits(self, decoded: Array) -> Array:
        """Return them with the bias, the greatest in each row being 0, in place."""
        decoded += self._decoder_bias
        decoded -= decoded.max(axis=1, keepdims=True)
        return decoded

    def _softmax(self, decoded: Array) -> Array:
        """Return the softmax of them with the bias, in place."""
        logits = self._logits(decoded)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return logits


class _Layer:
    """
    The weights of one recurrent layer, a matrix for each gate, transposed for row vectors; or all gates in one, in bytes.

    The hidden state comes first in what `step` takes and gives; `arrays` says how many arrays that are.
    """

    arrays = 1
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
        projected: Array = (
            self._of_bytes(self._input, inputs) if isinstance(self._input, ByteMatrix) else inputs @ self._input
        )
        return projected + self._bias

    def recur(self, hidden: Array) -> Array:
        """Return what the hidden state, (batch, hidden), contributes to the gates, (gates, batch, hidden)."""
        if isinstance(self._recurrent, ByteMatrix):
            return self._of_bytes(self._recurrent, hidden)
        blocks = hidden @ self._recurrent  # (gates, blocks, batch, width)
        product: Array = blocks.transpose(0, 2, 1, 3).reshape(len(blocks), *hidden.shape)
        return product

    def _of_bytes(self, matrix: ByteMatrix, vectors: Array) -> Array:
        """Return the products of vectors, (batch, columns), with the matrices of the gates, (gates, batch, hidden)."""
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
