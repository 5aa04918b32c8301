"""
A search for the settings that suit a corpus: many short trainings, fewer longer ones, a last one that is the longest.

`sweep` is a generator of events, as `train` is. All trials are trained in the first round, the best third of each round in the
next, for longer, until one is left. The rounds before the last share half of the time or steps in equal parts; the
last run has what is left.

Each run is a whole one, from fresh weights and with a learning rate that falls to its end. To go on where the last round left
off would save a part of the time, but trials would then be judged in the middle of their schedules, where a low rate looks
better than it is. So every run leaves a checkpoint that can be used, and the best of all is kept, whichever run it is of.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.running_text import RunningText
from autocomplete.errors import AutocompleteError, SettingsError
from autocomplete.storage.atomic import temporary_folder
from autocomplete.storage.checkpoint import check_place, place_checkpoint
from autocomplete.storage.configuration import Configuration
from autocomplete.training.events import (
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
from autocomplete.training.search.budget import Budget, rounds
from autocomplete.training.search.trials import Trials
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.trainer import train

__all__ = ["sweep"]


def sweep(
    corpus: Corpus,
    folder: Path,
    settings: TrainingSettings,
    *,
    trials: int,
    fixed: Collection[str],
    answer_seconds: Callable[[Configuration], float],
    answer_limit: float,
    overwrite: bool = False,
    validation: RunningText | None = None,
    background: RunningText | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[SweepEvent, None, None]:
    """
    Train under many settings and write the best network to a folder, whole or not at all.

    :param settings: of all runs, but for what is searched. `steps` and `minutes` bound the whole search; without them each trial
        adds a minute. A network of words is trained in the last run only.
    :param trials: how many settings are trained; fewer where there are not so many that answer in time.
    :param fixed: names of settings that are not searched.
    :param answer_seconds: what a network of some sizes takes of an answer; above `answer_limit` it is not trained.
    :param overwrite: replace a checkpoint that is there, as soon as the search is over.
    :param validation: lines of text to measure on, as for `train`; and so are `background` and `should_stop`.
    :raises CheckpointError: where the folder cannot be written.
    :raises SettingsError: where there is nothing to search, no network answers in time, the time is too short, or all fail.
    """
    if trials < 1:
        raise SettingsError(f"--search is {trials}; give the number of settings to try, 1 or more")
    if settings.steps is None and settings.minutes is None:
        settings = replace(settings, minutes=trials)
    check_place(folder, overwrite=overwrite, size=0)  # each run asks for the room that it needs
    new_optimizer(CharRNN(Configuration(1, hidden=1)), 0)  # with the first one, torch loads what takes it a second
    books = Trials(
        settings, TrainingSettings.text_rate if corpus.text is not None else TrainingSettings.word_rate, fixed
    )
    with temporary_folder(folder, "search") as place:

        def run(folder: Path, settings: TrainingSettings, *, resume: bool = False) -> Generator[Event, None, None]:
            yield from train(
                corpus,
                folder,
                settings,
                resume=resume,
                validation=validation,
                background=background,
                should_stop=search.asked_to_stop,
            )

        search = _Search(run, books, settings, place, should_stop)
        started = search.begin()
        search.budget.refuse_too_little(trials)
        drawn = books.draw(trials, started.configuration.vocabulary, answer_seconds, answer_limit)
        waiting = [trial for trial in drawn if not trial.ended]
        yield SweepStarted(
            corpus=corpus,
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
                place_checkpoint(search.best.folder, folder, overwrite=overwrite)
                if isinstance(error, AutocompleteError):
                    raise type(error)(f"{error}. The best so far is in {folder}") from None
            raise
        place_checkpoint(search.best.folder, folder, overwrite=overwrite)
        yield SweepFinished(
            folder=folder,
            reason="interrupted" if search.stopped else "done",
            ranking=tuple(sorted((trial for trial in search.trials if trial.bits is not None), key=_bits)),
            settings=search.best.settings,
            finished=replace(finished, folder=folder),
        )


@dataclass(frozen=True)
class _Best:
    """The run that reached the fewest bits; `finished` is its end, None where it was left when it had reached them."""

    bits: float
    folder: Path
    settings: TrainingSettings
    finished: Finished | None = None


class _Search:
    """The rounds of a search, and what changes in them: the trials that have ended, and the best run so far."""

    def __init__(
        self,
        run: Callable[..., Generator[Event, None, None]],
        books: Trials,
        settings: TrainingSettings,
        place: Path,
        should_stop: Callable[[], bool],
    ) -> None:
        self._run, self._books, self._settings, self._place = run, books, settings, place
        self._should_stop = should_stop
        self.budget = Budget(settings)
        self.stopped = False
        self.best: _Best | None = None
        self.trials: list[Trial] = []  # that have ended

    def asked_to_stop(self) -> bool:
        """Return whether the search is to stop; once it is, it stays so."""
        self.stopped = self.stopped or self._should_stop()
        return self.stopped

    def begin(self) -> Started:
        """Begin a run up to its first step, to learn the vocabulary and how long that takes; nothing is written."""
        began = time.monotonic()
        small = replace(self._settings, hidden=1, layers=1, word_hidden=0)
        with closing(self._run(self._place / "begun", small)) as events:
            started = next(events)
            assert isinstance(started, Started)
            next(events)
        self.budget.beginning = time.monotonic() - began
        return started

    def rounds(self, trials: list[Trial]) -> Iterator[SweepEvent]:
        """Train some trials, the best of them again, until one has been trained alone."""
        number, alone = 0, False
        while trials and not alone and not self.stopped:
            number, alone = number + 1, len(trials) == 1
            settings = self.budget.share(len(trials))
            trained: list[Trial] = []
            for trial in trials:
                if not self.stopped:
                    trial = yield from self._train(replace(trial, state="running", round=number), settings, alone)
                if trial.state == "failed":
                    yield self._end(trial)
                else:
                    trained.append(trial)
            trials = []
            for trial in trained:
                if self.stopped:
                    yield self._end(replace(trial, state="stopped"))
                elif alone:
                    yield self._end(replace(trial, state="done"))
                elif self._books.passes(trial):
                    trials.append(trial)
                else:
                    yield self._end(replace(trial, state="pruned"))

    def _end(self, trial: Trial) -> Trial:
        self._books.end(trial)
        self.trials.append(trial)
        return trial

    def _train(self, trial: Trial, settings: TrainingSettings, alone: bool) -> Generator[SweepEvent, None, Trial]:
        """Train one trial, yield it as it changes, and return it as it is then: waiting for the next round, or failed."""
        folder, settings = self._place / f"{trial.round}-{trial.number}", trial.apply(settings)
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
            return replace(former, state="failed", problem=str(error).partition(";")[0])
        self._remove_all_but_best()
        self._books.report(trial, bits)
        trial = replace(trial, state="waiting")
        yield trial
        return trial

    def _remove_all_but_best(self) -> None:
        for folder in self._place.iterdir():
            if self.best is None or folder != self.best.folder:
                shutil.rmtree(folder, ignore_errors=True)

    def finish(self, best: _Best) -> Finished:
        """Return the end of the best run, which is brought to it if need be."""
        if best.finished is not None:
            return best.finished
        *_, finished = self._run(best.folder, best.settings, resume=True)
        assert isinstance(finished, Finished)
        return finished


def _bits(trial: Trial) -> float:
    return math.inf if trial.bits is None else trial.bits
