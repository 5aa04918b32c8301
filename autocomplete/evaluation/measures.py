"""
The figures of a simulation.

*Keystroke savings*: before each key, `suggestions` words are read. If the word that is meant is among them, one key takes it
with the space after it; otherwise one key types the next character. A word taken when it stands there whole saves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocomplete.evaluation.simulation import Simulation

__all__ = [
    "AboveThreshold",
    "Bin",
    "above_threshold",
    "bits_per_character",
    "calibration",
    "calibration_error",
    "keys",
    "mean_reciprocal_ranks",
    "savings",
]


@dataclass(frozen=True)
class AboveThreshold:
    """
    The first suggestion, if it is shown only where it is probable enough.

    :param precision: share of those shown that were right; not a number where none is shown.
    :param coverage: share of keys before which one is shown.
    """

    threshold: float
    precision: float
    coverage: float


@dataclass(frozen=True)
class Bin:
    """First suggestions of about the same probability: its mean, and the share that was right; not a number where none is."""

    probability: float
    accuracy: float
    count: int


def keys(simulation: Simulation, suggestions: int) -> int:
    """Return how many keys the phrases take with so many suggestions; at most as many as they have characters."""
    taken = simulation.lengths + simulation.spaces  # (words,) of which each key is pressed
    offered = (simulation.ranks >= 1) & (simulation.ranks <= suggestions)
    np.minimum.at(taken, simulation.words[offered], simulation.typed[offered] + 1)
    return int(taken.sum())


def savings(simulation: Simulation, suggestions: int) -> float:
    """Return the share of keys that so many suggestions spare."""
    return 1 - keys(simulation, suggestions) / simulation.characters


def mean_reciprocal_ranks(simulation: Simulation, most_typed: int) -> list[tuple[int, float]]:
    """
    Return the number of words and the mean of 1 / rank over them (0 where a word was not offered).

    One pair for each number of letters typed, from 0 to `most_typed`; of words that are longer than that.
    """
    reciprocal = np.where(simulation.ranks > 0, 1 / np.maximum(simulation.ranks, 1), 0.0)
    typed = np.where(simulation.typed < simulation.lengths[simulation.words], simulation.typed, -1)  # -1 before spaces
    after = [reciprocal[typed == letters] for letters in range(most_typed + 1)]
    return [(len(values), _mean(values)) for values in after]


def above_threshold(simulation: Simulation, threshold: float) -> AboveThreshold:
    """Return how often the first suggestion is at least so probable, and how often it is right then."""
    shown = simulation.probabilities >= threshold  # not where there is none: it is not a number
    return AboveThreshold(threshold, _mean(simulation.ranks[shown] == 1), _mean(shown))


def calibration(simulation: Simulation, bins: int = 10) -> list[Bin]:
    """Return the first suggestions in bins of equal width, from probability 0 to 1."""
    offered = ~np.isnan(simulation.probabilities)
    probabilities, right = simulation.probabilities[offered], simulation.ranks[offered] == 1
    place = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    return [
        Bin(_mean(probabilities[place == number]), _mean(right[place == number]), int((place == number).sum()))
        for number in range(bins)
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """
    Return the expected calibration error: how far probability and accuracy are apart, the mean over suggestions.

    Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015.
    """
    total = sum(each.count for each in bins)
    apart = sum(each.count * abs(each.probability - each.accuracy) for each in bins if each.count)
    return apart / total if total else math.nan


def bits_per_character(log_probabilities: NDArray[np.float64]) -> float:
    """Return the mean surprise, in bits, of characters of these natural log probabilities."""
    return -_mean(log_probabilities) / math.log(2)


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else math.nan
