"""What several scenes draw with: tiles that show a number by their colour, bars, and curves; readable without colours, too."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.style import Style
from rich.text import Text

from autocomplete.terminal.layout import printable

__all__ = ["bar", "centred", "curve", "percent_tile", "shown_letter", "sign_tile"]

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_NOTHING, _MORE, _LESS = (64, 64, 64), (242, 140, 40), (70, 130, 240)  # grey, orange, blue: told apart by all eyes
_STRONG, _WEAK = 0.5, 0.15  # sizes of a value from which its sign is doubled, and shown at all


def sign_tile(value: float, width: int = 1) -> Text:
    """Return a tile for a value from -1, blue, to 1, orange; its sign stands on it, twice for a large one if there is room."""
    size = abs(value)
    sign = "·" if size < _WEAK else "+" if value > 0 else "−"
    if width > 1 and size >= _STRONG:
        sign *= 2
    return Text(centred(sign, width), style=_ground(_MORE if value > 0 else _LESS, size))


def percent_tile(value: float, width: int = 3) -> Text:
    """Return a tile for a value from 0 to 1, with the percents on it."""
    percents = min(round(100 * value), 10**width - 1)  # two cells have no room for 100
    return Text(centred(str(percents), width), style=_ground(_MORE, value))


def bar(value: float, width: int, height: int) -> list[Text]:
    """Return a bar that stands for a value from 0 to 1, from the top row down."""
    eighths = round(8 * height * value) or (1 if value > 0 else 0)
    return [Text(_EIGHTHS[min(8, max(0, eighths - 8 * row))] * width) for row in reversed(range(height))]


def curve(values: Sequence[float], width: int, height: int, highest: float) -> list[str]:
    """Return the rows of a curve, the last value at its right end."""
    shown = min(width, len(values))
    places = [round(i * (len(values) - 1) / max(1, shown - 1)) for i in range(shown)]
    bars = [bar(min(1.0, values[place] / highest), 1, height) for place in places]
    return ["".join(rows[row].plain for rows in bars) for row in range(height)]


def centred(text: str, width: int) -> str:
    """Return a text in the middle of so many cells, cut where it is longer."""
    room = width - cell_len(text)
    return " " * (room // 2) + text + " " * (room - room // 2) if room >= 0 else set_cell_size(text, width)


def shown_letter(character: str) -> str:
    """Return one character as it is shown alone: a space as its sign, a mark on a dotted circle."""
    if character == " ":
        return "␣"
    if cell_len(character) == 0:
        return f"◌{character}" if character.isprintable() else "\ufffd"
    return printable(character)


def _ground(colour: tuple[int, int, int], share: float) -> Style:
    """Return the style of a tile: so much of a colour, on which letters can be read."""
    share = min(1.0, max(0.0, share))
    mixed = [round(low + share * (high - low)) for low, high in zip(_NOTHING, colour, strict=True)]
    return Style(color="black" if share > 0.6 and colour == _MORE else "white", bgcolor=Color.from_rgb(*mixed))
