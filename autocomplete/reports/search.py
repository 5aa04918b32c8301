"""
A sweep, drawn: its trials while it runs, and the ranking at its end.

On a terminal there is a table of the trials, those that may still win on top, and a bar. Into a pipe goes a plain line whenever
a trial has been trained or has ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.reports.progress import LiveDisplay, and_more, held_out_text
from autocomplete.reports.tables import plain_table
from autocomplete.training.events import SweepEvent, SweepFinished, SweepProgress, SweepStarted, Trial

__all__ = ["SweepDisplay", "ranking"]

_AROUND = 6  # lines of a screen that are not for trials
_FEW = 50  # steps, over which the loss of a training is averaged; fewer say little about thousands
_FEW_TOLD = "Some were judged after fewer than {} steps, which tells little: give more --minutes or --steps, or a lower --search."
_ORDER = ["running", "waiting", "done", "stopped", "pruned", "failed", "too slow"]
_STYLES = {"running": "bold", "pruned": "dim", "failed": "red", "too slow": "dim"}


class SweepDisplay(LiveDisplay):
    """Shows events as they come."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "searching", 4)
        self._trials: dict[int, Trial] = {}
        self._rounds: tuple[int, ...] = ()

    def show(self, event: SweepEvent) -> None:
        """Show one event."""
        if isinstance(event, SweepStarted):
            self._print_heading(_describe(event))
            self._rounds = event.rounds
            for trial in event.trials:
                self._change(trial)
        elif isinstance(event, Trial):
            self._change(event)
        elif isinstance(event, SweepProgress):
            self._advance(event.progress, event.seconds_left)

    def _change(self, trial: Trial) -> None:
        former = self._trials.get(trial.number)
        self._trials[trial.number] = trial
        changed = former is None or former.state != trial.state
        if changed and (trial.ended or trial.round) and trial.state != "running":
            self._print_in_pipe(self._line(trial))

    def _line(self, trial: Trial) -> str:
        bits = "" if trial.bits is None else f"; {trial.bits:.3f} bits/char after {trial.steps:,} steps"
        problem = f"; {trial.problem}" if trial.problem else ""
        return (
            f"trial {trial.number} {self._state(trial)}: {_network(trial)}, dropout {trial.dropout:g}, "
            f"learning rate {trial.learning_rate:g}, {_milliseconds(trial.answer_seconds)} an answer{bits}{problem}"
        )

    def _state(self, trial: Trial) -> str:
        """Return how a trial stands, and in which round."""
        if trial.state in ("running", "waiting", "pruned") and trial.round:
            return f"{trial.state.replace('waiting', 'round')} {trial.round} of {len(self._rounds)}"
        return trial.state

    def __rich__(self) -> RenderableType:
        """Return what a terminal shows now."""
        trials = sorted(self._trials.values(), key=lambda trial: (_ORDER.index(trial.state), _bits(trial)))
        room = max(1, self._console.height - _AROUND)
        return Group(_table(trials[:room], self._state), *and_more(len(trials) - room), self._bar)


def ranking(finished: SweepFinished) -> RenderableType:
    """Return the trials that were measured, the best first, and how much that is worth where they were hardly trained."""
    table = _table(finished.ranking, lambda trial: f"{trial.state}, round {trial.round}")
    table.title = "Settings by what they reached"
    lines = [Text(_FEW_TOLD.format(_FEW))] if any(trial.steps < _FEW for trial in finished.ranking) else []
    return Group(table, *lines, Text())


def _table(trials: Iterable[Trial], state: Callable[[Trial], str]) -> Table:
    numbers = (">dropout", ">rate", ">parameters", ">answer", ">bits/char", ">steps")
    table = plain_table(">", "network", *numbers, "", gap=1)
    table.columns[0].no_wrap = False  # it gives way first where there is little room
    for trial in trials:
        table.add_row(
            str(trial.number),
            _network(trial),
            f"{trial.dropout:g}",
            f"{trial.learning_rate:g}",
            f"{trial.parameters:,}",
            _milliseconds(trial.answer_seconds),
            "" if trial.bits is None else f"{trial.bits:.3f}",
            f"{trial.steps:,}" if trial.steps else "",
            state(trial),
            style=_STYLES.get(trial.state, ""),
        )
    return table


def _network(trial: Trial) -> str:
    return f"{trial.layers} x {trial.hidden} {trial.cell.upper()}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _bits(trial: Trial) -> float:
    return math.inf if trial.bits is None else trial.bits


def _describe(started: SweepStarted) -> list[str]:
    settings = started.settings
    steps = [] if settings.steps is None else [f"{settings.steps:,} steps"]
    minutes = [] if settings.minutes is None else [f"{settings.minutes:g} min"]
    limit = _milliseconds(started.answer_limit)
    return [
        started.corpus.describe(),
        f"{' and then '.join(map(str, started.rounds))} settings in {' or '.join(steps + minutes)}, on {started.device} in "
        f"{started.precision}; {held_out_text(started)}; at most {limit} of an answer for the network",
    ]
