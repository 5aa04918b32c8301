"""
Back-propagation through time: how much of the error at the last letter reaches the network's state at each letter before it.

The networks are `CharRNN` with each of the three cells, fresh and trained while one looks on; the norms come from
`lab/gradients.py`, by automatic differentiation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from autocomplete.demo.drawing import cell_of, counted, height, letter_cells, shade, visible
from autocomplete.demo.inputs import read_sentence
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.demo.sentences import SENTENCES
from autocomplete.errors import SettingsError
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

    from autocomplete.lab.gradients import Clipped
    from autocomplete.training.networks.recurrent import CharRNN

__all__ = ["SCENE"]

_CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")
_NAMES = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
_HIDDEN, _EMBEDDING = 64, 24
_STEPS, _FRAMES = 120, 10
_SECONDS = 12.0  # of training at most, so that a busy machine does not make the scene longer
_FACTOR = 2.0  # that makes recurrent weights large
_BPTT = 16  # letters at most between two cuts, three parts at least
_CLIP = 1.0  # as in every training here
_LABEL, _FIGURES = 16, 20  # cells left and right of the letters
_DECADES = 8  # heights of a block: each is a factor of ten


@dataclass(frozen=True)
class _Curve:
    """Norms of a gradient, step by step back from the last letter."""

    name: str
    norms: NDArray[np.float64]  # (time,) the last state first; not a number where there is none
    shown: int = 10**9  # number of steps back that are shown so far


@dataclass(frozen=True)
class _Board:
    """All that the picture shows: groups of curves, each with a heading, and what clipping does."""

    fresh: tuple[_Curve, ...] = ()
    trained: tuple[_Curve, ...] = ()
    cut: tuple[_Curve, ...] = ()
    large: tuple[_Curve, ...] = ()
    bptt: int = 0
    clipped: Clipped | None = None


def play(word: str, size: Size) -> Iterator[Frame]:
    """Yield the frames; raise SettingsError for a text that is empty or very long."""
    text = _read(word)

    def frame(board: _Board, caption: str, seconds: float) -> Frame:
        return Frame(_picture(text, board, size), caption, seconds)

    caption = (
        "The error at the last letter is sent back through every step; each row will show how much of it arrives where."
    )
    yield frame(_Board(), caption, 1.5)

    import torch

    from autocomplete.lab.gradients import clip_gradient, scale_recurrent
    from autocomplete.lab.training import isolated_torch
    from autocomplete.training.networks.recurrent import CharRNN

    alphabet = Letters()
    keys = alphabet.keys(SENTENCES)
    vocabulary = Vocabulary.from_words(keys)
    # One symbol for each character shown: a character whose key has several is read as the first of them.
    symbols = torch.tensor([BOUNDARY, *(vocabulary.encode(alphabet.key(c) or " ")[0] for c in text)])
    with isolated_torch():
        networks = {cell: CharRNN(Configuration(len(vocabulary), cell, 1, _HIDDEN, _EMBEDDING)) for cell in _CELLS}
        fresh = _curves(networks, symbols)
        letters = max(1, len(text) // 12)
        for shown in range(letters, len(text) + letters, letters):
            board = _Board(fresh=tuple(replace(curve, shown=shown) for curve in fresh))
            caption = "From right to left: at each step back the gradient is multiplied by the derivative of that step."
            yield frame(board, caption, 0.15)
        board = _Board(fresh=fresh)
        yield frame(board, f"Fresh networks. {_rates(fresh)}: what is below 1 vanishes, letter by letter.", 1.8)
        for steps, bits in _lessons(networks, vocabulary.encode_lines(keys)):
            board = replace(board, trained=_curves(networks, symbols))
            losses = ", ".join(f"{_NAMES[cell]} {bits[cell]:.1f}" for cell in _CELLS)
            caption = f"The same networks learn {len(SENTENCES)} sentences: step {steps}, bits a letter: {losses}."
            yield frame(board, caption, 0.05)
        caption = f"Trained {steps} steps: {_rates(board.trained)}. Gates can keep a gradient, but need not."
        yield frame(board, caption, 1.8)
        bptt = math.ceil(len(text) / max(3, math.ceil(len(text) / _BPTT)))  # in parts that are about as long
        board = replace(board, cut=_curves(networks, symbols, bptt), bptt=bptt)
        caption = f"Truncated back-propagation cuts every {bptt} steps: before the last cut, the gradient is exactly 0."
        yield frame(board, caption, 1.8)
        large = {cell: scale_recurrent(network, _FACTOR) for cell, network in networks.items()}
        board = replace(board, large=_curves(large, symbols))
        caption = f"Recurrent weights {_FACTOR:g} times as large: {_rates(board.large)}. Above 1 it explodes."
        yield frame(board, caption, 1.8)
        board = replace(board, clipped=clip_gradient(large["rnn"], symbols, _CLIP))
        caption = "Clipping keeps the direction of the gradient of all weights and bounds its length."
        yield frame(board, caption, 0.0)
        yield frame(board, _verdict(board), 3.0)


def _read(word: str) -> str:
    text, example = read_sentence(Letters().surface(word), SCENE.word), f"give some words, such as: {SCENE.word}"
    if len(text) < 2:
        raise SettingsError(f"{visible(text)!r} is one letter, and nothing comes before it; {example}")
    return text


def _curves(networks: dict[Cell, CharRNN], symbols: Tensor, bptt: int | None = None) -> tuple[_Curve, ...]:
    from autocomplete.lab.gradients import state_gradients

    curves = []
    for cell, network in networks.items():
        gradients = state_gradients(network, symbols, bptt)
        if gradients.cell is None:
            curves.append(_Curve(_NAMES[cell], gradients.hidden))
        else:
            curves += [_Curve("LSTM h", gradients.hidden), _Curve("LSTM c", np.append(np.nan, gradients.cell[1:]))]
    return tuple(curves)


def _lessons(networks: dict[Cell, CharRNN], ids: NDArray[np.integer[Any]]) -> Iterator[tuple[int, dict[Cell, float]]]:
    """Train the networks alike on running text; yield now and then the number of steps and the bits a letter of each."""
    from autocomplete.lab.training import paced, train_alike
    from autocomplete.training.batching.streams import Streams, stream_loss

    streams = {cell: Streams(ids, batch=16, bptt=32, generator=np.random.default_rng(0)) for cell in networks}

    def loss(cell: Cell, _: None) -> Tensor:
        return stream_loss(networks[cell], streams[cell], 0.0, "fp32")[0]

    every = _STEPS // _FRAMES
    return paced(train_alike(networks, repeat(None), _STEPS, loss), range(every, _STEPS + 1, every), _SECONDS)


def _picture(text: str, board: _Board, size: Size) -> RenderableType:
    """Return the letters, under them a row for each curve, and what clipping does."""
    cells = size.width - _LABEL - _FIGURES - 2  # for letters
    column = letter_cells(text, cells)
    room = cells // column
    inputs = ("|" + text[:-1])[-room:]
    letters = Text(" state after".ljust(_LABEL), "dim")
    letters.append(" " * column * (room - len(inputs)))
    letters.append("".join(cell_of(character, column) for character in inputs), "bold not dim")
    letters.append("▸" + cell_of(text[-1], 1)[:1], "bold green not dim")
    letters.append(f"{'at start':>9}{'a letter':>{_FIGURES - 9}}")
    tall = size.height >= 30
    groups = {
        "fresh": board.fresh,
        "trained": board.trained,
        f"cut {board.bptt}": board.cut,
        f"recurrent weights ×{_FACTOR:g}" if tall else f"×{_FACTOR:g}": board.large,
    }
    lines = [letters]
    for heading, curves in groups.items():
        all_shown = tall or heading in ("fresh", "trained")
        # Without room: the plain network, and the one whose state has two parts.
        chosen = curves if all_shown else [curve for curve in curves if curve.name in ("RNN", "LSTM h")]
        if tall:
            lines.append(Text(f" {heading}" if curves else "", "dim"))
        for i in range(4 if all_shown else 2):
            if i < len(chosen):
                label = f"   {chosen[i].name}" if tall else f" {heading if i == 0 else '':<8}{chosen[i].name}"
                lines.append(_curve_row(label, chosen[i], room, column))
            else:
                lines.append(Text())
    if board.clipped is not None:
        lines += [Text()] * (2 if tall else 1) + [_clip(board.clipped)]
    return Group(*lines)


def _curve_row(label: str, curve: _Curve, room: int, column: int) -> Text:
    """Return a curve as blocks in `room` columns, the last letter at the right; then the norm at the start and the rate."""
    line = Text(label.ljust(_LABEL), no_wrap=True, overflow="crop")
    shown = curve.norms[: min(room, curve.shown)][::-1]
    line.append(" " * column * (room - len(shown)))
    greatest = max(shown[~np.isnan(shown)].tolist(), default=0.0)
    for norm in shown.tolist():
        if math.isnan(norm):  # of the last cell state, which nothing reads
            line.append(" " * column)
        elif norm == 0:
            line.append("·".ljust(column), "dim")
        else:
            share = 1 + math.log10(norm / greatest) / _DECADES
            line.append(height(share).ljust(column), "red" if norm > curve.norms[0] > 0 else shade(0.5 + share / 2))
    if curve.shown < len(curve.norms):
        return line
    at_start, rate = curve.norms[-1], _rate(curve.norms)
    line.append(f"  {'0' if at_start == 0 else f'{at_start:.1e}':>9}")
    return line.append("-".rjust(9) if math.isnan(rate) else f"{f'×{rate:.2f}':>9}", "red" if rate > 1 else "")


def _rates(curves: Sequence[_Curve]) -> str:
    """Return the rate of each network's hidden state, in a few words."""
    found = {curve.name.removesuffix(" h"): _rate(curve.norms) for curve in curves if curve.name != "LSTM c"}
    if any(map(math.isnan, found.values())):
        return "too few letters to give a rate"
    return ", ".join(f"{name} ×{rate:.2f}" for name, rate in found.items()) + " a letter"


def _rate(norms: NDArray[np.float64]) -> float:
    """Return the factor from one letter to the one before it: the geometric mean over all but the last."""
    if len(norms) < 3 or norms[-1] == 0 or norms[1] == 0:
        return math.nan
    return float((norms[-1] / norms[1]) ** (1 / (len(norms) - 2)))


def _clip(clipped: Clipped) -> Text:
    line = Text(f" {'clip':<8}gradient of all weights, RNN: norm {clipped.before:,.4g} → ")
    line.append(f"{clipped.after:.4g}", "bold green")
    return line.append(f", cosine {clipped.cosine:.4f}")


def _verdict(board: _Board) -> str:
    rnn, _, lstm, _ = (curve.norms for curve in board.fresh)
    return (
        f"{counted(len(rnn) - 1, 'step')} back from the last letter, {rnn[-1] / rnn[0]:.0e} of the gradient is left in a fresh "
        f"RNN, {lstm[-1] / lstm[0]:.0e} in a fresh LSTM, and nothing beyond a cut."
    )


SCENE = Scene(
    name="gradient",
    title="the gradient through time: it vanishes, explodes, is clipped",
    about="The network has read a sentence and is wrong about its last letter. Each row shows how much of that error reaches the "
    "state after each letter before: a step down in height is a factor of ten, a dot is exactly nothing. Of an LSTM both parts "
    "of the state are shown: hidden (h) and cell (c).",
    hint="A short word, and a long sentence; what is left at the first letter says how far back the network can learn.",
    equations="d loss(t) / d h(t-k) = d loss(t) / d h(t)  J(t) J(t-1) ... J(t-k+1)\n"
    "RNN   J(t) = d h(t) / d h(t-1) = diag(1 - h(t)^2) U\n"
    "LSTM  c(t) = f c(t-1) + i g: what goes past the gates only meets f\n"
    "clip  g <- g min(1, 1 / |g|)",
    word="the letters that the woman wrote were read",
    play=play,
)
