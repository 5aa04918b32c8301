"""
What a training is given: its settings, each with its reason, and its inputs.

No torch here: the command line reads the defaults.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autocomplete.errors import SettingsError
from autocomplete.storage.configuration import Cell, Configuration

if TYPE_CHECKING:
    from autocomplete.corpus.corpus import Corpus
    from autocomplete.corpus.running_text import RunningText
    from autocomplete.corpus.soft_targets import SoftTargets
    from autocomplete.corpus.word_vectors import WordVectors

__all__ = ["NO_INPUT", "Precision", "TrainingInputs", "TrainingSettings"]

Precision = Literal["auto", "fp32", "bf16"]
NO_INPUT = hashlib.sha256().hexdigest()  # stands for an input that is not given


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; raises SettingsError for a setting out of its range."""

    cell: Cell = "lstm"  # kind of the recurrent layers: "rnn" (tanh), "gru" or "lstm"
    layers: int = 1  # recurrent layers, one on top of the other
    hidden: int = 256  # units of each recurrent layer
    embedding: int = 64  # numbers that a character is embedded in
    dropout: float = 0.0  # share of activations dropped in training; a list of words to be learned by heart needs none
    bidirectional: bool = False  # whether to learn to fill gaps from both sides, in place of what comes next
    batch: int = 64  # contiguous streams of running text that are read side by side
    bptt: int = 64  # characters that the error goes back through; the state is carried on (Williams and Peng, 1990)
    hurried: float = 0.5  # share of the lines of a text that are read as people type in haste, without any marks
    rare: float = 0.4  # share of the steps on text that learn how rare words are spelled, where there are many of them
    word_hidden: int = 0  # units of a second network that reads words, for the context of text; 0 for none
    word_embedding: int = 192  # numbers that a word is embedded in
    word_vocabulary: int = 10_000  # words that the second network knows, the most frequent ones
    word_dropout: float = 0.15  # as `dropout`, for the second network
    alpha: float = 1.0  # words are drawn in proportion to count ** alpha
    draws: int = 1024  # words drawn for a step: more make a steadier gradient, fewer make more steps in the same time
    steps: int | None = None  # optimizer steps; None for no bound where `minutes` is given, and else for the default
    minutes: float | None = None  # bound on the time; the learning rate then falls with the time instead of the steps
    # The highest, after the warm-up; None for 0.01 on words, and less on text, which would not stand that; for half of either
    # where the training starts from another checkpoint.
    learning_rate: float | None = None
    warmup: int = 100  # steps in which the rate rises from nothing, while AdamW learns the gradients' scale
    weight_decay: float = 0.01  # AdamW's
    clip: float = 1.0  # gradients of a larger norm are scaled down to it (Pascanu et al., 2013)
    unknown: float = 0.001  # share of inputs replaced by the unknown symbol, so that the network can read on past one
    held_out: float = 0.05  # share of the rarer words, or of the end of a text, that is only measured on
    patience: int = 10  # validations without a better figure after which the run ends early
    # Share of the old words in the sum of all counts, where the training starts from another checkpoint, from 0 to below 1; at 0,
    # nothing old is rehearsed. None for a half, or where there is no other.
    from_weight: float | None = None
    seed: int = 0  # of all that is random; the same seed, machine and number of threads give the same weights
    precision: Precision = "auto"  # of the matrix products; "auto" is bf16 where a step is clearly faster, else fp32

    default_steps = 4_000  # about three minutes for a list of 50,000 words on two cores
    word_rate, text_rate, context_rate = 1e-2, 4e-3, 2e-3  # learning rates: of words, of text, and of a text's words
    # Of those, where the training starts from another checkpoint, so that less is forgotten: 240 steps on a text of 300,000
    # characters cost `english` 0.16 bits a character at the whole rate, 0.12 at a half, 0.10 at a quarter; the new text then
    # took 2.24, 2.28 and 2.32.
    from_rate = 0.5
    validations = 50  # in a run

    def __post_init__(self) -> None:
        self.configuration(vocabulary=1)  # checks cell and sizes
        for name, lowest, highest in [
            ("dropout", 0, 0.95),
            ("alpha", 0, 10),
            ("draws", 1, 1_000_000),
            ("batch", 1, 65_536),
            ("bptt", 1, 65_536),
            ("hurried", 0, 1),
            ("rare", 0, 0.9),
            ("word_hidden", 0, 65_536),
            ("word_embedding", 1, 65_536),
            ("word_vocabulary", 100, 60_000),
            ("word_dropout", 0, 0.95),
            ("steps", 1, math.inf),
            ("learning_rate", 1e-9, 10),
            ("warmup", 0, math.inf),
            ("weight_decay", 0, 10),
            ("clip", 1e-9, math.inf),
            ("unknown", 0, 0.5),
            ("held_out", 0, 0.5),
            ("patience", 1, math.inf),
            ("seed", 0, 2**63 - 1),
        ]:
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                limits = f"at least {lowest}" if math.isinf(highest) else f"from {lowest} to {highest}"
                raise SettingsError(f"{name.replace('_', ' ')} is {value}; it must be {limits}")
        if self.bidirectional and self.word_hidden:
            raise SettingsError(
                "word hidden is of a network that reads forward; leave it out, or leave out bidirectional"
            )
        if self.from_weight is not None and not 0 <= self.from_weight < 1:
            raise SettingsError(f"from weight is {self.from_weight}; it must be from 0 to below 1")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise SettingsError(f"minutes is {self.minutes}; it must be above 0")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise SettingsError(f"unknown precision {self.precision!r}; choose auto, fp32 or bf16")

    def configuration(self, vocabulary: int) -> Configuration:
        """Return the sizes of the network for a vocabulary of that many symbols."""
        sizes = self.cell, self.layers, self.hidden, self.embedding
        return Configuration(vocabulary, *sizes, bidirectional=self.bidirectional)

    def progress(self, steps: int, seconds: float) -> float:
        """Return how much of the run is over, from 0 to 1."""
        limit = self.steps or (self.default_steps if self.minutes is None else math.inf)
        return min(1.0, max(steps / limit, seconds / (60 * (self.minutes or math.inf))))

    def validation_share(self, seconds: float) -> float:
        """
        Return the share of the run from one validation, which took so many seconds, to the next.

        Of a run that is bounded by time, validations take a tenth at most. In one that is bounded by steps, the clock has no say,
        so that it can be repeated.
        """
        return max(1 / self.validations, 10 * seconds / (60 * (self.minutes or math.inf)))

    def rate(self, highest: float, steps: int, progress: float) -> float:
        """
        Return the learning rate: linear warm-up, then half a cosine (Loshchilov and Hutter, 2017) down to 2 %.

        :param highest: where no other is set.
        """
        # A run too short for that, as many of a search are, would end before it has begun: a tenth of it is enough then.
        warm = min(1.0, max((steps + 1) / (self.warmup + 1), 10 * progress))
        return (self.learning_rate or highest) * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))

    def given(self) -> dict[str, Any]:
        """Return what is not as it is by default, by the names of the command line."""
        changed = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {name.replace("_", "-"): value for name, value in changed.items()}


@dataclass(frozen=True)
class TrainingInputs:
    """What `train` is given."""

    corpus: Corpus
    folder: Path  # where the checkpoint is written
    settings: TrainingSettings
    overwrite: bool = False  # replace a checkpoint that is there
    resume: bool = False  # go on with the interrupted or killed run in the folder, under its own settings
    save_every: float = 60.0  # seconds after which the run is saved again; it is also saved with each new best network
    validation: RunningText | None = None  # text to measure on, in place of the last part of the corpus
    # Text that the networks read beside that of the corpus, less towards the end. Its word n-grams are counted too, but
    # its words and characters are not added to the corpus's.
    background: RunningText | None = None
    taught: SoftTargets | None = None  # what a larger model expects in some text, for the network of words
    # By which the trained network of words tells words apart that it does not know; not used where the run is interrupted.
    vectors: WordVectors | None = None
    # Folder of a checkpoint to start from; the sizes of its network replace those in the settings. Not needed to resume.
    source: Path | None = None
    # Asked after every step; once it answers yes, the best network so far is saved and the run ends.
    should_stop: Callable[[], bool] = lambda: False

    @cached_property
    def hashes(self) -> dict[str, str]:
        """A hash of each thing that a resumed run has to be given again."""
        names = "corpus", "validation", "background", "soft_targets", "word_vectors"
        given = self.corpus, self.validation, self.background, self.taught, self.vectors
        return {name: NO_INPUT if each is None else each.sha256 for name, each in zip(names, given, strict=True)}
