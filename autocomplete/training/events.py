"""What a training tells while it runs. No torch here: the displays and logs of reports know nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autocomplete.corpus.corpus import Corpus
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.training.settings import TrainingSettings

__all__ = [
    "SEARCHED",
    "Event",
    "Finished",
    "Progress",
    "Started",
    "SweepEvent",
    "SweepFinished",
    "SweepProgress",
    "SweepStarted",
    "Trial",
    "Validated",
]


@dataclass(frozen=True)
class Started:
    """The run begins."""

    corpus: Corpus
    configuration: Configuration
    settings: TrainingSettings
    held_out: int  # words, or lines of text, that the network never sees
    precision: str
    device: str
    steps_done: int
    judged_by: str = ""  # what the bits are of by which networks are compared; empty where it is the held-out text


@dataclass(frozen=True)
class Progress:
    """A step was taken."""

    step: int
    progress: float  # of the whole run, from 0 to 1
    bits_per_character: float  # of the words drawn, averaged over the last steps
    gradient_norm: float  # before it is clipped, averaged likewise
    learning_rate: float
    characters_per_second: float  # of all words drawn; the same word drawn twice counts twice
    seconds_left: float | None  # None before that can be told


@dataclass(frozen=True)
class Validated:
    """The network was measured; if it is the best so far, it is saved."""

    step: int
    seconds: float
    training_bits: float  # bits per character of the words drawn in the last steps
    held_out_bits: float  # of the words that the network never sees
    best: bool  # whether the next word typed, as `Validation` has it, has never taken fewer bits
    best_bits: float  # the fewest that it has taken, per character
    validations_since_best: int  # the run ends where they reach its patience
    gradient_norm: float  # as in `Progress`, and so are learning rate and speed
    learning_rate: float
    characters_per_second: float
    samples: tuple[str, ...]  # words drawn from the network


@dataclass(frozen=True)
class Finished:
    """The run is over and the best network saved."""

    folder: Path
    reason: Literal["done", "early", "interrupted"]  # "early" where validations no longer got better
    steps: int
    seconds: float
    figures: dict[str, Any]
    curve: list[tuple[int, float, float]]  # (step, training bits, held-out bits per character) of each validation


Event = Started | Progress | Validated | Finished


# The settings that a search can try.
SEARCHED = ("cell", "hidden", "layers", "dropout", "learning_rate")


@dataclass(frozen=True)
class Trial:
    """A setting that a search tries, as it stands now."""

    number: int  # from 1 on
    cell: Cell
    hidden: int
    layers: int
    dropout: float
    learning_rate: float
    parameters: int
    answer_seconds: float  # that its network takes of an answer
    # Waiting for its next run, running, or how it ended: too slow to be trained, pruned after a round, failed where its training
    # diverged, stopped by the user, or done with the last round.
    state: Literal["waiting", "running", "too slow", "pruned", "failed", "stopped", "done"] = "waiting"
    round: int = 0  # the last that it was trained in, from 1 on; 0 before that
    steps: int = 0  # of the run that gave `bits`, and so are the seconds
    seconds: float = 0.0
    bits: float | None = None  # per character, the fewest that a run of it reached; None where none ended
    problem: str = ""  # why it failed, in half a sentence

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in ("waiting", "running")


@dataclass(frozen=True)
class SweepStarted:
    """The search begins."""

    corpus: Corpus
    settings: TrainingSettings  # of all runs, but for what is searched; `steps` and `minutes` are of the whole search
    held_out: int
    precision: str
    device: str
    rounds: tuple[int, ...]  # the number of trials in each
    answer_limit: float  # seconds that a network may take of an answer
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class SweepProgress:
    """A step was taken."""

    progress: float  # of the whole search, from 0 to 1
    seconds_left: float


@dataclass(frozen=True)
class SweepFinished:
    """The search is over and the best checkpoint in its place."""

    folder: Path
    reason: Literal["done", "interrupted"]
    ranking: tuple[Trial, ...]  # the trials that were measured, the fewest bits first; the checkpoint is of the first
    settings: TrainingSettings  # of the run that is kept
    finished: Finished  # the end of that run


SweepEvent = SweepStarted | Trial | SweepProgress | SweepFinished  # a trial is told whenever it changes
