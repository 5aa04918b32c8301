"""
Back-propagation through time, made visible: how much of the error at one step reaches the states before it.

The gradient of a loss with respect to the state k steps back is the gradient with respect to the last state times the k Jacobians
of the steps between (Hochreiter, 1991; Bengio, Simard and Frasconi, 1994). Its norm vanishes where they shrink it, explodes where
they stretch it, and is zero beyond a cut of truncated back-propagation.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autocomplete.training.networks.recurrent import CharRNN, State

__all__ = ["Clipped", "StateGradients", "clip_gradient", "scale_recurrent", "state_gradients"]


@dataclass(frozen=True)
class StateGradients:
    """
    Norms of the gradient of one loss with respect to the states that led to it, over all layers.

    The two parts of an LSTM's state are two variables: the gradient reaches the hidden state through the gates of the next step,
    the cell state past them. Nothing reads the last cell state, so its place is 0.
    """

    loss: float  # in nats
    hidden: NDArray[np.float64]  # (time,) of d loss / d hidden state, the last step first
    cell: NDArray[np.float64] | None  # (time,) of d loss / d cell state of an LSTM; None for the others


@dataclass(frozen=True)
class Clipped:
    """What clipping does to the gradient of all weights."""

    before: float  # its norm
    after: float  # its norm once it is clipped
    cosine: float  # of the angle between the two gradients; 1 means the same direction


def state_gradients(model: CharRNN, symbols: Tensor, bptt: int | None = None) -> StateGradients:
    """
    Return how much of the error at the last symbol reaches each state before it, by automatic differentiation.

    :param symbols: (time + 1,) ids; all but the last are read, and the last is what is to be predicted.
    :param bptt: number of steps between two cuts of the gradient, as in training; None for no cut.
    """
    model = copy.deepcopy(model).double()  # in which what fades over hundreds of steps is not rounded to 0
    states: list[State] = []
    state: State | None = None
    for step, symbol in enumerate(symbols[:-1]):
        if state is not None and bptt is not None and step % bptt == 0:
            state = _detached(state)
        state = model.continue_from(state, symbol[None, None])[1]
        states.append(state)
    hidden = [state if isinstance(state, Tensor) else state[0] for state in states]  # each (layers, 1, hidden)
    cells = [state[1] for state in states if not isinstance(state, Tensor)]
    loss = functional.cross_entropy(model.decode(hidden[-1][-1]), symbols[-1:])
    return StateGradients(float(loss.detach()), _norms(loss, hidden), _norms(loss, cells) if cells else None)


def scale_recurrent(model: CharRNN, factor: float) -> CharRNN:
    """Return a copy of a network whose recurrent weights are some times as large."""
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in scaled.recurrent.named_parameters():
            if name.startswith("weight_hh"):
                parameter.mul_(factor)
    return scaled


def clip_gradient(model: CharRNN, symbols: Tensor, clip: float) -> Clipped:
    """
    Return what clipping does to the gradient of the mean loss over a sequence (Pascanu, Mikolov and Bengio, 2013).

    :param symbols: (time + 1,) ids.
    :param clip: the greatest norm of the clipped gradient.
    """
    model = copy.deepcopy(model).double()
    loss = functional.cross_entropy(model(symbols[None, :-1])[0], symbols[1:])
    loss.backward()  # type: ignore[no-untyped-call]
    before = _gradient(model)
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    after = _gradient(model)
    cosine = float(before @ after / (before.norm() * after.norm()).clamp_min(1e-300))
    return Clipped(float(before.norm()), float(after.norm()), cosine)


def _gradient(model: CharRNN) -> Tensor:
    """Return the gradient of all weights in a row, (parameters,)."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def _norms(loss: Tensor, states: list[Tensor]) -> NDArray[np.float64]:
    """Return the norm of the gradient with respect to each state, the last first; 0 where nothing leads there."""
    gradients = torch.autograd.grad(loss, states, retain_graph=True, allow_unused=True)
    norms = [0.0 if gradient is None else float(gradient.double().norm()) for gradient in reversed(gradients)]
    return np.array(norms)


def _detached(state: State) -> State:
    return state.detach() if isinstance(state, Tensor) else (state[0].detach(), state[1].detach())
