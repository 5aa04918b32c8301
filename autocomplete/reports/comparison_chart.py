"""The curves of models that are compared, drawn with letters so that none hides another, each named at its right end."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

if TYPE_CHECKING:
    from autocomplete.lab.comparison import Standing
    from autocomplete.lab.contenders import Kind

__all__ = ["CurvesChart", "ranked"]

_COLORS: dict[Kind, str] = {  # each curve is drawn with the first letter of its kind
    "n-gram": "white",
    "window": "red",
    "convolution": "yellow",
    "rnn": "green",
    "gru": "cyan",
    "lstm": "magenta",
}
_HEADING = "bits/char by seconds of training; where curves meet, their letters take turns"
_AROUND = 2  # lines that are for no curve: the heading, and the time
_WIDEST = 100  # cells
_FIGURE, _FIGURES = 5, 4  # cells of a figure left of the curves, and how many there are


def ranked(standings: Sequence[Standing]) -> list[Standing]:
    """Return the standings, the fewest bits first; those that are not measured, or diverged, last."""
    return sorted(standings, key=lambda standing: math.inf if math.isnan(standing.bits) else standing.bits)


class CurvesChart:
    """
    The curves of the best of each kind: bits per held-out character against the seconds of training, each drawn with a letter.

    :param height: in lines.
    """

    def __init__(self, standings: Sequence[Standing], height: int = 16) -> None:
        measured = [standing for standing in standings if standing.curve and math.isfinite(standing.curve[-1][1])]
        best = {standing.contender.kind: standing for standing in reversed(ranked(measured))}
        self._curves = sorted(best.values(), key=lambda standing: -standing.curve[-1][1])  # from the top down
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._curves:
            yield from [Text()] * self._height
            return
        names = [Text.assemble(" ", _letter(each), " ", each.contender.name.partition(" ")[0]) for each in self._curves]
        columns = max(2, min(options.max_width, _WIDEST) - _FIGURE - 2 - max(name.cell_len for name in names))
        height = self._height - _AROUND
        seconds = max(standing.seconds for standing in self._curves)
        bits = np.stack([_along(standing, seconds, columns) for standing in self._curves])  # (curves, columns)
        every = [point for standing in self._curves for _, point in _measured(standing)]
        lowest, highest = min(every), max(every)
        share = (highest - bits) / max(highest - lowest, 1e-9)
        rows = np.nan_to_num(share * (height - 1), nan=-1).round().astype(np.int64)
        cells, ends = _cells(rows), _apart(rows[:, -1].tolist(), height)
        told = {round(place * (height - 1) / (_FIGURES - 1)) for place in range(_FIGURES)}
        yield Text(_HEADING, "dim", no_wrap=True, overflow="ellipsis")
        for row in range(height):
            figure = f"{highest - row / (height - 1) * (highest - lowest):.2f}" if row in told else ""
            line = Text(no_wrap=True, overflow="crop").append(f"{figure:>{_FIGURE}} │", "dim")
            for column in range(columns):
                curves = cells.get((row, column))
                line.append_text(_letter(self._curves[curves[column % len(curves)]]) if curves else Text(" "))
            if row in ends:
                line.append_text(names[ends.index(row)])
            yield line
        ends_at = f" {seconds:.1f} s"
        axis = f"{'':{_FIGURE}} └ 0 s ".ljust(_FIGURE + 2 + columns - len(ends_at), "─")
        yield Text(axis + ends_at, "dim", no_wrap=True)


def _letter(standing: Standing) -> Text:
    kind = standing.contender.kind
    return Text(kind[0], f"bold {_COLORS[kind]}")


def _measured(standing: Standing) -> list[tuple[float, float]]:
    return [point for point in standing.curve if math.isfinite(point[1])]


def _along(standing: Standing, seconds: float, columns: int) -> NDArray[np.float64]:
    """Return (columns,) the bits at as many times: not a number before the first measurement, the last figure after the end."""
    times, bits = zip(*_measured(standing), strict=True)
    along: NDArray[np.float64] = np.interp(np.linspace(0, seconds, columns), times, bits, left=math.nan)
    return along


def _cells(rows: NDArray[np.int64]) -> Mapping[tuple[int, int], list[int]]:
    """
    Return which curves go through each cell, by its row and column: a steep one through all rows on its way.

    :param rows: (curves, columns) where each is; -1 where it is not.
    """
    cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for curve, path in enumerate(rows.tolist()):
        for column, row in enumerate(path):
            if row < 0:
                continue
            before = path[column - 1] if column and path[column - 1] >= 0 else row
            for passed in range(min(row, before + 1), max(row, before - 1) + 1):
                cells[passed, column].append(curve)
    return cells


def _apart(rows: Sequence[int], height: int) -> list[int]:
    """Return rows of their own for as many names, each as near to its own as those above it and the height allow."""
    placed: list[int] = []
    for row in rows:
        placed.append(max(row, placed[-1] + 1 if placed else 0))
    return [min(row, height - len(placed) + place) for place, row in enumerate(placed)]
