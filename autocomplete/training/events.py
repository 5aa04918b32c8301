"""What a training tells while it runs. No torch here: the displays and logs of reports know nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """
    The run begins.

    :param judged_by: what the bits are of that tell which network is the best; empty where they are those of the held-out text.
    """

    corpus: Corpus
    configuration: Configuration
    settings: TrainingSettings
    held_out: int
    precision: str
    device: str
    steps_done: int
    judged_by: str = ""


@dataclass(frozen=True)
class Progress:
    """
    A step was taken.

    :param progress: of the whole run, from 0 to 1.
    :param bits_per_character: of the words drawn, averaged over the last steps.
    :param gradient_norm: before it is clipped, averaged likewise.
    :param characters_per_second: of all words drawn; the same word drawn twice counts twice.
    :param seconds_left: None before that can be told.
    """

    step: int
    progress: float
    bits_per_character: float
    gradient_norm: float
    learning_rate: float
    characters_per_second: float
    seconds_left: float | None


@dataclass(frozen=True)
class Validated:
    """
    The network was measured, and `samples` drawn from it; if it is the best so far, it is saved.

    :param training_bits: bits per character of the words drawn in the last steps.
    :param held_out_bits: of the words that the network never sees.
    :param best: whether the next word typed, as `Validation` has it, has never taken fewer bits.
    :param best_bits: the fewest that it has taken, per character.
    :param validations_since_best: the run ends where they reach its patience.
    :param gradient_norm: as in `Progress`, and so are learning rate and speed.
    """

    step: int
    seconds: float
    training_bits: float
    held_out_bits: float
    best: bool
    best_bits: float
    validations_since_best: int
    gradient_norm: float
    learning_rate: float
    characters_per_second: float
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """
    The run is over and the best network saved.

    :param reason: "done", "early" where validations no longer got better, or "interrupted".
    :param curve: (step, training bits, held-out bits per character) of each validation.
    """

    folder: Path
    reason: Literal["done", "early", "interrupted"]
    steps: int
    seconds: float
    figures: dict[str, Any]
    curve: list[tuple[int, float, float]]


Event = Started | Progress | Validated | Finished


# The settings that a search can try.
SEARCHED = ("cell", "hidden", "layers", "dropout", "learning_rate")


@dataclass(frozen=True)
class Trial:
    """
    A setting, as it stands now.

    :param number: from 1 on.
    :param answer_seconds: that its network takes of an answer.
    :param state: "waiting" for its next run, "running", or how it ended: "too slow" to be trained, "pruned" after a round,
        "failed" where its training diverged, "stopped" by the user, or "done" with the last round.
    :param round: the last that it was trained in, from 1 on; 0 before that.
    :param steps: of the run that gave `bits`, and so are the seconds.
    :param bits: per character, the fewest that a run of it reached, as `Validated` has them; None where none ended.
    :param problem: why it failed, in half a sentence.
    """

    number: int
    cell: Cell
    hidden: int
    layers: int
    dropout: float
    learning_rate: float
    parameters: int
    answer_seconds: float
    state: Literal["waiting", "running", "too slow", "pruned", "failed", "stopped", "done"] = "waiting"
    round: int = 0
    steps: int = 0
    seconds: float = 0.0
    bits: float | None = None
    problem: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in ("waiting", "running")

    def apply(self, settings: TrainingSettings) -> TrainingSettings:
        """Return the settings with those that are tried here in their place."""
        return replace(settings, **{name: getattr(self, name) for name in SEARCHED})


@dataclass(frozen=True)
class SweepStarted:
    """
    The search begins.

    :param settings: of all runs, but for what is searched; `steps` and `minutes` are those of the whole search.
    :param rounds: the number of trials in each.
    :param answer_limit: seconds that a network may take of an answer.
    """

    corpus: Corpus
    settings: TrainingSettings
    held_out: int
    precision: str
    device: str
    rounds: tuple[int, ...]
    answer_limit: float
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class SweepProgress:
    """
    A step was taken.

    :param progress: of the whole search, from 0 to 1.
    """

    progress: float
    seconds_left: float


@dataclass(frozen=True)
class SweepFinished:
    """
    The search is over and the best checkpoint in its place.

    :param ranking: the trials that were measured, the fewest bits first; the checkpoint is of the first.
    :param settings: of the run that is kept.
    :param finished: the end of that run.
    """

    folder: Path
    reason: Literal["done", "interrupted"]
    ranking: tuple[Trial, ...]
    settings: TrainingSettings
    finished: Finished


SweepEvent = SweepStarted | Trial | SweepProgress | SweepFinished  # a trial is told whenever it changes
