"""A training or a sweep as JSON lines: its start, each validation or trial that has ended, and its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from autocomplete.corpus.corpus import Corpus
from autocomplete.errors import SettingsError
from autocomplete.reports.output import refuse_unwritable, unwritable
from autocomplete.training.events import Finished, Started, SweepFinished, SweepStarted, Trial, Validated

__all__ = ["SweepLog", "TrainingLog"]


class TrainingLog:
    """
    Appends all that an event says to a file, one JSON object a line; a context manager, which writes an error as the end.

    The file is made with the first event, so that a run that is refused leaves none behind.

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

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
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
            self._started = False  # the end cannot be written there, either
            raise unwritable(self._path, error, "another --log") from None


class SweepLog(TrainingLog):
    """As the log of a training, of the events of a sweep."""

    kinds: ClassVar[Mapping[type, str]] = {SweepStarted: "start", Trial: "trial", SweepFinished: "end"}

    def show(self, event: object) -> None:
        """Write one event; of a trial, the last only."""
        if not isinstance(event, Trial) or event.ended:
            super().show(event)


def _plain(value: Any) -> Any:
    """Return as JSON what has no form there: a corpus, settings or sizes, a folder."""
    if isinstance(value, Corpus):
        return value.to_json()
    return str(value) if isinstance(value, Path) else asdict(value)
