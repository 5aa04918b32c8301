"""A predictor, evaluated on the phrases of a text: what it knows, what it saves, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.evaluation import measures
from autocomplete.evaluation.measures import AboveThreshold, Bin
from autocomplete.evaluation.phrases import with_capitals
from autocomplete.evaluation.simulation import Simulation, simulate
from autocomplete.inference.prediction import Suggestion
from autocomplete.inference.predictor import Predictor

__all__ = ["Evaluation", "evaluate"]

_SUGGESTIONS = (1, 3, 5)
_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_MOST_TYPED = 7  # letters; longer words are few


@dataclass(frozen=True)
class Evaluation:
    """
    How good a predictor is on some phrases.

    :param queries: keys before which it was asked for words: letters and spaces.
    :param bits_per_character: of letters, spaces and line ends; infinite if one was held impossible.
    :param accuracy_top_1: share of those characters that were thought the most probable.
    :param accuracy_top_3: share of those characters that were among the best three.
    :param savings: share of keys spared, by the number of suggestions read.
    :param reciprocal_ranks: words longer than the number of letters typed and their mean 1 / rank, by that number.
    :param first: the first suggestion if it is shown only above a threshold, by threshold. Where the word is more probably
        whole, that counts as the first suggestion, here and below.
    :param ghost: the same at the threshold of the prompt's ghost text.
    :param calibration: the first suggestions in bins of equal width, by their probability.
    :param calibration_error: the expected calibration error over those bins.
    :param median_milliseconds: the time of an answer with five words and five characters.
    :param slow_milliseconds: its 99th percentile.
    :param exact: share of answers that the search has proved.
    """

    phrases: int
    words: int
    characters: int
    queries: int
    bits_per_character: float
    accuracy_top_1: float
    accuracy_top_3: float
    savings: dict[int, float]
    reciprocal_ranks: tuple[tuple[int, float], ...]
    first: tuple[AboveThreshold, ...]
    ghost: AboveThreshold
    calibration: tuple[Bin, ...]
    calibration_error: float
    median_milliseconds: float
    slow_milliseconds: float
    exact: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types; what is infinite or not a number becomes null."""
        fields: dict[str, Any] = _json(asdict(self))
        fields["reciprocal_ranks"] = [
            {"typed": typed, "words": words, "mean": mean}
            for typed, (words, mean) in enumerate(fields["reciprocal_ranks"])
        ]
        return fields


def evaluate(predictor: Predictor, phrases: Iterable[str], ghost_threshold: float) -> Evaluation:
    """
    Type phrases with a predictor at hand and return how good it is.

    :param phrases: one at least, as `evaluation.phrases` makes them; each is read when the one before it is done with.
    """
    scores: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []

    def scored() -> Iterator[str]:
        for phrase in phrases:
            yield phrase
            # Once it has been typed: what is remembered from scoring a phrase would make its answers too fast.
            scores.append(predictor.score(with_capitals(phrase)))

    recorder = _Recorder(predictor)
    simulation = simulate(recorder, scored(), max(_SUGGESTIONS))
    log_probabilities, rank = map(np.concatenate, zip(*scores, strict=True))  # (characters and line ends,) each
    guesses = _guesses(simulation, np.array(recorder.whole))
    bins = measures.calibration(guesses)
    return Evaluation(
        phrases=len(scores),
        words=len(simulation.lengths),
        characters=simulation.characters,
        queries=len(simulation.ranks),
        bits_per_character=measures.bits_per_character(log_probabilities),
        accuracy_top_1=float((rank < 1).mean()),
        accuracy_top_3=float((rank < 3).mean()),
        savings={suggestions: measures.savings(simulation, suggestions) for suggestions in _SUGGESTIONS},
        reciprocal_ranks=tuple(measures.mean_reciprocal_ranks(simulation, _MOST_TYPED)),
        first=tuple(measures.above_threshold(guesses, threshold) for threshold in _THRESHOLDS),
        ghost=measures.above_threshold(guesses, ghost_threshold),
        calibration=tuple(bins),
        calibration_error=measures.calibration_error(bins),
        median_milliseconds=float(np.median(simulation.milliseconds)),
        slow_milliseconds=float(np.percentile(simulation.milliseconds, 99)),
        exact=recorder.exact / len(simulation.ranks),
    )


class _Recorder:
    """
    A predictor that remembers of its answers what words do not tell.

    :ivar exact: number of answers that were proved.
    :ivar whole: probability of each that what was typed is a whole word, if that was the best guess; else not a number.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.exact = 0
        self.whole: list[float] = []

    def suggest(self, text: str, count: int) -> Sequence[Suggestion]:
        prediction = self._predictor.predict(text, count)
        self.exact += prediction.exact
        best = prediction.best
        self.whole.append(math.nan if best is None or best.insert else best.probability)
        return prediction.words


def _guesses(simulation: Simulation, whole: NDArray[np.float64]) -> Simulation:
    """Return a simulation in which the best guess is the first suggestion, also where it is that the word is `whole` (keys,)."""
    guessed = ~np.isnan(whole)
    ended = simulation.typed == simulation.lengths[simulation.words]  # before the space: then the guess is right
    return replace(
        simulation,
        ranks=np.where(guessed, ended, simulation.ranks),
        probabilities=np.where(guessed, whole, simulation.probabilities),
    )


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
