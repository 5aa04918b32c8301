"""
Several models trained side by side under one budget of time.

Each has the same time, not the same number of steps: a user gives minutes, and a network whose steps take longer has to earn that
by what it learns from them. The time is shared out in rounds. In each round, all models are trained for equally long, one after
the other, on one thread, and then measured on held-out text. So whatever else the machine does slows all of them down, and a run
that is stopped in the middle has figures that can be compared. The budget is by the clock and includes the measuring: the length
of a round is computed from what is left. A model that has learned all that it can, such as an n-gram that has counted
the whole text, leaves its time to the others.

All networks have the same data in the same order (each at its own pace), the same batches, the same optimizer and
the same learning rate, which rises and falls with the budget as in every training here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from autocomplete.inference.speed import key_seconds
from autocomplete.lab.contenders import Contender
from autocomplete.lab.learners import Figures, new_learner
from autocomplete.lab.material import Material
from autocomplete.lab.training import isolated_torch
from autocomplete.storage.memory import keep_memory
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.optimization import new_optimizer
from autocomplete.training.settings import TrainingSettings

__all__ = ["SETTINGS", "Standing", "Standings", "compare"]

# Smaller batches than those of a long training: within a minute, more steps are worth more than faster ones. In 12 seconds
# of English sentences, a tanh RNN of 256 units reached 2.74 bits with 32 x 32 and 2.89 with 32 x 64, an LSTM of 128 units 2.78
# and 2.89; at a rate of 0.004, all of them 0.1 to 0.3 more.
SETTINGS = TrainingSettings(batch=32, bptt=32, warmup=20, learning_rate=0.01)
_LEAST_ROUNDS, _MOST_ROUNDS = 12, 60
_TURN = 3  # seconds of a model's training in a round: whoever stops early has some figures
_TOLD = 0.5  # seconds between two events at most, but for what cannot be interrupted
_SAMPLE = 4_000  # characters of the held-out part that the curves are measured on; at the end it is all of it


@dataclass(frozen=True)
class Standing:
    """What is known of one model so far."""

    contender: Contender  # what it is; an n-gram's order is the one that the vocabulary has room for
    parameters: int = 0  # numbers that it has learned
    key_seconds: float = math.nan  # time to read a key and predict the next, one state at a time
    seconds: float = 0.0  # time of training
    characters: int = 0  # read in that time
    figures: Figures | None = None  # of the held-out part; None until it is measured
    # (seconds of training, bits per character of the first 4,000 held-out ones) after each round
    curve: tuple[tuple[float, float], ...] = ()
    word_bits: float | None = None  # bits per character of the word asked for; None before the end

    @property
    def speed(self) -> float:
        """Characters read in a second of training."""
        return self.characters / self.seconds if self.seconds else math.nan

    @property
    def bits(self) -> float:
        """Bits per held-out character; not a number before it is measured, or if the training diverged."""
        return math.nan if self.figures is None else self.figures.bits


@dataclass(frozen=True)
class Standings:
    """How all models stand."""

    each: tuple[Standing, ...]  # in the order in which they were given
    round: int  # number of rounds that are over for all
    progress: float  # of the whole budget, from 0 to 1
    seconds_left: float
    # Why it is over; None while it goes on. After an interruption, figures are of the sample that curves are of.
    reason: Literal["done", "interrupted"] | None = None


def compare(
    material: Material,
    contenders: Sequence[Contender],
    seconds: float,
    *,
    rounds: int | None = None,
    word: str = "",
    settings: TrainingSettings = SETTINGS,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[Standings, None, None]:
    """
    Train and measure; yield how all stand whenever one has been measured, and now and then. The last event has a reason.

    :param seconds: for all of them together. Each takes one step at least, though, and is then measured.
    :param rounds: by default so many that a turn takes some seconds, and no fewer than a curve needs.
    :param settings: of all networks: batch, bptt, learning rate, and what belongs to them.
    :param word: in the vocabulary, measured at the end.
    """
    keep_memory()
    if rounds is None:
        rounds = min(_MOST_ROUNDS, max(_LEAST_ROUNDS, int(seconds / (_TURN * len(contenders)))))
    with isolated_torch():
        race = _Race(material, contenders, seconds, rounds, settings, should_stop)
        for standings in chain([race.standing()], race.run(), race.finish(word)):
            shown = time.monotonic()
            yield standings
            race.began += time.monotonic() - shown  # the budget does not pay for what the caller does
        yield race.standing("interrupted" if race.is_stopped else "done")


class _Race:
    """The rounds, and what changes in them."""

    def __init__(
        self,
        material: Material,
        contenders: Sequence[Contender],
        seconds: float,
        rounds: int,
        settings: TrainingSettings,
        should_stop: Callable[[], bool],
    ) -> None:
        self.began = time.monotonic()
        self.is_stopped = False
        self._material, self._seconds, self._rounds, self._round = material, seconds, rounds, 0
        self._should_stop = should_stop
        self._sample = material.held_out[:_SAMPLE]
        self._measuring = [0.0] * len(contenders)  # seconds that each took the last time
        self._learners = [new_learner(each, material, settings, seconds / len(contenders)) for each in contenders]
        # With the first optimizer, torch loads code for a second, which no contender shall pay for.
        new_optimizer(CharRNN(Contender("rnn", 1, 1, 1).configuration(2)), 0)
        self._standings = [Standing(learner.contender) for learner in self._learners]

    def run(self) -> Iterator[Standings]:
        """Train all, and yield how they stand after each turn."""
        told = time.monotonic()
        until = 0.0  # seconds that each has been trained for by the end of a round
        for number in range(self._rounds):
            slice_ = self._slice()
            until += slice_
            for place, learner in enumerate(self._learners):
                trained = False
                while not learner.is_over and (learner.seconds < until or not learner.seconds):
                    part = 1 - (until - learner.seconds) / slice_ if slice_ else 0.0
                    if self._stops():
                        if trained:
                            self._measure(place)
                        return
                    started = time.perf_counter()
                    learner.learn((number + min(1.0, max(0.0, part))) / self._rounds)
                    learner.seconds += time.perf_counter() - started
                    trained = True
                    if time.monotonic() - told > _TOLD:
                        yield self.standing()
                        told = time.monotonic()
                if trained:
                    self._measure(place)
                if place == len(self._learners) - 1:
                    self._round += 1
                yield self.standing()

    def finish(self, word: str) -> Iterator[Standings]:
        """Measure all on the whole held-out part and a word, and yield how they stand after each."""
        asked = self._material.vocabulary.encode_lines([word]) if word else None
        for place, learner in enumerate(self._learners):
            if self._stops():
                return
            found = learner.measure(self._material.held_out)
            word_bits = None if asked is None else learner.measure(asked).bits
            self._standings[place] = replace(self._standings[place], figures=found, word_bits=word_bits)
            yield self.standing()

    def standing(self, reason: Literal["done", "interrupted"] | None = None) -> Standings:
        """Return how all stand."""
        elapsed = time.monotonic() - self.began
        progress = 1.0 if reason == "done" else min(1.0, elapsed / self._seconds)
        return Standings(tuple(self._standings), self._round, progress, max(0.0, self._seconds - elapsed), reason)

    def _slice(self) -> float:
        """Return for how many seconds each model that is not over is trained in a round."""
        left = self._seconds - (time.monotonic() - self.began)
        for_the_end = sum(self._measuring) * len(self._material.held_out) / len(self._sample)
        training = (left - for_the_end) / (self._rounds - self._round) - sum(self._measuring)
        return max(0.0, training) / max(1, sum(not learner.is_over for learner in self._learners))

    def _stops(self) -> bool:
        self.is_stopped = self.is_stopped or self._should_stop()
        return self.is_stopped

    def _measure(self, place: int) -> None:
        learner, standing = self._learners[place], self._standings[place]
        started = time.perf_counter()
        found = learner.measure(self._sample)
        self._measuring[place] = time.perf_counter() - started
        if math.isnan(standing.key_seconds):  # it depends on the sizes, not on what is learned
            standing = replace(standing, key_seconds=key_seconds(learner.model(), self._material.held_out))
        self._standings[place] = replace(
            standing,
            parameters=learner.parameters,
            seconds=learner.seconds,
            characters=learner.characters,
            curve=(*standing.curve, (learner.seconds, found.bits)),
            figures=found,
        )
