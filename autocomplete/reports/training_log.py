"""
A training, or a search for settings, written down as JSON lines: its start, each validation or trial, and its end.

The file is made with the first event, so that a run that is refused leaves none behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from autocomplete.corpus.corpus import Corpus
from autocomplete.errors import SettingsError
from autocomplete.reports.output import refuse_unwritable
from autocomplete.training.events import Finished, Started, SweepFinished, SweepStarted, Trial, Validated

__all__ = ["SweepLog", "TrainingLog"]


class TrainingLog:
    """
    Appends all that an event says to a file, one JSON object a line; a context manager, so that an error is told as the end.

    :param resume: go on with a file that is there.
    :raises SettingsError: for a file that cannot be written, or exists.
    """

    kinds: ClassVar[Mapping[type, str]] = {Started: "start", Validated: "validation", Finished: "end"}

    def __init__(self, path: Path, *, resume: bool) -> None:
        refuse_unwritable(path, "--log")
        if path.exists() and not resume:
            raise SettingsError(f"{path}: this file exists; give another name to --log")
        self._path, self._started = path, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._started:
            self._write({"event": "end", "reason": "error", "problem": str(error) or type(error).__name__})

    def show(self, event: object) -> None:
        """Write one event; not those of single steps."""
        if kind := self.kinds.get(type(event)):
            self._write({"event": kind} | vars(event))
            self._started = True

    def _write(self, values: dict[str, Any]) -> None:
        line = json.dumps(values, default=_plain, ensure_ascii=False)
        try:
            with self._path.open("a", encoding="utf-8") as file:  # closed each time: a reader finds whole lines
                file.write(line + "\n")
        except OSError as error:
            self._started = False  # the end cannot be told there, either
            raise SettingsError(f"{self._path}: cannot be written ({error.strerror}); give another --log") from None


class SweepLog(TrainingLog):
    """The log of a search: its start, each trial once it has ended, and its end."""

    kinds: ClassVar[Mapping[type, str]] = {SweepStarted: "start", Trial: "trial", SweepFinished: "end"}

    def show(self, event: object) -> None:
        """Write one event; of a trial, the last only."""
        if not isinstance(event, Trial) or event.ended:
            super().show(event)


def _plain(value: Any) -> Any:
    """Return what is told of a value that JSON does not have: a corpus, settings or sizes, a folder."""
    if isinstance(value, Corpus):
        return value.to_json()
    return str(value) if isinstance(value, Path) else asdict(value)
