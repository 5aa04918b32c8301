"""
A recurrent network taken apart: what its layers hold after each symbol, and every number of a step of the first one.

What is computed here by the equations, from torch's own weights, equals what torch's layers compute by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autocomplete.storage.configuration import Cell
from autocomplete.training.networks.recurrent import CharRNN, State

__all__ = ["ParameterCount", "Step", "Unrolled", "Walk", "count_parameters", "unroll", "walk"]

_LAYERS: dict[str, type[nn.RNN | nn.GRU | nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
_GATES = {"rnn": 1, "gru": 3, "lstm": 4}

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Unrolled:
    """Copies of the tensors of a forward pass; the first hidden states are zeros, before any symbol is read."""

    embedded: Array  # (batch, time, embedding)
    states: Array  # (layers, batch, time + 1, hidden)
    logits: Array  # (batch, time, vocabulary)
    probabilities: Array  # (batch, time, vocabulary)


@torch.no_grad()
def unroll(model: CharRNN, inputs: Tensor) -> Unrolled:
    """Read (batch, time) ids one at a time and keep every hidden state; torch's own pass returns those of the top layer only."""
    state: State | None = None
    states = [torch.zeros(model.configuration.layers, len(inputs), model.configuration.hidden)]
    answers = []
    for symbols in torch.split(inputs, 1, dim=1):
        answer, state = model.continue_from(state, symbols)
        states.append(state if isinstance(state, Tensor) else state[0])  # (layers, batch, hidden)
        answers.append(answer)
    logits = torch.cat(answers, dim=1)
    together = (model.embedding(inputs), torch.stack(states, dim=2), logits, logits.softmax(dim=-1))
    return Unrolled(*(tensor.numpy() for tensor in together))


@dataclass(frozen=True)
class ParameterCount:
    """The trained numbers of a layer, worked out as a textbook does, with one bias for each gate."""

    input: int  # of Wx: gates x units x inputs
    recurrent: int  # of Wh: gates x units x units
    bias: int  # gates x units
    torch: int  # of torch's own layer, which adds up two biases for each gate

    @property
    def total(self) -> int:
        """The numbers with one bias for each gate."""
        return self.input + self.recurrent + self.bias


def count_parameters(cell: Cell, inputs: int, units: int) -> ParameterCount:
    """Return the trained numbers of one layer."""
    rows = _GATES[cell] * units
    in_torch = sum(parameter.numel() for parameter in _LAYERS[cell](inputs, units).parameters())
    return ParameterCount(rows * inputs, rows * units, rows, in_torch)


@dataclass(frozen=True)
class Step:
    """
    What the first layer of a network does with one symbol.

    :param parts: (units,) each, by name, in the order in which they are computed.
        rnn: letter (Wx x), memory (Wh h), bias, sum.
        lstm: forget, input, candidate, cell before, cell, output.
        gru: reset, update, candidate.
    """

    input: Array  # (inputs,) the symbol's embedding, x
    before: Array  # (units,) the hidden state before, h
    after: Array  # (units,) the hidden state after
    parts: Mapping[str, Array]


@dataclass(frozen=True)
class Walk:
    """The first layer of a network over some symbols."""

    input_weights: Array  # (gates x units, inputs) Wx
    recurrent_weights: Array  # (gates x units, units) Wh
    steps: Sequence[Step]


@torch.no_grad()
def walk(model: CharRNN, symbols: Tensor) -> Walk:
    """Return copies of the steps of the first layer over symbols, (time,) ids, from a state of zeros on."""
    take_step = {"rnn": _rnn_step, "gru": _gru_step, "lstm": _lstm_step}[model.configuration.cell]
    hidden = cell = torch.zeros(model.configuration.hidden)
    weights = [parameter.detach() for parameter in model.recurrent.parameters()][:4]  # of the first layer
    steps = []
    for embedded in model.embedding(symbols):
        before = hidden
        hidden, cell, parts = take_step(weights, embedded, before, cell)
        numbers = {name: part.numpy() for name, part in parts.items()}
        steps.append(Step(embedded.numpy(), before.numpy(), hidden.numpy(), numbers))
    return Walk(weights[0].numpy().copy(), weights[1].numpy().copy(), steps)


# Each takes weights, symbol, hidden and cell state, and returns both states after the step, and its parts by name.
_StepTaken = tuple[Tensor, Tensor, dict[str, Tensor]]


def _rnn_step(weights: Sequence[Tensor], x: Tensor, h: Tensor, c: Tensor) -> _StepTaken:
    """Elman (1990): h' = tanh(Wx x + Wh h + b)."""
    wx, wh, bx, bh = weights
    letter, memory, bias = wx @ x, wh @ h, bx + bh
    total = letter + memory + bias
    return total.tanh(), c, {"letter": letter, "memory": memory, "bias": bias, "sum": total}


def _lstm_step(weights: Sequence[Tensor], x: Tensor, h: Tensor, c: Tensor) -> _StepTaken:
    """Hochreiter and Schmidhuber (1997), Gers et al. (2000): c' = f c + i g, h' = o tanh(c')."""
    wx, wh, bx, bh = weights
    i, f, g, o = (wx @ x + bx + wh @ h + bh).chunk(4)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cell = f * c + i * g
    parts = {"forget": f, "input": i, "candidate": g, "cell before": c, "cell": cell, "output": o}
    return o * cell.tanh(), cell, parts


def _gru_step(weights: Sequence[Tensor], x: Tensor, h: Tensor, c: Tensor) -> _StepTaken:
    """Cho et al. (2014), as torch has it: n = tanh(Wx x + b + r (Wh h + b')), h' = (1 - z) n + z h."""
    wx, wh, bx, bh = weights
    letter, memory = (wx @ x + bx).chunk(3), (wh @ h + bh).chunk(3)  # for r, z and n
    r, z = (letter[0] + memory[0]).sigmoid(), (letter[1] + memory[1]).sigmoid()
    n = (letter[2] + r * memory[2]).tanh()
    return (1 - z) * n + z * h, c, {"reset": r, "update": z, "candidate": n}
