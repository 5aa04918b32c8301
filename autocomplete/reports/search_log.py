"""A sweep, written down as JSON lines: its start, each trial once it has ended, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from autocomplete.reports.training_log import TrainingLog
from autocomplete.training.events import SweepFinished, SweepStarted, Trial

__all__ = ["SweepLog"]


class SweepLog(TrainingLog):
    """As the log of a training, of the events of a sweep."""

    kinds: ClassVar[Mapping[type, str]] = {SweepStarted: "start", Trial: "trial", SweepFinished: "end"}

    def show(self, event: object) -> None:
        """Write one event; of a trial, the last only."""
        if not isinstance(event, Trial) or event.ended:
            super().show(event)
