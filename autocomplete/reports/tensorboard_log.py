"""
A training, written down for TensorBoard: the figures and samples of each validation.

By tensorboardX, an optional dependency, which writes event files and nothing else: 3 MB where tensorboard itself brings 60.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Self

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event as Record
from tensorboardX.summary import scalar, text

from autocomplete.errors import SettingsError
from autocomplete.reports.output import unwritable
from autocomplete.training.events import Event, Started, Validated

__all__ = ["TensorBoardLog"]


class TensorBoardLog:
    """
    Writes one event file; a context manager, so that it is closed.

    :param folder: made with the first event where there is none.
    :param resume: write beside the event files that are there.
    :raises SettingsError: for a folder that cannot be written, or has the event files of another run.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        if any(folder.glob("events.*")) and not resume:
            raise SettingsError(f"{folder}: this folder has the events of another run; give another to --tensorboard")
        self._folder = folder
        self._writer: EventsWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def show(self, event: Event) -> None:
        """Write one event, if it is a validation."""
        try:
            if isinstance(event, Started):
                self._folder.mkdir(parents=True, exist_ok=True)
                # Not its SummaryWriter: that writes in a thread, and where the disk is full waits for it for ever.
                self._writer = EventsWriter(str(self._folder / "events"), f".{os.getpid()}")
            elif isinstance(event, Validated):
                self._write(event)
        except OSError as error:
            self._writer = None  # nor can it be closed
            raise unwritable(self._folder, error, "another folder to --tensorboard") from None

    def _write(self, validated: Validated) -> None:
        assert self._writer is not None
        for summary in [
            scalar("bits_per_character/training", validated.training_bits),
            scalar("bits_per_character/held_out", validated.held_out_bits),
            scalar("learning_rate", validated.learning_rate),
            scalar("gradient_norm", validated.gradient_norm),
            scalar("characters_per_second", validated.characters_per_second),
            text("samples", ", ".join(validated.samples)),
        ]:
            self._writer.write_event(Record(wall_time=time.time(), step=validated.step, summary=summary))
        self._writer.flush()
