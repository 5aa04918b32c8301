"""Curves over the letters of a sentence, drawn as blocks under them: a step of height is a factor of ten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from autocomplete.demo.drawing import height, shade

__all__ = ["FIGURES", "LABEL", "Curve", "curve_row", "rates"]

LABEL, FIGURES = 16, 20  # cells left and right of the letters
_DECADES = 8  # heights of a block: each is a factor of ten


@dataclass(frozen=True)
class Curve:
    """
    Norms of a gradient, step by step back from the last letter.

    :param norms: (time,) the last state first; not a number where there is none.
    :param shown: number of steps back that are shown so far.
    """

    name: str
    norms: NDArray[np.float64]
    shown: int = 10**9


def curve_row(label: str, curve: Curve, room: int, column: int) -> Text:
    """
    Return a curve as blocks, the last letter at the right, and then the norm at the first letter and the rate.

    :param room: number of letters that there is room for.
    :param column: cells of a letter.
    """
    line = Text(label.ljust(LABEL), no_wrap=True, overflow="crop")
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


def rates(curves: Sequence[Curve]) -> str:
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
