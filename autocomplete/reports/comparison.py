"""
A comparison of models, drawn: how all stand while it runs, what was found out at its end, and all of it as JSON.

On a terminal there is a table, the curves where there is room for them, and a bar. Into a pipe goes a plain line for each round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.reports.comparison_chart import CurvesChart, ranked
from autocomplete.reports.progress import LiveDisplay, and_more
from autocomplete.reports.tables import plain_table

if TYPE_CHECKING:
    from autocomplete.lab.comparison import Standing, Standings
    from autocomplete.lab.material import Material

__all__ = ["ComparisonDisplay", "comparison_json", "comparison_report", "comparison_table", "verdict"]

_CHART, _AROUND = 12, 4  # lines of the curves while it runs; lines of a screen that are for neither them nor models


class ComparisonDisplay(LiveDisplay):
    """Shows how all stand as it comes."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "comparing", 4)
        self._each: tuple[Standing, ...] = ()
        self._told = 0

    def show(self, standings: Standings) -> None:
        """Show how all stand now."""
        self._each = standings.each
        left = self._advance(standings.progress, standings.seconds_left)
        if standings.round > self._told:
            self._told = standings.round
            best = ranked(standings.each)[0]
            line = f"round {standings.round}: best so far {best.contender.name}, {best.bits:.3f} bits/char; {left}"
            self._print_in_pipe(line)

    def __rich__(self) -> RenderableType:
        """Return what a terminal shows now."""
        room = self._console.height - _AROUND
        shown = ranked(self._each)[: max(1, room)]
        chart = [CurvesChart(self._each, _CHART)] if room >= len(shown) + _CHART else []
        return Group(*chart, comparison_table(shown), *and_more(len(self._each) - len(shown)), self._bar)


def comparison_report(standings: Standings, material: Material) -> RenderableType:
    """Return the table, the curves, and who beat whom."""
    learned, held_out = len(material.learned) - 1, len(material.held_out) - 1
    about = f"{learned:,} characters of {material.unit} to learn, {held_out:,} held out; equal time for all"
    left = ["stopped early: measured after as many rounds as there were"] if standings.reason == "interrupted" else []
    return Group(
        Text(about, "dim"),
        *(Text(line, "yellow") for line in left),
        Text(),
        comparison_table(standings.each),
        Text(),
        CurvesChart(standings.each),
        Text(),
        Text(verdict(standings.each), "bold"),
    )


def comparison_table(standings: Sequence[Standing], word: str = "") -> Table:
    """
    Return a line for each, the best first.

    :param word: whose bits there is a column for, if they were measured.
    """
    headings = (">bits/char", ">top 1", ">top 3", ">parameters", ">char/s", ">key")
    table = plain_table("model", *headings, *([f">{word}"] if word else []), gap=1, pad_edge=False)
    for place, standing in enumerate(ranked(standings)):
        bits = "" if standing.word_bits is None or math.isnan(standing.word_bits) else f"{standing.word_bits:.2f}"
        best = place == 0 and standing.figures is not None
        cells = [*_cells(standing), *([bits] if word else [])]
        table.add_row(standing.contender.name, *cells, style="bold" if best else "")
    return table


def _cells(standing: Standing) -> list[str]:
    figures, speed = standing.figures, standing.speed
    if figures is None:
        return [""] * 6
    return [
        _bits(standing),
        f"{100 * figures.top_1:.1f} %",
        f"{100 * figures.top_3:.1f} %",
        f"{standing.parameters:,}",
        f"{speed:,.0f}" if speed < 10_000 else f"{speed / 1000:,.0f} k",
        f"{1e6 * standing.key_seconds:,.0f} µs",
    ]


def verdict(standings: Sequence[Standing]) -> str:
    """
    Return one sentence: whether LSTM and GRU beat the tanh RNN, and whether that beat the feed-forward window.

    The best of each kind stands for it. Nothing where one of these kinds is not measured.
    """
    best = {each.contender.kind: each for each in reversed(ranked(standings)) if each.figures is not None}
    if not {"rnn", "gru", "lstm", "window"} <= best.keys():
        return ""
    rnn, window = best["rnn"], best["window"]
    gated = {f"{kind.upper()} ({_bits(best[kind])})": _beats(best[kind], rnn) for kind in ("lstm", "gru")}
    ahead = [name for name, beats in gated.items() if beats]
    behind = [name for name, beats in gated.items() if not beats]
    tanh = f"the tanh RNN ({_bits(rnn)})"
    if not ahead:
        first = f"{' and '.join(behind)} did not beat {tanh}"
    else:
        first = f"{' and '.join(ahead)} beat {tanh}" + (f", {behind[0]} did not" if behind else "")
    second = "beat" if _beats(rnn, window) else "did not beat"
    return f"{first}; the RNN {second} the feed-forward window ({_bits(window)})."


def _beats(one: Standing, other: Standing) -> bool:
    """Return whether one needs fewer bits than the other, as they are shown."""
    return round(one.bits, 3) < round(other.bits, 3) or (math.isnan(other.bits) and not math.isnan(one.bits))


def comparison_json(standings: Standings, material: Material, minutes: float) -> dict[str, Any]:
    """Return everything that was found out; what is not a number becomes null."""
    return {
        "unit": material.unit,
        "learned": len(material.learned) - 1,
        "held_out": len(material.held_out) - 1,
        "vocabulary": len(material.vocabulary),
        "minutes": minutes,
        "reason": standings.reason,
        "models": [_json(standing) for standing in ranked(standings.each)],
        "verdict": verdict(standings.each),
    }


def _json(standing: Standing) -> dict[str, Any]:
    contender, figures = standing.contender, standing.figures
    found = {
        "bits_per_character": standing.bits,
        "accuracy_top_1": figures.top_1 if figures else math.nan,
        "accuracy_top_3": figures.top_3 if figures else math.nan,
        "seconds": standing.seconds,
        "characters_per_second": standing.speed,
        "key_microseconds": 1e6 * standing.key_seconds,
    }
    return {
        "name": contender.name,
        "kind": contender.kind,
        "layers": contender.layers,
        "hidden": contender.hidden,
        "parameters": standing.parameters,
        "characters": standing.characters,
        **{name: round(value, 6) if math.isfinite(value) else None for name, value in found.items()},
        "curve": [[round(seconds, 3), round(bits, 6)] for seconds, bits in standing.curve if math.isfinite(bits)],
    }


def _bits(standing: Standing) -> str:
    return "diverged" if math.isnan(standing.bits) else f"{standing.bits:.3f}"
