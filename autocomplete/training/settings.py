"""The settings of a training run, each with its reason. No torch here: the command line reads the defaults."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from autocomplete.errors import SettingsError
from autocomplete.storage.configuration import Cell, Configuration

__all__ = ["Precision", "TrainingSettings"]

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class TrainingSettings:
    """
    How to train.

    :param cell: kind of the recurrent layers: "rnn" (tanh), "gru" or "lstm".
    :param layers: recurrent layers, one on top of the other.
    :param hidden: units of each recurrent layer.
    :param embedding: numbers that a character is embedded in.
    :param dropout: share of activations dropped in training; a list of words to be learned by heart needs none.
    :param bidirectional: whether to learn to fill gaps from both sides, in place of what comes next.
    :param batch: contiguous streams of running text that are read side by side.
    :param bptt: characters that the error is propagated back through; the state is carried on (Williams and Peng, 1990).
    :param hurried: share of the lines of a text that the network reads as people type in haste, without any marks.
    :param rare: share of the steps on text in which the network learns how rare words are spelled, where there are many of them.
    :param word_hidden: units of a second network that reads words, for the context of text; 0 for none.
    :param word_embedding: numbers that a word is embedded in.
    :param word_vocabulary: words that the second network knows, the most frequent ones.
    :param word_dropout: as `dropout`, for the second network.
    :param alpha: words are drawn in proportion to count ** alpha.
    :param draws: words drawn for a step. More make a steadier gradient, fewer make more steps in the same time.
    :param steps: optimizer steps; None for no bound where `minutes` is given, and else for the default.
    :param minutes: bound on the time; the learning rate then falls with the time instead of the steps.
    :param learning_rate: the highest, after the warm-up; None for 0.01 on words, and less on text, which would not stand that;
        for half of either where the training starts from another checkpoint.
    :param warmup: steps in which the rate rises from nothing, while AdamW learns the gradients' scale.
    :param weight_decay: AdamW's.
    :param clip: gradients of a larger norm are scaled down to it (Pascanu et al., 2013).
    :param unknown: share of inputs replaced by the unknown symbol, so that the network can read on past one.
    :param held_out: share of the rarer words, or of the end of a text, that is kept from the network, to measure it on.
    :param patience: validations without a better figure after which the run ends early.
    :param from_weight: share of the old words in the sum of all counts, where the training starts from another checkpoint, from 0
        to below 1; at 0, nothing old is rehearsed. None for a half, or where there is no other.
    :param seed: of all that is random; the same seed, machine and number of threads give the same weights.
    :param precision: of the matrix products: "auto" is bf16 where a step in it is measured to be clearly faster, else fp32.
    :raises SettingsError: for a setting out of its range.
    """

    cell: Cell = "lstm"
    layers: int = 1
    hidden: int = 256
    embedding: int = 64
    dropout: float = 0.0
    bidirectional: bool = False
    batch: int = 64
    bptt: int = 64
    hurried: float = 0.5
    rare: float = 0.4
    word_hidden: int = 0
    word_embedding: int = 192
    word_vocabulary: int = 10_000
    word_dropout: float = 0.15
    alpha: float = 1.0
    draws: int = 1024
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float | None = None
    warmup: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    unknown: float = 0.001
    held_out: float = 0.05
    patience: int = 10
    from_weight: float | None = None
    seed: int = 0
    precision: Precision = "auto"

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
            ("warmup", 0, math.inf),
            ("weight_decay", 0, 10),
            ("clip", 1e-9, math.inf),
            ("unknown", 0, 0.5),
            ("held_out", 0, 0.5),
            ("patience", 1, math.inf),
            ("seed", 0, 2**63 - 1),
        ]:
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise SettingsError(f"{name.replace('_', ' ')} is {value}; it must be from {lowest} to {highest}")
        if self.bidirectional and self.word_hidden:
            raise SettingsError(
                "word hidden is of a network that reads forward; leave it out, or leave out bidirectional"
            )
        if self.steps is not None and self.steps < 1:
            raise SettingsError(f"steps is {self.steps}; it must be at least 1")
        if self.learning_rate is not None and not 1e-9 <= self.learning_rate <= 10:
            raise SettingsError(f"learning rate is {self.learning_rate}; it must be from 1e-09 to 10")
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

    @property
    def step_limit(self) -> float:
        """The number of steps after which the run ends whatever the time."""
        if self.steps is not None:
            return self.steps
        return self.default_steps if self.minutes is None else math.inf

    def progress(self, steps: int, seconds: float) -> float:
        """Return how much of the run is over, from 0 to 1."""
        time = 0.0 if self.minutes is None else seconds / (60 * self.minutes)
        return min(1.0, max(steps / self.step_limit, time))

    def validation_share(self, seconds: float) -> float:
        """
        Return the share of the run from one validation to the next.

        :param seconds: that one takes. Where time is what is given, a tenth of it at most goes into validations; where steps are,
            the clock has no say, so that a run can be repeated.
        """
        share = 1 / self.validations
        return share if self.minutes is None else max(share, 10 * seconds / (60 * self.minutes))

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

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)
