"""
A comparison, drawn: how all stand while it runs, and what was found out at its end.

On a terminal there is a table, the curves where there is room for them, and a bar. Into a pipe goes a plain line for each round.
"""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.text import Text

from autocomplete.lab.comparison import Standing, Standings
from autocomplete.lab.material import Material
from autocomplete.reports.comparison import comparison_table, ranked, verdict
from autocomplete.reports.comparison_chart import CurvesChart
from autocomplete.reports.live_display import LiveDisplay
from autocomplete.reports.training import duration

__all__ = ["ComparisonDisplay", "comparison_report"]

_CHART, _AROUND = 12, 4  # lines of the curves while it runs; lines of a screen that are for neither them nor models


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
