"""An evaluation, drawn for a terminal, a pipe or a picture: bars, tables and two charts of the first suggestion."""

from __future__ import annotations

import math

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from autocomplete.evaluation.evaluate import Evaluation
from autocomplete.reports.tables import empty_chart, plain_table

__all__ = ["evaluation_report"]

_BAR = 40  # characters of a bar for 100 %
_TICKS = (0, 0.25, 0.5, 0.75, 1)


def evaluation_report(evaluation: Evaluation, title: str) -> RenderableType:
    """Return everything that was measured, below a title that says what was evaluated, and on what."""
    size = (
        f"{evaluation.phrases:,} phrases, {evaluation.words:,} words, {evaluation.characters:,} characters; "
        f"words were asked for before each key, {evaluation.queries:,} times"
    )
    parts = (_figures(evaluation), _savings(evaluation), _ranks(evaluation), _first(evaluation), _Charts(evaluation))
    spaced = [each for part in parts for each in (Text(), part)]
    return Group(Text(title, style="bold"), Text(size, style="dim"), *spaced)


def _figures(evaluation: Evaluation) -> Table:
    table = plain_table("", ">")
    table.show_header = False
    for label, figure in [
        ("bits per character", _number(evaluation.bits_per_character)),
        ("next letter right", _percent(evaluation.accuracy_top_1)),
        ("among the best three", _percent(evaluation.accuracy_top_3)),
        ("time of an answer, median", f"{evaluation.median_milliseconds:.2f} ms"),
        ("99 % are faster than", f"{evaluation.slow_milliseconds:.2f} ms"),
        ("answers proved", _percent(evaluation.exact)),
        ("calibration error", _number(evaluation.calibration_error)),
    ]:
        table.add_row(label, figure)
    return table


def _savings(evaluation: Evaluation) -> Table:
    table = plain_table(">words read", ">keys saved", title="Keystroke savings")
    table.add_column()
    for suggestions, share in evaluation.savings.items():
        table.add_row(str(suggestions), _percent(share), Text("━" * round(_BAR * share), style="green"))
    return table


def _ranks(evaluation: Evaluation) -> Table:
    letters = (f">{typed}" for typed in range(len(evaluation.reciprocal_ranks)))
    table = plain_table(">letters", *letters, title="Mean reciprocal rank of the word meant, by letters typed")
    table.add_row("1 / rank", *(_number(mean) for _, mean in evaluation.reciprocal_ranks))
    table.add_row("words", *(f"{words:,}" for words, _ in evaluation.reciprocal_ranks), style="dim")
    return table


def _first(evaluation: Evaluation) -> Table:
    ghost = evaluation.ghost
    title = "The first suggestion, shown only if it is probable enough"
    table = plain_table(">probability from", ">right", ">shown", title=title)
    table.add_column()  # which may wrap
    at = {each.threshold: each for each in (*evaluation.first, ghost)}
    for threshold, each in sorted(at.items()):
        note = "ghost text of the prompt" if threshold == ghost.threshold else ""
        table.add_row(
            f"{threshold:g}", _percent(each.precision), _percent(each.coverage), note, style="bold" if note else ""
        )
    return table


class _Charts:
    """How often a first suggestion of some probability is right, and how often those shown are, by the share that is shown."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bins = [each for each in self._evaluation.calibration if each.count]
        shown = [each for each in self._evaluation.first if not math.isnan(each.precision)]
        if not bins:
            return
        plotext = empty_chart(options.max_width, 16)
        plotext.subplots(1, 2)
        left, right = plotext.subplot(1, 1), plotext.subplot(1, 2)
        left.title("right, by probability")
        left.plot([0, 1], [0, 1], marker="braille")
        left.scatter([each.probability for each in bins], [each.accuracy for each in bins], marker="dot")
        right.title("right, by share shown")
        right.scatter([each.coverage for each in shown], [each.precision for each in shown], marker="dot")
        for chart in (left, right):
            chart.xlim(0, 1)
            chart.ylim(0, 1)
            chart.xticks(_TICKS)
            chart.yticks(_TICKS)
        yield Text.from_ansi(plotext.build())


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}" if math.isfinite(value) else "∞"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"
