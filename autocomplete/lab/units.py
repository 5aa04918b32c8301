"""
What the hidden units of a network stand for, found by correlation: no unit is picked by hand.

Each feature is something that can be said of a place in a text, such as being inside a quotation. The unit that goes with it most
closely is chosen on some lines and judged on others, since among hundreds of units one would always fit by chance. (Karpathy,
Johnson and Fei-Fei, "Visualizing and Understanding Recurrent Networks", 2015, found such units by looking.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import States
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.checkpoint import Checkpoint
from autocomplete.text.normalization import is_word_character

__all__ = ["FEATURES", "FoundUnit", "correlations", "find_units", "hidden_states"]

Array = NDArray[np.float64]

_OPENING, _CLOSING = "“", "”"
_VOWELS = frozenset("aeiou")


@dataclass(frozen=True)
class FoundUnit:
    """
    The unit that goes with a feature most closely.

    :param unit: its place in the hidden state.
    :param chosen: its correlation (Pearson) with the feature on the lines that chose it: the greatest of all units, by amount.
    :param held_out: the same on lines that had no part in the choice; not a number where the feature never changes there.
    """

    feature: str
    unit: int
    chosen: float
    held_out: float


def inside_word(line: str) -> Array:
    """Return 1 at each letter or digit, else 0."""
    return np.array([float(is_word_character(character)) for character in line])


def word_length(line: str) -> Array:
    """Return how many letters of its word have been read at each place, itself included; 0 outside of words."""
    lengths, length = np.zeros(len(line)), 0
    for place, character in enumerate(line):
        length = length + 1 if is_word_character(character) else 0
        lengths[place] = length
    return lengths


def inside_quotation(line: str) -> Array:
    """Return 1 from an opening quotation mark on, up to the closing one, else 0."""
    inside, values = False, np.zeros(len(line))
    for place, character in enumerate(line):
        inside = (
            character == _OPENING or (character == '"' and not inside) or (inside and character not in f'{_CLOSING}"')
        )
        values[place] = inside
    return values


def line_position(line: str) -> Array:
    """Return how many characters of the line have been read at each place."""
    return np.arange(1.0, len(line) + 1)


def _is(predicate: Callable[[str], bool]) -> Callable[[str], Array]:
    return lambda line: np.array([float(predicate(character)) for character in line])


FEATURES: Mapping[str, Callable[[str], Array]] = {
    "inside a word": inside_word,
    "after a space": _is(str.isspace),
    "letters of the word": word_length,
    "in a quotation": inside_quotation,
    "after a vowel": _is(lambda character: character.casefold() in _VOWELS),
    "place in the line": line_position,
}


def hidden_states(checkpoint: Checkpoint, line: str) -> NDArray[np.float32]:
    """
    Return the hidden state of the top layer after each character of a line, (characters, units).

    A character whose key has several symbols has the state after the last of them.
    """
    network = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
    top = -2 if checkpoint.configuration.cell == "lstm" else -1  # of the arrays of a state
    state: States = network.start()
    states = []
    for character in line:
        for symbol in checkpoint.vocabulary.encode(checkpoint.alphabet.key(character)):
            state = network.step(state, [symbol])
        states.append(state[top][0])
    return np.array(states, dtype=np.float32).reshape(len(line), checkpoint.configuration.hidden)


def correlations(states: NDArray[np.floating], values: Array) -> Array:
    """
    Return the correlation (Pearson) of each unit with a feature: 0 where either never changes.

    :param states: (n, units)
    :param values: (n,)
    :returns: (units,)
    """
    units = states - states.mean(axis=0, dtype=np.float64)
    feature = values - values.mean()
    scale = np.sqrt((units**2).sum(axis=0) * (feature**2).sum())
    found: Array = np.divide(feature @ units, scale, out=np.zeros(units.shape[1]), where=scale > 1e-12)
    return found


def find_units(
    checkpoint: Checkpoint,
    lines: Iterable[str],
    features: Mapping[str, Callable[[str], Array]] = FEATURES,
) -> list[FoundUnit]:
    """
    Return for each feature the unit with the greatest correlation, by amount, on every other line, judged on the rest.

    :param features: by name: what gives a value for each character of a line, once it has been read.
    """
    texts = [line for line in lines if line]
    states = [hidden_states(checkpoint, line) for line in texts]
    choosing, judging = np.concatenate(states[::2]), np.concatenate(states[1::2])
    found = []
    for name, feature in features.items():
        values = [feature(line) for line in texts]
        chosen = correlations(choosing, np.concatenate(values[::2]))
        unit = int(np.abs(chosen).argmax())
        held_out = correlations(judging[:, unit : unit + 1], np.concatenate(values[1::2]))
        found.append(FoundUnit(name, unit, float(chosen[unit]), float(held_out[0])))
    return found
