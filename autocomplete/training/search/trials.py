"""
The settings that a sweep tries: drawn, reported and halved by Optuna, an optional dependency.

Optuna's own successive halving judges each trial as soon as it reports, by those that came before it (Li et al., 2020): the first
one passes every round, and how long that takes cannot be told. Here all trials of a round are compared with each other, as
in the original (Jamieson and Talwalkar, 2016), which fits into a given time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import optuna

from autocomplete.errors import SettingsError
from autocomplete.storage.configuration import Configuration
from autocomplete.training.events import Trial
from autocomplete.training.search.budget import passing
from autocomplete.training.settings import TrainingSettings

__all__ = ["Trials"]

_DRAWS = 4  # for each trial: many networks are too slow where a given option makes them so

# What is searched, and where. The rate depends on the default one, for words or text: what is best varies with cell and size,
# and not far above three times the default networks diverge.
_RANGES: dict[str, Callable[[optuna.Trial, float], Any]] = {
    "cell": lambda trial, rate: trial.suggest_categorical("cell", ["rnn", "gru", "lstm"]),
    "hidden": lambda trial, rate: trial.suggest_int("hidden", 128, 512, step=64),
    "layers": lambda trial, rate: trial.suggest_int("layers", 1, 2),
    "dropout": lambda trial, rate: round(trial.suggest_float("dropout", 0, 0.4, step=0.1), 1),
    "learning_rate": lambda trial, rate: float(
        f"{trial.suggest_float('learning_rate', rate / 4, rate * 3, log=True):.3g}"
    ),
}


class Trials:
    """
    Draws settings at random, the defaults first, so that what is found is compared with them.

    :param settings: what is not searched; its seed is that of the draws.
    :param rate: the default learning rate.
    :param fixed: names of settings that are not searched.
    :raises SettingsError: where that leaves nothing.
    """

    def __init__(self, settings: TrainingSettings, rate: float, fixed: Collection[str]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # training draws nothing
        self._settings, self._rate = replace(settings, learning_rate=settings.learning_rate or rate), rate
        self._searched = {name: draw for name, draw in _RANGES.items() if name not in fixed}
        if not self._searched:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in _RANGES)
            raise SettingsError(f"--search has nothing left to search; leave out one of {options}")
        # At random, as all are drawn before the first reports.
        self._study = optuna.create_study(sampler=optuna.samplers.RandomSampler(settings.seed), pruner=_Halving())
        defaults = {name: getattr(TrainingSettings, name) for name in self._searched} | {"learning_rate": rate}
        self._study.enqueue_trial({name: defaults[name] for name in self._searched})
        self._asked: dict[int, optuna.Trial] = {}

    def draw(
        self, count: int, vocabulary: int, answer_seconds: Callable[[Configuration], float], limit: float
    ) -> list[Trial]:
        """
        Return so many different settings whose networks answer in time, or as many as were found, and those that are too slow.

        :param answer_seconds: what a network of some sizes takes of an answer; `limit` is what it may take.
        :raises SettingsError: where none answers in time.
        """
        drawn: dict[TrainingSettings, Trial] = {}
        for _ in range(_DRAWS * count):
            if len(self._asked) == count:
                break
            asked = self._study.ask()
            settings = replace(
                self._settings, **{name: draw(asked, self._rate) for name, draw in self._searched.items()}
            )
            if settings in drawn:
                self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
                continue
            configuration = settings.configuration(vocabulary)
            seconds = answer_seconds(configuration)
            trial = Trial(
                number=len(drawn) + 1,
                **{name: getattr(settings, name) for name in _RANGES},
                parameters=configuration.parameters,
                answer_seconds=seconds,
                state="waiting" if seconds <= limit else "too slow",
            )
            drawn[settings] = trial
            if trial.ended:
                self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
            else:
                self._asked[trial.number] = asked
        if not self._asked:
            fastest = min(trial.answer_seconds for trial in drawn.values())
            raise SettingsError(
                f"none of the networks answers in time for the prompt: the fastest takes {1000 * fastest:.2f} ms, "
                f"{1000 * limit:.2f} ms are allowed; leave out --hidden, --layers or --cell, or --search"
            )
        return list(drawn.values())

    def report(self, trial: Trial, bits: float) -> None:
        """Tell what a trial reached in its round."""
        self._asked[trial.number].report(bits, trial.round)

    def passes(self, trial: Trial) -> bool:
        """Return whether a trial is among the best of its round, once all of them have reported."""
        return not self._asked[trial.number].should_prune()

    def end(self, trial: Trial) -> None:
        """Close the books on a trial that has ended."""
        states = {"pruned": optuna.trial.TrialState.PRUNED, "done": optuna.trial.TrialState.COMPLETE}
        state = states.get(trial.state, optuna.trial.TrialState.FAIL)
        self._study.tell(self._asked[trial.number], trial.bits if trial.state == "done" else None, state)


class _Halving(optuna.pruners.BasePruner):
    """Ends all trials of a round but the best third, and never all."""

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """Return whether a trial does not pass the round that it reported last."""
        number = trial.last_step
        assert number is not None
        order = sorted(
            (other.intermediate_values[number], other.number)
            for other in study.get_trials(deepcopy=False)
            if number in other.intermediate_values
        )
        return (trial.intermediate_values[number], trial.number) not in order[: passing(len(order))]
