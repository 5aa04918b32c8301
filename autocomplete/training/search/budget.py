"""
How the time and the steps of a search are shared out to its runs.

Successive halving (Jamieson and Talwalkar, 2016): each round gets an equal part, so the fewer trials it has, the longer each is
trained. The last round, of a single trial, gets as much as all before it.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

from autocomplete.errors import SettingsError
from autocomplete.training.settings import TrainingSettings

__all__ = ["Budget", "passing", "rounds"]

_PASS = 3  # one in so many trials passes a round
_SEARCH = 0.5  # share of the whole that the rounds before the last have
_WORTH = 2.0  # a run must have this many times as long as it takes to begin, or what is compared is hardly trained


def passing(trials: int) -> int:
    """Return how many of the trials of a round pass it."""
    return max(1, trials // _PASS)


def rounds(trials: int) -> tuple[int, ...]:
    """Return the number of trials in each round; the first has so many."""
    return (trials,) if trials == 1 else (trials, *rounds(passing(trials)))


class Budget:
    """
    What is left of the time and the steps of a search that begins now.

    :param settings: its `steps` and `minutes`, one of which at least is given, are those of the whole search.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._settings, self._began = settings, time.monotonic()
        self.steps = 0  # taken so far
        self.beginning = 0.0  # seconds that a run takes before its first step

    def share(self, trials: int) -> TrainingSettings:
        """Return the settings of each run of the next round, which has so many trials."""
        steps, seconds, _ = self._next_run(trials)
        return replace(
            self._settings,
            steps=None if steps is None else max(1, int(steps)),
            minutes=None if seconds is None else float(f"{max(seconds - self.beginning, self.beginning) / 60:.3g}"),
            word_hidden=self._settings.word_hidden if trials == 1 else 0,
        )

    def refuse_too_little(self, trials: int) -> None:
        """Raise SettingsError where the runs of a first round with so many trials would hardly begin."""
        steps, seconds, runs = self._next_run(trials)
        if steps is not None and steps < 1:
            least = math.ceil(runs)
            raise SettingsError(f"--search {trials} needs at least --steps {least}, a step for each run; give more")
        if seconds is not None and seconds < _WORTH * self.beginning:
            minutes = (_WORTH * self.beginning * runs + time.monotonic() - self._began) / 60
            raise SettingsError(
                f"a run takes {self.beginning:.1f} s to begin, and --search {trials} leaves each of the first "
                f"{max(0.0, seconds):.1f} s; give --minutes {math.ceil(10 * minutes + 1) / 10} or more, or a lower --search"
            )

    def progress(self) -> tuple[float, float]:
        """Return how much of the search is over, from 0 to 1, and the seconds left."""
        elapsed = time.monotonic() - self._began
        progress = self._settings.progress(self.steps, elapsed)
        return progress, elapsed * (1 - progress) / progress

    def _next_run(self, trials: int) -> tuple[float | None, float | None, float]:
        """Return the steps and the seconds of each run of the next round, and how many runs as long as it the whole would be."""
        later = len(rounds(trials)) - 1
        part, runs = (_SEARCH, trials * later) if later else (1.0, 1)  # the part that ends with the last round but one
        steps, minutes, elapsed = self._settings.steps, self._settings.minutes, time.monotonic() - self._began
        return (
            None if steps is None else (part * steps - self.steps) / runs,
            None if minutes is None else (part * 60 * minutes - elapsed) / runs,
            runs / part,
        )
