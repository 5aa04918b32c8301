"""
A search for the settings that suit a corpus: many short trainings, fewer longer ones, a last one that is the longest.

Settings are drawn at random, the defaults first, so that what is found is compared with them. All are trained in the first
round, the best third of each round in the next, for longer, until one is left: successive halving (Jamieson and Talwalkar,
2016). The rounds before the last share half of the time or steps in equal parts; the last run has what is left.

Each run is a whole one, from fresh weights and with a learning rate that falls to its end. To go on where the last round left
off would save some time, but would judge trials in the middle of their schedules, where a low rate looks better than it is. So
every run leaves a checkpoint that can be used, and the best of all is kept, whichever run it is of.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autocomplete.errors import AutocompleteError, SettingsError
from autocomplete.storage.atomic import temporary_folder
from autocomplete.storage.checkpoint import check_place, place_checkpoint
from autocomplete.storage.configuration import Configuration
from autocomplete.training.events import (
    SEARCHED,
    Event,
    Finished,
    Progress,
    Started,
    SweepEvent,
    SweepFinished,
    SweepProgress,
    SweepStarted,
    Trial,
    Validated,
)
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.optimization import new_optimizer
from autocomplete.training.search.budget import Budget, passing, rounds
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

__all__ = ["sweep"]

AnswerSeconds = Callable[[Configuration], float]

_DRAWS = 4  # for each trial: many networks are too slow where a given option makes them so

# What is searched, and where. The rate depends on the default one, for words or text: what is best varies with cell and size,
# and not far above three times the default networks diverge.
_RANGES: dict[str, Callable[[np.random.Generator, float], Any]] = {
    "cell": lambda generator, rate: ("rnn", "gru", "lstm")[generator.integers(3)],
    "hidden": lambda generator, rate: 64 * int(generator.integers(2, 9)),
    "layers": lambda generator, rate: int(generator.integers(1, 3)),
    "dropout": lambda generator, rate: int(generator.integers(5)) / 10,
    "learning_rate": lambda generator, rate: float(f"{rate * 3 ** generator.uniform(math.log(1 / 4, 3), 1):.3g}"),
}


def sweep(
    inputs: TrainingInputs, *, trials: int, fixed: Collection[str], answer_seconds: AnswerSeconds, answer_limit: float
) -> Generator[SweepEvent, None, None]:
    """
    Train under many settings, yield events as `train` does, and write the best network to a folder, whole or not at all.

    :param inputs: of all runs, but for the settings that are searched. `steps` and `minutes` bound the whole search; without them
        each trial adds a minute. A network of words is trained in the last run only. A checkpoint in the folder is replaced, if
        that is allowed, as soon as the search is over.
    :param trials: how many settings are trained; fewer where there are not so many that answer in time.
    :param fixed: names of settings that are not searched.
    :param answer_seconds: gives the seconds that a network of some sizes takes of an answer.
    :param answer_limit: the most that it may take; a slower network is not trained.
    :raises CheckpointError: where the folder cannot be written.
    :raises SettingsError: where there is nothing to search, no network answers in time, the time is too short, or all fail.
    """
    settings, folder = inputs.settings, inputs.folder
    if trials < 1:
        raise SettingsError(f"--search is {trials}; give the number of settings to try, 1 or more")
    if not set(SEARCHED).difference(fixed):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in SEARCHED)
        raise SettingsError(f"--search has nothing left to search; leave out one of {options}")
    if settings.steps is None and settings.minutes is None:
        settings = replace(settings, minutes=trials)
    check_place(folder, overwrite=inputs.overwrite, size=0)  # each run asks for the room that it needs
    new_optimizer(CharRNN(Configuration(1, hidden=1)), 0)  # with the first one, torch loads what takes it a second
    with temporary_folder(folder, "search") as place:
        search = _Search(replace(inputs, settings=settings, overwrite=False), place)
        started = search.begin()
        search.budget.refuse_too_little(trials)
        drawn = search.draw(trials, fixed, started.configuration.vocabulary, answer_seconds, answer_limit)
        waiting = [trial for trial in drawn if not trial.ended]
        yield SweepStarted(
            corpus=inputs.corpus,
            settings=settings,
            held_out=started.held_out,
            precision=started.precision,
            device=started.device,
            rounds=rounds(len(waiting)),
            answer_limit=answer_limit,
            trials=tuple(drawn),
        )
        yield from (trial for trial in drawn if trial.ended)
        try:
            yield from search.rounds(waiting)
            if search.best is None:
                raise SettingsError(
                    f"all {len(waiting)} settings failed, the last as {search.trials[-1].problem}; try a lower "
                    "--learning-rate, or a smaller network by --hidden"
                )
            finished = search.finish(search.best)
        except BaseException as error:  # a full disk, a second Ctrl-C: what there is is kept
            if search.best is not None:
                place_checkpoint(search.best.folder, folder, overwrite=inputs.overwrite)
                if isinstance(error, AutocompleteError):
                    raise type(error)(f"{error}. The best so far is in {folder}") from None
            raise
        place_checkpoint(search.best.folder, folder, overwrite=inputs.overwrite)
        measured = (trial for trial in search.trials if trial.bits is not None)
        yield SweepFinished(
            folder=folder,
            reason="interrupted" if search.stopped else "done",
            ranking=tuple(sorted(measured, key=lambda trial: trial.bits or 0.0)),
            settings=search.best.settings,
            finished=replace(finished, folder=folder),
        )


@dataclass(frozen=True)
class _Best:
    """The run that reached the fewest bits."""

    bits: float
    folder: Path
    settings: TrainingSettings
    finished: Finished | None = None  # its end; None where it was left when it had reached the bits


class _Search:
    """The rounds of a search, and what changes in them: the trials that have ended, and the best run so far."""

    def __init__(self, inputs: TrainingInputs, place: Path) -> None:
        self._inputs, self._place = inputs, place
        self.budget = Budget(inputs.settings)
        self.stopped = False
        self.best: _Best | None = None
        self.trials: list[Trial] = []  # that have ended

    def _asked_to_stop(self) -> bool:
        """Return whether the search is to stop; once it is, it stays so."""
        self.stopped = self.stopped or self._inputs.should_stop()
        return self.stopped

    def _run(self, folder: Path, settings: TrainingSettings, *, resume: bool = False) -> Generator[Event, None, None]:
        asked = self._asked_to_stop
        return train(replace(self._inputs, folder=folder, settings=settings, resume=resume, should_stop=asked))

    def begin(self) -> Started:
        """Begin a run up to its first step, to learn the vocabulary and how long that takes; nothing is written."""
        began = time.monotonic()
        small = replace(self._inputs.settings, hidden=1, layers=1, word_hidden=0)
        with closing(self._run(self._place / "begun", small)) as events:
            started = next(events)
            assert isinstance(started, Started)
            next(events)
        self.budget.beginning = time.monotonic() - began
        return started

    def draw(
        self, count: int, fixed: Collection[str], vocabulary: int, answer_seconds: AnswerSeconds, limit: float
    ) -> list[Trial]:
        """Draw so many different settings whose networks answer in time, or as many as are found; return all that were drawn."""
        settings, generator = self._inputs.settings, np.random.default_rng(self._inputs.settings.seed)
        rate = settings.word_rate if self._inputs.corpus.text is None else settings.text_rate
        settings = replace(settings, learning_rate=settings.learning_rate or rate)
        ranges = {name: draw for name, draw in _RANGES.items() if name not in fixed}
        tried: dict[str, Any] = {name: getattr(TrainingSettings, name) for name in ranges if name != "learning_rate"}
        drawn: dict[TrainingSettings, Trial] = {}
        for _ in range(_DRAWS * count):
            settings = replace(settings, **tried)
            tried = {name: draw(generator, rate) for name, draw in ranges.items()}
            if settings not in drawn:
                configuration = settings.configuration(vocabulary)
                seconds = answer_seconds(configuration)
                drawn[settings] = Trial(
                    number=len(drawn) + 1,
                    **{name: getattr(settings, name) for name in SEARCHED},
                    parameters=configuration.parameters,
                    answer_seconds=seconds,
                    state="waiting" if seconds <= limit else "too slow",
                )
            if sum(not trial.ended for trial in drawn.values()) == count:
                break
        trials = list(drawn.values())
        if all(trial.ended for trial in trials):
            fastest = min(trial.answer_seconds for trial in trials)
            raise SettingsError(
                f"none of the networks answers in time for the prompt: the fastest takes {1000 * fastest:.2f} ms, "
                f"{1000 * limit:.2f} ms are allowed; leave out --hidden, --layers or --cell, or --search"
            )
        return trials

    def rounds(self, trials: list[Trial]) -> Iterator[SweepEvent]:
        """Train some trials, the best of them again, until one has been trained alone."""
        number, alone = 0, False
        while trials and not alone and not self.stopped:
            number, alone = number + 1, len(trials) == 1
            settings = self.budget.share(len(trials))
            trained: list[tuple[float, Trial]] = []  # with the bits of this round
            for trial in trials:
                bits = math.inf
                if not self.stopped:
                    trial, bits = yield from self._train(replace(trial, state="running", round=number), settings, alone)
                if trial.state == "failed":
                    yield self._end(trial)
                else:
                    trained.append((bits, trial))
            ranked = sorted(trained, key=lambda each: (each[0], each[1].number))
            passed = [] if alone or self.stopped else [trial for _, trial in ranked[: passing(len(ranked))]]
            trials = [trial for _, trial in trained if trial in passed]
            for _, trial in trained:
                if trial not in passed:
                    yield self._end(replace(trial, state="stopped" if self.stopped else "done" if alone else "pruned"))

    def _end(self, trial: Trial) -> Trial:
        self.trials.append(trial)
        return trial

    def _train(
        self, trial: Trial, settings: TrainingSettings, alone: bool
    ) -> Generator[SweepEvent, None, tuple[Trial, float]]:
        """Train a trial, yield it as it changes, and return it as it is then, waiting or failed, and the bits that it reached."""
        folder = self._place / f"{trial.round}-{trial.number}"
        settings = replace(settings, **{name: getattr(trial, name) for name in SEARCHED})
        former, former_best = trial, self.best
        bits, over = math.inf, False
        yield trial
        try:
            with closing(self._run(folder, settings)) as events:
                for event in events:
                    if isinstance(event, Progress):
                        self.budget.steps += 1
                        over = event.progress >= 1
                        yield SweepProgress(*self.budget.progress())
                    elif isinstance(event, Validated):
                        bits = event.best_bits
                        if trial.bits is None or bits < trial.bits:
                            trial = replace(trial, bits=bits, steps=event.step, seconds=round(event.seconds, 1))
                        if self.best is None or bits < self.best.bits:
                            self.best = _Best(bits, folder, settings)
                        yield trial
                        over = over or self.stopped or event.validations_since_best >= settings.patience
                        # What a run does beyond this is for its checkpoint alone: figures, and what goes with text.
                        if over and not ((alone or self.stopped) and self.best.folder == folder):
                            break
                    elif isinstance(event, Finished) and self.best is not None and self.best.folder == folder:
                        self.best = replace(self.best, finished=event)
        except SettingsError as error:  # it diverged, or does not fit in memory: what it had reached does not count
            self.best = former_best
            return replace(former, state="failed", problem=str(error).partition(";")[0]), math.inf
        for other in self._place.iterdir():
            if self.best is None or other != self.best.folder:
                shutil.rmtree(other, ignore_errors=True)
        trial = replace(trial, state="waiting")
        yield trial
        return trial, bits

    def finish(self, best: _Best) -> Finished:
        """Return the end of the best run, which is brought to it if need be."""
        finished: Event | None = best.finished
        if finished is None:
            *_, finished = self._run(best.folder, best.settings, resume=True)
        assert isinstance(finished, Finished)
        return finished
