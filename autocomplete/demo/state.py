"""
The hidden state of the default checkpoint over a sentence, and what some of its units turned out to stand for.

The units are found by `evaluation/units.py`: by correlation over the sentences at hand, chosen on half of them and judged on the
other half. The sentence given is then read by the same network, and shows what those units do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from autocomplete.demo.drawing import cell_of, height, shade, visible
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.demo.sentences import SENTENCES
from autocomplete.errors import SettingsError
from autocomplete.lab.units import FEATURES, FoundUnit, find_units, hidden_states
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.storage.lookup import DEFAULT, find_checkpoint

__all__ = ["SCENE"]

_LONGEST = 200  # characters of a sentence
_LABEL, _FIGURES = 23, 14  # cells left and right of the letters
_PICTURES = 60  # of the sentence being read, at most
_READING = 6.0  # seconds that the sentence is read in
_WEAK = 0.3  # a correlation below which no unit can be said to stand for a feature: it explains less than a tenth


def play(word: str, size: Size) -> Iterator[Frame]:
    """Yield the frames; raise SettingsError for a text that is empty or very long."""
    checkpoint = read_checkpoint(find_checkpoint(DEFAULT))
    text = _read(checkpoint.alphabet.surface(word))
    states = hidden_states(checkpoint, text)
    units = states.shape[1]
    shown = range(min(units, size.height - 4))
    step = math.ceil(len(text) / _PICTURES)
    for read in range(step, len(text) + step, step):
        caption = f"Of {units} hidden units, the first {len(shown)}: after each letter each has another value between -1 and 1."
        yield Frame(_raw(text, states, read, shown, size), caption, _READING * step / len(text))
    found = find_units(checkpoint, SENTENCES)
    for count, unit in enumerate(found, start=1):
        yield Frame(_meanings(text, states, found[:count], size), _told(unit, units), 1.2)
    yield Frame(_meanings(text, states, found, size), _verdict(found), 3.0)


def _read(word: str) -> str:
    text = " ".join(word.split())
    if not text:
        raise SettingsError(f"the sentence is empty; give some words, such as: {SCENE.word}")
    if len(text) > _LONGEST:
        raise SettingsError(f"the sentence has {len(text):,} characters; give one of {_LONGEST} at most")
    return text


def _columns(text: str, size: Size) -> tuple[int, slice]:
    """Return the cells that a letter takes, and the letters for which there is room: the last ones."""
    cells = size.width - _LABEL - _FIGURES
    column = 2 if 2 * len(text) <= cells or any(cell_len(visible(character)) > 1 for character in text) else 1
    return column, slice(max(0, len(text) - cells // column), len(text))


def _letters(text: str, size: Size, read: int) -> Text:
    column, places = _columns(text, size)
    line = Text(" letter read".ljust(_LABEL), "dim", no_wrap=True, overflow="crop")
    for place in range(places.start, places.stop):
        line.append(cell_of(text[place], column), "bold not dim" if place < read else "dim")
    return line


def _raw(text: str, states: NDArray[np.float32], read: int, shown: Sequence[int], size: Size) -> RenderableType:
    """Return the values of some units after each letter read so far."""
    lines = [_letters(text, size, read)]
    for unit in shown:
        line = Text(f" unit {unit}".ljust(_LABEL), "dim", no_wrap=True, overflow="crop")
        lines.append(_values(line, text, states[:, unit], size, read))
    return Group(*lines)


def _meanings(text: str, states: NDArray[np.float32], found: Sequence[FoundUnit], size: Size) -> RenderableType:
    """Return for each feature where the sentence has it, and what the unit does that goes with it most closely."""
    lines = [_letters(text, size, len(text)).append("  correlation", "dim")]
    column, places = _columns(text, size)
    for unit in found:
        if size.height >= 30:
            lines.append(Text())
        line = Text(f" {unit.feature}".ljust(_LABEL), "bold", no_wrap=True, overflow="crop")
        values = FEATURES[unit.feature](text)
        for value in (values / max(values.max(), 1.0))[places].tolist():
            line.append(
                ("·" if value == 0 else height(value)).ljust(column), "dim not bold" if value == 0 else "not bold"
            )
        lines.append(line)
        line = Text(f"   unit {unit.unit}".ljust(_LABEL), "dim", no_wrap=True, overflow="crop")
        weak = abs(unit.held_out) < _WEAK
        _values(line, text, states[:, unit.unit], size, len(text))
        lines.append(line.append(f"{unit.held_out:>13.2f}", "dim" if weak else "bold green not dim"))
    return Group(*lines)


def _values(line: Text, text: str, values: NDArray[np.float32], size: Size, read: int) -> Text:
    """Append the value of a unit after each letter: by height and by colour, from -1 to 1."""
    column, places = _columns(text, size)
    for share in (0.5 + values[places.start : min(places.stop, read)] / 2).tolist():
        line.append(height(share) * column, f"{shade(share)} not dim")
    return line


def _told(unit: FoundUnit, units: int) -> str:
    return (
        f"{unit.feature.capitalize()}: of {units} units, {unit.unit} goes with it most closely, at {unit.chosen:.2f} on half of "
        f"the sentences at hand; on the others, {unit.held_out:.2f}."
    )


def _verdict(found: Sequence[FoundUnit]) -> str:
    clear = [unit.feature for unit in found if abs(unit.held_out) >= _WEAK]
    return (
        f"Nobody told the network of words or quotations: {len(clear)} of {len(found)} features have a unit that follows them, "
        "measured on lines that did not choose it."
    )


SCENE = Scene(
    name="state",
    title="the hidden state over a sentence, and what its units stand for",
    about="The network that ships with the tool reads a sentence; each row is one of its hidden units, low and blue towards -1, "
    "high and orange towards 1. Then units that mean something are looked for: for each feature of the text, the unit whose "
    "value goes with it most closely, chosen on some sentences and judged on others.",
    hint="A sentence with a quotation in it, or a very long word.",
    equations="r(unit, feature) = sum (h - mean h) (y - mean y)\n"
    "                  / sqrt(sum (h - mean h)^2  sum (y - mean y)^2)\n"
    "unit(feature) = argmax |r| on every other line; shown is r on the rest\n"
    "h after each letter: o tanh(c), 256 numbers",
    word='he said "we have a name" and left',
    play=play,
)
