"""
What pictures of scenes are made of: bars, heights and curves, tiles that show a number by their colour, and letters.

All of them take the cells that they are given, and can be read without colours, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.style import Style
from rich.text import Text

from autocomplete.text import printable

__all__ = [
    "bar",
    "cell_of",
    "centred",
    "column",
    "counted",
    "curve",
    "fitted",
    "height",
    "letter_cells",
    "name_of",
    "percent",
    "percent_tile",
    "shade",
    "sign_tile",
    "tail",
    "visible",
    "with_way",
]

_PARTS = " ▏▎▍▌▋▊▉"  # of a cell, from the left
_HEIGHTS = "▁▂▃▄▅▆▇█"
# Blue, grey and orange, told apart by all eyes, and seen on a dark and on a light ground.
_LOW, _MIDDLE, _HIGH = (70, 130, 240), (128, 128, 128), (245, 130, 35)
_NOTHING = (64, 64, 64)  # the ground of a tile for 0
_STRONG, _WEAK = 0.5, 0.15  # sizes of a value from which its sign is doubled on a tile, and shown at all
_MARKS = {"start": "▸", "end": "■"}  # of the boundaries of a word, where there is no room for their names

Colour = tuple[int, int, int]


def bar(share: float, width: int) -> str:
    """Return a bar of a share of some cells, to an eighth of a cell, and blanks after it."""
    eighths = round(8 * width * min(max(share, 0.0), 1.0))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_PARTS[rest] if rest else "")).ljust(width)


def column(share: float, width: int, height: int) -> list[str]:
    """Return an upright bar of a share of so many lines, to an eighth of a line, from the top one down."""
    eighths = round(8 * height * share) or (1 if share > 0 else 0)
    return [(" " + _HEIGHTS)[min(8, max(0, eighths - 8 * row))] * width for row in reversed(range(height))]


def curve(values: Sequence[float], width: int, height: int, highest: float) -> list[str]:
    """Return the lines of a curve, the last value at its right end."""
    shown = min(width, len(values))
    places = [round(i * (len(values) - 1) / max(1, shown - 1)) for i in range(shown)]
    columns = [column(min(1.0, values[place] / highest), 1, height) for place in places]
    return ["".join(line) for line in zip(*columns, strict=True)]


def height(share: float) -> str:
    """Return a block of one of eight heights for a share from 0 to 1: the lowest for 0, so that it is there at all."""
    return _HEIGHTS[min(7, int(8 * min(max(share, 0.0), 1.0)))]


def shade(share: float) -> str:
    """Return the colour for a share from 0 (blue) over a half (grey) to 1 (orange)."""
    share = min(max(share, 0.0), 1.0)
    near, far, part = (_LOW, _MIDDLE, 2 * share) if share < 0.5 else (_MIDDLE, _HIGH, 2 * share - 1)
    return "#" + "".join(f"{value:02x}" for value in _mixed(near, far, part))


def sign_tile(value: float, width: int = 1) -> Text:
    """Return a tile for a value from -1, blue, to 1, orange; its sign stands on it, twice for a large one if there is room."""
    size = abs(value)
    sign = "·" if size < _WEAK else "+" if value > 0 else "−"
    if width > 1 and size >= _STRONG:
        sign *= 2
    return Text(centred(sign, width), style=_ground(_HIGH if value > 0 else _LOW, size))


def percent_tile(value: float, width: int = 3) -> Text:
    """Return a tile for a value from 0 to 1, with the percents on it."""
    percents = min(round(100 * value), 10**width - 1)  # two cells have no room for 100
    return Text(centred(str(percents), width), style=_ground(_HIGH, value))


def with_way(tiles: Sequence[Text], column: int, *, comes: bool, goes: bool) -> Text:
    """
    Return the tiles of a state in the middle of a column, on the way from state to state.

    :param comes: whether the way leads to the tiles from the left.
    :param goes: whether an arrow leads on to the right.
    """
    width = sum(tile.cell_len for tile in tiles)
    left = (column - width) // 2
    right = column - width - left
    before, after = "─" * left if comes else " " * left, ("─" * (right - 1) + "→")[:right] if goes else " " * right
    return Text.assemble((before, "dim"), *tiles, (after, "dim"))


def percent(share: float) -> str:
    """Return a share in four to five characters: whole percents, what is less than one, and what is nothing at all."""
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def counted(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def visible(character: str) -> str:
    """Return a character as something that can be seen and takes one cell or two, whatever it is."""
    shown = printable.visible(" " if character.isspace() and character != "\n" else character)
    return shown if cell_len(shown) else "◌" + shown  # a mark that stands on what is before it


def name_of(symbol: str, room: int) -> str:
    """Return a letter as it can be seen, or `start` or `end` as a word or, where that has no room, as a mark."""
    if len(symbol) == 1:
        return visible(symbol)
    return symbol if len(symbol) <= room else _MARKS.get(symbol, symbol)


def cell_of(character: str, width: int) -> str:
    """Return a character as it can be seen, in a column of that many cells, two of them at most."""
    shown = visible(character)
    return set_cell_size(shown if cell_len(shown) <= width else "\ufffd", width)


def letter_cells(text: str, room: int) -> int:
    """Return the cells of a column for each letter: two where they fit into the room, or a letter needs them; else one."""
    return 2 if 2 * len(text) <= room or any(cell_len(visible(character)) > 1 for character in text) else 1


def centred(text: str, width: int) -> str:
    """Return a text in the middle of so many cells, cut where it is longer."""
    room = width - cell_len(text)
    return " " * (room // 2) + text + " " * (room - room // 2) if room >= 0 else set_cell_size(text, width)


def fitted(text: str, width: int) -> str:
    """Return a text in exactly so many cells: blanks after it, or its beginning and an ellipsis."""
    return set_cell_size(printable.cut(_shown(text), width), width)


def tail(text: str, width: int) -> str:
    """Return a text, or an ellipsis and its end, in so many cells at most."""
    shown = _shown(text)
    if cell_len(shown) <= width:
        return shown
    while cell_len(shown) > width - 1:
        shown = shown[1:]
    return "…" + shown


def _shown(text: str) -> str:
    return "".join(character if character == " " else visible(character) for character in text)


def _ground(colour: Colour, share: float) -> Style:
    """Return the style of a tile: so much of a colour, on which letters can be read."""
    share = min(1.0, max(0.0, share))
    mixed = Color.from_rgb(*_mixed(_NOTHING, colour, share))
    return Style(color="black" if share > 0.6 and colour == _HIGH else "white", bgcolor=mixed)


def _mixed(one: Colour, other: Colour, share: float) -> tuple[int, int, int]:
    """Return the colour that lies between two, at a share of the way."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
