"""
How long a network takes of an answer, told from its sizes alone, before hours go into its training; and how long of one key.

What the prompt allows follows from its goal, an answer within 1 ms in the median: half of that is for the network, the
other half for the search, the lexicon and the context.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import CharacterLanguageModel, probabilities
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.configuration import Configuration

__all__ = ["ANSWER_LIMIT", "answer_seconds", "key_seconds"]

ANSWER_LIMIT = 0.5e-3  # seconds

# States in each step that a key asks of the network in the median, counted while corpora/README.md was typed with the checkpoint
# `english`: one for the key itself, then 12 prefixes in 4 batches. One key in a hundred asks for 17 steps and 45 prefixes, and
# may take five times as long (5 ms): the median is the stricter of the two.
_BATCHES = (1, 3, 3, 3, 3)
_REPETITIONS, _PATIENCE = 40, 0.1  # seconds, for networks that are so slow that fewer do
_KEYS = 200
_LARGE, _BANDWIDTH = 50_000_000, 200e9  # parameters; bytes a second, more than one thread reads


def answer_seconds(configuration: Configuration) -> float:
    """
    Return the seconds that a network of these sizes takes of an answer, on this machine.

    The least of many: whatever else the machine does makes an answer slower, never faster. What the weights are does not matter.
    A network too large to be made for this takes as long as it takes to read its weights, at the least.
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
    """
    Return the median of the seconds that a model takes of one key: a step, and the probabilities of all next characters.

    :param symbols: (n,) that are typed, one at least; again from the first where they are few.
    """
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
