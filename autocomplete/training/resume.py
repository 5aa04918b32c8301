"""
A run and the folder that it is kept in.

At any moment the folder is a whole checkpoint, or what a run goes on with, or both; a run that was killed goes on from what it
saved last, takes the same steps again, and ends with the same network as if it had never stopped. For that, what is saved
depends on nothing that may have been written after it: the best network so far is part of it. It is written before the
checkpoint that everyone reads, and with a run's first checkpoint in one step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import InitVar, asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
from autocomplete.training.optimization import new_optimizer
from autocomplete.training.origin import Origin
from autocomplete.training.processes import Processes
from autocomplete.training.settings import NO_INPUT, TrainingInputs, TrainingSettings
from autocomplete.training.snapshot import Snapshot
from autocomplete.training.words.context import Context
from autocomplete.training.words.word_network import WordNetworkProcess

__all__ = ["Run", "RunState", "read_run", "saved_words"]


@dataclass
class RunState:
    """All that changes in a run beside the network, its optimizer and the data."""

    steps: int = 0
    seconds: float = 0.0  # of all processes that the run had so far
    characters: float = 0.0
    training_bits: float = 0.0
    gradient_norm: float = 0.0
    learning_rate: float = 0.0
    first_bits: float = math.inf
    steps_climbed: int = 0
    best_bits: float = math.inf
    validations_since_best: int = 0
    # The progress at which the network is measured next; infinite when the run is over.
    next_validation: float = field(default_factory=lambda: 1 / TrainingSettings.validations)
    curve: list[tuple[int, float, float]] = field(default_factory=list)  # as in `Finished`
    # The weights of the best network so far, in fp16, by name.
    best: dict[str, Tensor] = field(default_factory=dict, repr=False)


@dataclass
class Run:
    """A run, and the folder that it is kept in; raises CheckpointError where `saved` belongs to another network."""

    inputs: TrainingInputs
    settings: TrainingSettings  # of this run; those of the inputs may be of another, or leave some open
    lesson: Lesson
    model: CharRNN
    generator: np.random.Generator
    processes: Processes  # that train together; the first of them writes
    origin: Origin | None  # what the run took over from another checkpoint
    saved: InitVar[Snapshot | None]  # what the run goes on with, as `read_run` gives it
    state: RunState = field(default_factory=RunState)
    context: Context | None = None  # words in context, where the first process learns a text

    def __post_init__(self, saved: Snapshot | None) -> None:
        self.folder, self._overwrite = self.inputs.folder, self.inputs.overwrite
        self.optimizer = new_optimizer(self.model, self.settings.weight_decay)
        if saved is not None:
            try:
                self.state = RunState(**saved.facts["state"], best=saved.part("best"))
                self.lesson.load(saved.part("lesson"), self.model.device)
                saved.restore(self.model, self.optimizer, self.generator)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise _damaged(self.folder, error) from None
            self._overwrite = True
        self._saved = saved is not None
        self.on_disk = bool(self.state.best)  # a checkpoint of this run
        self._saved_at = time.monotonic()
        self._began = self._saved_at - self.state.seconds

    @property
    def word_process(self) -> WordNetworkProcess | None:
        """The process that trains a network of words beside this one, if there is one."""
        return None if self.context is None else self.context.word_process

    @property
    def progress(self) -> float:
        """How much of the run is over, from 0 to 1."""
        return self.settings.progress(self.state.steps, self.state.seconds)

    def seconds(self) -> float:
        """Return how long the run has taken so far."""
        return time.monotonic() - self._began

    def save_if_due(self) -> None:
        """Save the run if the last time is long enough ago; raise CheckpointError where that fails."""
        if self.word_process is not None:
            self.word_process.receive()  # it waits while it is not heard
        if any(self.processes.from_first(lambda: [time.monotonic() - self._saved_at >= self.inputs.save_every], 1)):
            self.save()

    def save(self) -> None:
        """Save all that the run needs to go on as if it had never stopped; raise CheckpointError where that fails."""
        snapshot = self._snapshot()
        if self.processes.first:
            with self._writing():
                write_resume(self.folder, snapshot.to_bytes(), overwrite=self._overwrite)

    def write_best(self, state: RunState) -> None:
        """
        Write the best network, so that it can be used; raise CheckpointError where that fails.

        :param state: that has it: that of the run, or a later one, which is not saved.
        """
        checkpoint, snapshot = self._checkpoint(state, {"steps": state.steps}), self._snapshot()
        is_first, self.on_disk = not self.on_disk, True
        if not self.processes.first:
            return
        with self._writing():
            if not is_first:
                write_resume(self.folder, snapshot.to_bytes(), overwrite=self._overwrite)
                update_checkpoint(self.folder, checkpoint)
                return
            files = {RESUME: snapshot.to_bytes()}
            if self.context is not None:
                files[CONTEXT] = context_bytes(*self.context.tensors())
            write_checkpoint(self.folder, checkpoint, self.lesson.lexicon(), overwrite=self._overwrite, others=files)

    def finish(self, state: RunState, figures: dict[str, Any], *, resumable: bool) -> None:
        """Write the best network with its figures; raise CheckpointError where that fails."""
        with self._writing():
            if self.context is not None:
                write_context(self.folder, *self.context.tensors())
            update_checkpoint(self.folder, self._checkpoint(state, figures))
        if not resumable:
            (self.folder / RESUME).unlink(missing_ok=True)

    def _checkpoint(self, state: RunState, figures: dict[str, Any]) -> Checkpoint:
        corpus = self.inputs.corpus
        return Checkpoint(
            configuration=self.model.configuration,
            vocabulary=self.lesson.vocabulary,
            unit=self.lesson.unit,
            alphabet=corpus.alphabet,
            tensors={name: value.numpy() for name, value in state.best.items()},
            corpus=corpus.to_json(),
            training=asdict(self.settings),
            figures=figures,
        )

    def _snapshot(self) -> Snapshot:
        state = vars(self.state) | {"seconds": self.seconds()}
        parts = {"lesson": self.lesson.tensors(), "best": state.pop("best")}
        facts = {"settings": asdict(self.settings), "hashes": self.inputs.hashes, "state": state}
        if self.origin is not None:
            facts["from"], parts["from"] = self.origin.facts(), self.origin.parts()
        if self.word_process is not None and self.word_process.snapshot is not None:
            parts["words"] = {"file": torch.frombuffer(bytearray(self.word_process.snapshot), dtype=torch.uint8)}
        return Snapshot.take(self.model, self.optimizer, self.generator, facts, **parts)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Tell of what fails that the run can go on nevertheless; remember what does not fail."""
        try:
            yield
        except CheckpointError as error:
            go_on = "; what was saved before is whole, and --resume goes on with it" if self._saved else ""
            raise CheckpointError(f"{error}{go_on}") from None
        self._overwrite = self._saved = True
        self._saved_at = time.monotonic()


def read_run(inputs: TrainingInputs) -> tuple[TrainingSettings, Snapshot, Origin | None]:
    """
    Return the settings of the interrupted run in a folder, what it goes on with, and what it took over from a checkpoint.

    :raises CheckpointError: where there is none, it is damaged, or it was given something else.
    """
    folder = inputs.folder
    clear_leftovers(folder)
    if not (folder / RESUME).is_file():
        if (folder / MODEL).is_file():
            raise CheckpointError(
                f"{folder}: its training has ended; to train it anew, give --force in place of --resume"
            )
        raise CheckpointError(f"{folder}: no interrupted training here; start one without --resume")
    try:
        saved = Snapshot.from_bytes((folder / RESUME).read_bytes())
        began_with = dict(saved.facts["hashes"])
        settings, origin = TrainingSettings(**saved.facts["settings"]), Origin.from_snapshot(saved)
    except (AutocompleteError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, error) from None
    for name, other in {
        "corpus": f"began on another corpus than {inputs.corpus.name}; give that one",
        "validation": "was measured on another text; give the same --validation, or none",
        "background": "read another background; give the same --background, or none",
        "soft_targets": "learned from other soft targets; give the same --soft-targets, or none",
        "word_vectors": "began with other word vectors; give the same --word-vectors, or none",
    }.items():
        if began_with.get(name, NO_INPUT) != inputs.hashes[name]:
            raise CheckpointError(f"{folder}: its training {other}")
    return settings, saved, origin


def saved_words(saved: Snapshot | None) -> bytes | None:
    """Return the snapshot of the network of words that is within that of a run, if there is one."""
    file = None if saved is None else saved.part("words").get("file")
    return None if file is None else file.numpy().tobytes()


def _damaged(folder: Path, error: Exception) -> CheckpointError:
    problem = (str(error).splitlines() or [type(error).__name__])[0]
    return CheckpointError(f"{folder / RESUME}: damaged ({problem}); delete it, and train again with --force")
