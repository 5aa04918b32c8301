"""The time that a network takes for an answer, measured from its sizes before it is trained, and for one key."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import CharacterLanguageModel, probabilities
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.configuration import Configuration

__all__ = ["ANSWER_LIMIT", "answer_seconds", "key_seconds"]

# Seconds: half of the prompt's goal, 1 ms in the median; the rest is for search, lexicon and context.
ANSWER_LIMIT = 0.5e-3

# The states of each step of the network for a key, in the median, counted with the checkpoint `english` on corpora/README.md: one
# for the key, then 12 prefixes in 4 batches. The 99th percentile is 17 steps and 45 prefixes, which may take 5 ms.
_BATCHES = (1, 3, 3, 3, 3)
_REPETITIONS, _PATIENCE = 40, 0.1  # repetitions, and the seconds after which fewer must do
_KEYS = 200
_LARGE, _BANDWIDTH = 50_000_000, 200e9  # parameters; bytes a second, more than one thread reads


def answer_seconds(configuration: Configuration) -> float:
    """
    Return the seconds that a network of these sizes takes for an answer on this machine: the least of many measurements.

    A network too large to be created for this gets an estimate, from the time to read its weights.
    """
    if configuration.parameters > _LARGE:
        return 4 * configuration.parameters * len(_BATCHES) / _BANDWIDTH
    weights = {name: np.full(shape, 0.01, dtype=np.float32) for name, shape in configuration.shapes().items()}
    network = RecurrentNetwork(configuration, weights)
    batches = [
        (tuple(np.repeat(array, size, axis=0) for array in network.start()), np.arange(size) % configuration.vocabulary)
        for size in _BATCHES
    ]
    least, stop = np.inf, time.perf_counter() + _PATIENCE
    for repetition in range(_REPETITIONS):
        if repetition and time.perf_counter() > stop:
            break
        started = time.perf_counter()
        for states, symbols in batches:
            network.probabilities(network.step(states, symbols))
        least = min(least, time.perf_counter() - started)
    return float(least)


def key_seconds(model: CharacterLanguageModel, symbols: NDArray[np.integer[Any]]) -> float:
    """Return the median seconds of a step and its probabilities, for (n,) typed symbols, repeated if they are few."""
    predict, states = probabilities(model), model.start()
    seconds, stop = [], time.perf_counter() + _PATIENCE
    for symbol in np.resize(symbols, _KEYS).tolist():
        started = time.perf_counter()
        states = model.step(states, [symbol])
        predict(states)
        seconds.append(time.perf_counter() - started)
        if time.perf_counter() > stop:
            break
    return float(np.median(seconds))
