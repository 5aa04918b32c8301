"""
A run and the folder that it is kept in.

At any moment the folder is a whole checkpoint, or what a run goes on with, or both; a run that was killed goes on from what it
saved last, takes the same steps again, and ends with the same network as if it had never stopped. For that, what is saved
depends on nothing that may have been written after it: the best network so far is part of it. It is written before the
checkpoint that everyone reads, and with a run's first checkpoint in one step.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.running_text import RunningText
from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.corpus.word_vectors import WordVectors
from autocomplete.errors import AutocompleteError, CheckpointError
from autocomplete.storage.atomic import clear_leftovers
from autocomplete.storage.checkpoint import (
    CONTEXT,
    MODEL,
    RESUME,
    Checkpoint,
    context_bytes,
    update_checkpoint,
    write_checkpoint,
    write_context,
    write_resume,
)
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.lessons import Lesson
from autocomplete.training.origin import Origin
from autocomplete.training.processes import Processes
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.snapshot import Snapshot
from autocomplete.training.words.context import Context

__all__ = ["Run", "RunState", "input_hashes", "read_run", "saved_origin", "saved_words"]


@dataclass
class RunState:
    """
    All that changes in a run beside the network, its optimizer and the data.

    :param seconds: of all processes that the run had so far.
    :param next_validation: the progress at which the network is measured next; infinite when the run is over.
    :param curve: (step, training bits, held-out bits per character) of each validation.
    :param best: the weights of the best network so far, in fp16, by name.
    """

    steps: int = 0
    seconds: float = 0.0
    characters: float = 0.0
    training_bits: float = 0.0
    gradient_norm: float = 0.0
    learning_rate: float = 0.0
    first_bits: float = math.inf
    steps_climbed: int = 0
    best_bits: float = math.inf
    validations_since_best: int = 0
    next_validation: float = field(default_factory=lambda: 1 / TrainingSettings.validations)
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def copy(self) -> Self:
        """Return a state that changes by itself."""
        return replace(self, curve=list(self.curve))


@dataclass
class Run:
    """
    A run, and where it is kept.

    :param hashes: of what a resumed run has to be given again, as `input_hashes` gives them.
    :param processes: that train together; the first of them writes.
    :param save_every: seconds from one save to the next, at most; one step may take longer.
    :param overwrite: whether what is in the folder may be replaced.
    :param origin: what the run took over from another checkpoint.
    """

    folder: Path
    corpus: Corpus
    settings: TrainingSettings
    hashes: dict[str, str]
    lesson: Lesson
    model: CharRNN
    optimizer: torch.optim.Optimizer
    generator: np.random.Generator
    processes: Processes
    save_every: float
    overwrite: bool
    state: RunState = field(default_factory=RunState)
    context: Context | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        self.on_disk = False  # a checkpoint of this run
        self._saved = False
        self._began = self._saved_at = time.monotonic()

    def go_on(self, saved: Snapshot) -> None:
        """
        Put everything back where it was when it was saved; raise CheckpointError where that belongs to another network.

        :param saved: as `read_run` gives it.
        """
        try:
            self.state = RunState(**saved.facts["state"], best=saved.part("best"))
            self.lesson.load(saved.part("lesson"), self.model.device)
            saved.restore(self.model, self.optimizer, self.generator)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise _damaged(self.folder, error) from None
        self.overwrite = self._saved = True
        self.on_disk = bool(self.state.best)
        self._began = time.monotonic() - self.state.seconds

    def seconds(self) -> float:
        """Return how long the run has taken so far."""
        return time.monotonic() - self._began

    @property
    def progress(self) -> float:
        """How much of the run is over, from 0 to 1."""
        return self.settings.progress(self.state.steps, self.state.seconds)

    def save_if_due(self) -> None:
        """Save the run if the last time is long enough ago; raise CheckpointError where that fails."""
        if self.context is not None and self.context.word_process is not None:
            self.context.word_process.receive()  # it waits while it is not heard
        if any(self.processes.from_first(lambda: [time.monotonic() - self._saved_at >= self.save_every], 1)):
            self.save()

    def save(self) -> None:
        """Save all that the run needs to go on as if it had never stopped; raise CheckpointError where that fails."""
        snapshot = self._snapshot()
        if self.processes.first:
            with self._writing():
                write_resume(self.folder, snapshot.to_bytes(), overwrite=self.overwrite)

    def write_best(self, state: RunState) -> None:
        """
        Write the best network, so that it can be used; raise CheckpointError where that fails.

        :param state: that has it: that of the run, or a later one, which is not saved.
        """
        checkpoint = self._checkpoint(state, {"steps": state.steps})
        if self.on_disk:
            self.save()
            if self.processes.first:
                with self._writing():
                    update_checkpoint(self.folder, checkpoint)
            return
        snapshot = self._snapshot()
        self.on_disk = True
        if not self.processes.first:
            return
        files = {RESUME: snapshot.to_bytes()}
        if self.context is not None:
            files[CONTEXT] = context_bytes(*self.context.tensors())
        with self._writing():
            write_checkpoint(self.folder, checkpoint, self.lesson.lexicon(), overwrite=self.overwrite, others=files)

    def finish(self, state: RunState, figures: dict[str, Any], *, resumable: bool) -> None:
        """Write the best network with its figures; raise CheckpointError where that fails."""
        with self._writing():
            if self.context is not None:
                write_context(self.folder, *self.context.tensors())
            update_checkpoint(self.folder, self._checkpoint(state, figures))
        if not resumable:
            (self.folder / RESUME).unlink(missing_ok=True)

    def _checkpoint(self, state: RunState, figures: dict[str, Any]) -> Checkpoint:
        return Checkpoint(
            configuration=self.model.configuration,
            vocabulary=self.lesson.vocabulary,
            unit=self.lesson.unit,
            normalization=self.corpus.normalization,
            tensors={name: value.numpy() for name, value in state.best.items()},
            corpus=self.corpus.to_json(),
            training=self.settings.to_json(),
            figures=figures,
        )

    def _snapshot(self) -> Snapshot:
        numbers = {each.name: getattr(self.state, each.name) for each in fields(self.state) if each.name != "best"}
        numbers["seconds"] = self.seconds()
        facts = {"settings": self.settings.to_json(), "hashes": self.hashes, "state": numbers}
        parts = {"lesson": self.lesson.tensors(), "best": self.state.best}
        if self.origin is not None:
            facts["from"], parts["from"] = self.origin.facts(), self.origin.parts()
        process = None if self.context is None else self.context.word_process
        if process is not None and process.snapshot is not None:
            parts["words"] = {"file": torch.frombuffer(bytearray(process.snapshot), dtype=torch.uint8)}
        return Snapshot.take(self.model, self.optimizer, self.generator, facts, **parts)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Tell of what fails that the run can go on nevertheless; remember what does not fail."""
        try:
            yield
        except CheckpointError as error:
            go_on = "; what was saved before is whole, and --resume goes on with it" if self._saved else ""
            raise CheckpointError(f"{error}{go_on}") from None
        self.overwrite = self._saved = True
        self._saved_at = time.monotonic()


def input_hashes(
    corpus: Corpus,
    validation: RunningText | None,
    background: RunningText | None,
    taught: SoftTargets | None = None,
    vectors: WordVectors | None = None,
) -> dict[str, str]:
    """Return a hash of each thing that a resumed run has to be given again."""
    others = {"validation": validation, "background": background, "soft_targets": taught, "word_vectors": vectors}
    return {"corpus": corpus.sha256} | {name: _hash(other) for name, other in others.items()}


def read_run(folder: Path, corpus_name: str, hashes: dict[str, str]) -> tuple[TrainingSettings, Snapshot]:
    """
    Return the settings of the interrupted run in a folder, and what it goes on with.

    :param hashes: of what is given now.
    :raises CheckpointError: where there is none, it is damaged, or it was given something else.
    """
    clear_leftovers(folder)
    if not (folder / RESUME).is_file():
        if (folder / MODEL).is_file():
            raise CheckpointError(
                f"{folder}: its training has ended; to train it anew, give --force in place of --resume"
            )
        raise CheckpointError(f"{folder}: no interrupted training here; start one without --resume")
    try:
        saved = Snapshot.from_bytes((folder / RESUME).read_bytes())
        for name, other in {
            "corpus": f"began on another corpus than {corpus_name}; give that one",
            "validation": "was measured on another text; give the same --validation, or none",
            "background": "read another background; give the same --background, or none",
            "soft_targets": "learned from other soft targets; give the same --soft-targets, or none",
            "word_vectors": "began with other word vectors; give the same --word-vectors, or none",
        }.items():
            if saved.facts["hashes"].get(name, _hash(None)) != hashes[name]:
                raise CheckpointError(f"{folder}: its training {other}")
        return TrainingSettings(**saved.facts["settings"]), saved
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, error) from None


def saved_origin(folder: Path, saved: Snapshot) -> Origin | None:
    """Return what the run in a folder took over from another checkpoint; raise CheckpointError where that is damaged."""
    try:
        return Origin.from_snapshot(saved)
    except (AutocompleteError, KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, error) from None


def saved_words(saved: Snapshot | None) -> bytes | None:
    """Return the snapshot of the network of words that is within that of a run, if there is one."""
    file = None if saved is None else saved.part("words").get("file")
    return None if file is None else file.numpy().tobytes()


def _hash(text: RunningText | SoftTargets | WordVectors | None) -> str:
    return hashlib.sha256().hexdigest() if text is None else text.sha256


def _damaged(folder: Path, error: Exception) -> CheckpointError:
    problem = (str(error).splitlines() or [type(error).__name__])[0]
    return CheckpointError(f"{folder / RESUME}: damaged ({problem}); delete it, and train again with --force")
