"""
What the hidden units of a network stand for, found by correlation: no unit is picked by hand.

A feature is a property of a place in a text, such as being inside a quotation. The unit that correlates best with it is chosen on
some lines and judged on others: among hundreds of units, one would always fit by chance. (Karpathy, Johnson and Fei-Fei,
"Visualizing and Understanding Recurrent Networks", 2015, found such units by looking.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.checkpoint import Checkpoint
from autocomplete.text.normalization import is_word_character

__all__ = ["FEATURES", "FoundUnit", "correlations", "find_units", "hidden_states"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FoundUnit:
    """The unit with the greatest correlation (Pearson), by amount, with a feature."""

    feature: str
    unit: int  # its place in the hidden state
    chosen: float  # its correlation on the lines that chose it
    held_out: float  # its correlation on other lines


def _is(predicate: Callable[[str], bool]) -> Callable[[str], Array]:
    return lambda line: np.array([float(predicate(character)) for character in line])


def _word_length(line: str) -> Array:
    lengths = accumulate(line, lambda length, c: length + 1 if is_word_character(c) else 0, initial=0)
    return np.array(list(lengths)[1:], dtype=np.float64)


def _inside_quotation(line: str) -> Array:
    """Return 1 from an opening quotation mark on, up to the closing one, else 0."""
    inside, values = False, np.zeros(len(line))
    for place, character in enumerate(line):
        opens = character == "“" or (character == '"' and not inside)
        inside = opens or (inside and character not in '”"')
        values[place] = inside
    return values


# Each gives a value for each character of a line, once it has been read.
FEATURES: Mapping[str, Callable[[str], Array]] = {
    "inside a word": _is(is_word_character),
    "after a space": _is(str.isspace),
    "letters of the word": _word_length,
    "in a quotation": _inside_quotation,
    "after a vowel": _is(lambda character: character.casefold() in "aeiou"),
    "place in the line": lambda line: np.arange(1.0, len(line) + 1),
}


def hidden_states(checkpoint: Checkpoint, line: str) -> NDArray[np.float32]:
    """
    Return the hidden state of the top layer after each character of a line, (characters, units).

    A character whose key has several symbols has the state after the last of them.
    """
    network = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
    state, states = network.start(), []
    for character in line:
        for symbol in checkpoint.vocabulary.encode(checkpoint.alphabet.key(character)):
            state = network.step(state, [symbol])
        states.append(network.top(state)[0])
    return np.array(states, dtype=np.float32).reshape(len(line), checkpoint.configuration.hidden)


def correlations(states: NDArray[np.floating], values: Array) -> Array:
    """
    Return (units,) the correlation (Pearson) of each unit with a feature: 0 where either never changes.

    :param states: (n, units) of the network.
    :param values: (n,) of the feature.
    """
    units = states - states.mean(axis=0, dtype=np.float64)
    feature = values - values.mean()
    scale = np.sqrt((units**2).sum(axis=0) * (feature**2).sum())
    found: Array = np.divide(feature @ units, scale, out=np.zeros(units.shape[1]), where=scale > 1e-12)
    return found


def find_units(checkpoint: Checkpoint, lines: Iterable[str]) -> list[FoundUnit]:
    """Return the unit of each feature, chosen on every other line and judged on the rest."""
    texts = [line for line in lines if line]
    states = [hidden_states(checkpoint, line) for line in texts]
    choosing, judging = np.concatenate(states[::2]), np.concatenate(states[1::2])
    found = []
    for name, feature in FEATURES.items():
        values = [feature(line) for line in texts]
        chosen = correlations(choosing, np.concatenate(values[::2]))
        unit = int(np.abs(chosen).argmax())
        held_out = correlations(judging[:, unit : unit + 1], np.concatenate(values[1::2]))
        found.append(FoundUnit(name, unit, float(chosen[unit]), float(held_out[0])))
    return found
