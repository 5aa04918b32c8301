"""
One step of a recurrent layer, taken apart: every number on the way from a symbol and a state to the next state.

The layer is torch's own, and so are its weights; what is computed here by the equations equals what it computes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.storage.configuration import CELLS, Cell, Configuration
from autocomplete.training.networks.recurrent import CharRNN, new_recurrent

__all__ = ["ParameterCount", "Step", "Walk", "count_parameters", "walk"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ParameterCount:
    """
    The trained numbers of a layer, worked out as a textbook does, with one bias for each gate.

    :param input: of Wx: gates x units x inputs.
    :param recurrent: of Wh: gates x units x units.
    :param bias: gates x units.
    :param torch: that torch's own layer has. It keeps two biases for each gate, which it adds up.
    """

    input: int
    recurrent: int
    bias: int
    torch: int

    @property
    def total(self) -> int:
        """The numbers with one bias for each gate."""
        return self.input + self.recurrent + self.bias


def count_parameters(cell: Cell, inputs: int, units: int) -> ParameterCount:
    """Return the trained numbers of one layer."""
    gates = CELLS[cell]
    layer = new_recurrent(Configuration(1, cell, hidden=units, embedding=inputs), dropout=0.0)
    return ParameterCount(
        gates * units * inputs,
        gates * units * units,
        gates * units,
        sum(parameter.numel() for parameter in layer.parameters()),
    )


@dataclass(frozen=True)
class Step:
    """
    What the first layer of a network does with one symbol.

    :param input: (inputs,) the symbol as its embedding, x.
    :param before: (units,) the hidden state before, h.
    :param after: (units,) the hidden state after.
    :param parts: by name, (units,) each, in the order in which they are computed.
        rnn: letter (Wx x), memory (Wh h), bias, sum.
        lstm: forget, input, candidate, cell before, cell, output.
        gru: reset, update, candidate.
    """

    input: Array
    before: Array
    after: Array
    parts: Mapping[str, Array]


@dataclass(frozen=True)
class Walk:
    """
    The first layer of a network over some symbols.

    :param input_weights: (gates x units, inputs) Wx.
    :param recurrent_weights: (gates x units, units) Wh.
    """

    input_weights: Array
    recurrent_weights: Array
    steps: Sequence[Step]


@torch.no_grad()
def walk(model: CharRNN, symbols: Tensor) -> Walk:
    """
    Return the steps of the first layer over some symbols, from a state of zeros on; all are copies.

    :param symbols: (time,) ids.
    """
    units = model.configuration.hidden
    hidden, cell = torch.zeros(units), torch.zeros(units)
    weights = [parameter.detach() for parameter in model.recurrent.parameters()][:4]  # of the first layer
    steps = []
    for embedded in model.embedding(symbols):
        before = hidden
        if model.configuration.cell == "rnn":
            hidden, parts = _rnn_step(weights, embedded, before)
        elif model.configuration.cell == "gru":
            hidden, parts = _gru_step(weights, embedded, before)
        else:
            hidden, cell, parts = _lstm_step(weights, embedded, before, cell)
        numbers = {name: part.numpy() for name, part in parts.items()}
        steps.append(Step(embedded.numpy(), before.numpy(), hidden.numpy(), numbers))
    return Walk(weights[0].numpy().copy(), weights[1].numpy().copy(), steps)


def _rnn_step(weights: Sequence[Tensor], x: Tensor, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Elman (1990): h' = tanh(Wx x + Wh h + b)."""
    wx, wh, bx, bh = weights
    letter, memory, bias = wx @ x, wh @ h, bx + bh
    total = letter + memory + bias
    return total.tanh(), {"letter": letter, "memory": memory, "bias": bias, "sum": total}


def _lstm_step(weights: Sequence[Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Hochreiter and Schmidhuber (1997), Gers et al. (2000): c' = f c + i g, h' = o tanh(c')."""
    wx, wh, bx, bh = weights
    i, f, g, o = (wx @ x + bx + wh @ h + bh).chunk(4)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cell = f * c + i * g
    parts = {"forget": f, "input": i, "candidate": g, "cell before": c, "cell": cell, "output": o}
    return o * cell.tanh(), cell, parts


def _gru_step(weights: Sequence[Tensor], x: Tensor, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Cho et al. (2014), as torch has it: n = tanh(Wx x + b + r (Wh h + b')), h' = (1 - z) n + z h."""
    wx, wh, bx, bh = weights
    letter, memory = (wx @ x + bx).chunk(3), (wh @ h + bh).chunk(3)  # for r, z and n
    r, z = (letter[0] + memory[0]).sigmoid(), (letter[1] + memory[1]).sigmoid()
    n = (letter[2] + r * memory[2]).tanh()
    return (1 - z) * n + z * h, {"reset": r, "update": z, "candidate": n}
