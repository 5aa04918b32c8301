"""
A comparison of models: how all stand while it runs, and at its end a table, a sentence on who beat whom, and all of it as JSON.

A key costs each model one step of the same kind, timed alike (`inference/speed.py`): in numpy, one state, BLAS on one thread,
from the key that is read to a probability for every next character.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.inference.speed import key_seconds
from autocomplete.models.character_ngrams import CharacterNgrams
from autocomplete.models.convolution import CausalConvolution
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.window import FeedForwardWindow
from autocomplete.reports.comparison_chart import CurvesChart, ranked
from autocomplete.reports.live_display import LiveDisplay
from autocomplete.reports.training import duration

if TYPE_CHECKING:
    from autocomplete.lab.comparison import Standing, Standings
    from autocomplete.lab.contenders import Contender
    from autocomplete.lab.learners import Weights
    from autocomplete.lab.material import Material

__all__ = ["ComparisonDisplay", "comparison_json", "comparison_report", "comparison_table", "time_key", "verdict"]

_CHART, _AROUND = 12, 4  # lines of the curves while it runs; lines of a screen that are for neither them nor models


def time_key(contender: Contender, numbers: Weights | CharacterNgrams, symbols: NDArray[np.integer[Any]]) -> float:
    """
    Return the seconds that a model takes of one key.

    :param numbers: what it has learned: weights by the names that torch gives them, or n-grams.
    :param symbols: (n,) that are typed.
    """
    model: CharacterLanguageModel
    if isinstance(numbers, CharacterNgrams):
        model = numbers
    elif contender.kind == "window":
        model = FeedForwardWindow(numbers)
    elif contender.kind == "convolution":
        model = CausalConvolution(numbers)
    else:
        model = RecurrentNetwork(contender.configuration(len(numbers["decoder.bias"])), numbers)
    return key_seconds(model, symbols)


def comparison_table(standings: Sequence[Standing], word: str = "") -> Table:
    """
    Return a line for each, the best first.

    :param word: whose bits there is a column for, if they were measured.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("model", no_wrap=True)
    headings = [Text(heading) for heading in ("bits/char", "top 1", "top 3", "parameters", "char/s", "key")]
    for heading in headings + ([Text(word)] if word else []):
        table.add_column(heading, justify="right", no_wrap=True)
    for place, standing in enumerate(ranked(standings)):
        word_bits = [] if not word else [_number(standing.word_bits, 2)]
        best = place == 0 and standing.figures is not None
        table.add_row(standing.contender.name, *_cells(standing), *word_bits, style="bold" if best else "")
    return table


def _cells(standing: Standing) -> list[str]:
    figures = standing.figures
    if figures is None:
        return [""] * 6
    return [
        _bits(standing),
        f"{100 * figures.top_1:.1f} %",
        f"{100 * figures.top_3:.1f} %",
        f"{standing.parameters:,}",
        _thousands(standing.speed),
        f"{1e6 * standing.key_seconds:,.0f} µs",
    ]


def verdict(standings: Sequence[Standing]) -> str:
    """
    Return one sentence: whether LSTM and GRU beat the tanh RNN, and whether that beat the feed-forward window.

    The best of each kind stands for it. Nothing where one of these kinds is not measured.
    """
    best = {
        standing.contender.kind: standing for standing in reversed(ranked(standings)) if standing.figures is not None
    }
    if not {"rnn", "gru", "lstm", "window"} <= best.keys():
        return ""
    rnn, window = best["rnn"], best["window"]
    gated = {"LSTM": best["lstm"], "GRU": best["gru"]}
    told = {name: f"{name} ({_bits(standing)})" for name, standing in gated.items()}
    ahead = [told[name] for name, standing in gated.items() if _beats(standing, rnn)]
    behind = [told[name] for name in gated if told[name] not in ahead]
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
        "accuracy_top_1": math.nan if figures is None else figures.top_1,
        "accuracy_top_3": math.nan if figures is None else figures.top_3,
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


def _number(value: float | None, digits: int) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _thousands(value: float) -> str:
    return f"{value:,.0f}" if value < 10_000 else f"{value / 1000:,.0f} k"


class ComparisonDisplay(LiveDisplay):
    """
    Shows how all stand as it comes; a context manager, so that the terminal is left clean. What it shows now can be printed, too.

    :param console: on standard error.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console, "comparing", 4)
        self._each: tuple[Standing, ...] = ()
        self._told = 0

    def show(self, standings: Standings) -> None:
        """Show how all stand now."""
        self._each = standings.each
        left = f"{duration(standings.seconds_left)} left"
        self._bar.update(self._task, completed=standings.progress, left=left)
        if not self._console.is_terminal and standings.round > self._told:
            self._told = standings.round
            best = ranked(standings.each)[0]
            line = f"round {standings.round}: best so far {best.contender.name}, {best.bits:.3f} bits/char; {left}"
            self._console.print(Text(line), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        """Return what a terminal shows now."""
        room = self._console.height - _AROUND
        shown = ranked(self._each)[: max(1, room)]
        rest = [Text(f"and {len(self._each) - len(shown)} more", "dim")] if len(shown) < len(self._each) else []
        chart = [CurvesChart(self._each, _CHART)] if room >= len(shown) + _CHART else []
        return Group(*chart, comparison_table(shown), *rest, self._bar)


def comparison_report(standings: Standings, material: Material) -> RenderableType:
    """Return the table, the curves, and who beat whom."""
    unit = "words" if material.unit == "words" else "text"
    learned, held_out = len(material.learned) - 1, len(material.held_out) - 1
    about = f"{learned:,} characters of {unit} to learn, {held_out:,} held out; equal time for all"
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
