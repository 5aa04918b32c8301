"""
The hidden state of the default checkpoint over a sentence, and what some of its units turned out to stand for.

The units are found by `lab/units.py`: by correlation over the sentences at hand, chosen on half of them and judged on the other
half. The given sentence shows what those units do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from autocomplete.demo.drawing import cell_of, height, letter_cells, shade
from autocomplete.demo.inputs import read_sentence
from autocomplete.demo.scene import Frame, Scene, Size
from autocomplete.demo.sentences import SENTENCES
from autocomplete.lab.units import FEATURES, FoundUnit, find_units, hidden_states
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.storage.lookup import DEFAULT, find_checkpoint

__all__ = ["SCENE"]

_LABEL, _FIGURES = 23, 14  # cells left and right of the letters
_PICTURES = 60  # of the sentence being read, at most
_READING = 6.0  # seconds that the sentence is read in
_WEAK = 0.3  # a correlation below which no unit can be said to stand for a feature: it explains less than a tenth


def play(word: str, size: Size) -> Iterator[Frame]:
    """Yield the frames; raise SettingsError for a text that is empty or very long."""
    checkpoint = read_checkpoint(find_checkpoint(DEFAULT))
    text = read_sentence(checkpoint.alphabet.surface(word), SCENE.word)
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


def _columns(text: str, size: Size) -> tuple[int, range]:
    """Return the cells that a letter takes, and the places of the letters for which there is room: the last ones."""
    cells = size.width - _LABEL - _FIGURES
    column = letter_cells(text, cells)
    return column, range(max(0, len(text) - cells // column), len(text))


def _letters(text: str, size: Size, read: int) -> Text:
    column, places = _columns(text, size)
    line = _row(" letter read")
    for place in places:
        line.append(cell_of(text[place], column), "bold not dim" if place < read else "dim")
    return line


def _raw(text: str, states: NDArray[np.float32], read: int, shown: Sequence[int], size: Size) -> RenderableType:
    """Return the values of some units after each letter read so far."""
    rows = [_values(_row(f" unit {unit}"), text, states[:, unit], size, read) for unit in shown]
    return Group(_letters(text, size, read), *rows)


def _meanings(text: str, states: NDArray[np.float32], found: Sequence[FoundUnit], size: Size) -> RenderableType:
    """Return for each feature where the sentence has it, and what the unit does that goes with it most closely."""
    lines = [_letters(text, size, len(text)).append("  correlation", "dim")]
    column, places = _columns(text, size)
    for unit in found:
        if size.height >= 30:
            lines.append(Text())
        line = _row(f" {unit.feature}", "bold")
        values = FEATURES[unit.feature](text)
        for value in (values / max(values.max(), 1.0))[places.start :].tolist():
            mark, style = (height(value), "not bold") if value else ("·", "dim not bold")
            line.append(mark.ljust(column), style)
        lines.append(line)
        line = _values(_row(f"   unit {unit.unit}"), text, states[:, unit.unit], size, len(text))
        weak = abs(unit.held_out) < _WEAK
        lines.append(line.append(f"{unit.held_out:>13.2f}", "dim" if weak else "bold green not dim"))
    return Group(*lines)


def _row(label: str, style: str = "dim") -> Text:
    return Text(label.ljust(_LABEL), style, no_wrap=True, overflow="crop")


def _values(line: Text, text: str, values: NDArray[np.float32], size: Size, read: int) -> Text:
    """Append the value of a unit after each letter: by height and by colour, from -1 to 1."""
    column, places = _columns(text, size)
    for share in (0.5 + values[places.start : read] / 2).tolist():
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
