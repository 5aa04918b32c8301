"""What pictures of scenes are made of: bars, heights, colours and letters that take the cells they are given."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

__all__ = ["bar", "cell_of", "cut", "height", "percent", "shade", "tail", "visible"]

_PARTS = " ▏▎▍▌▋▊▉"  # of a cell, from the left
_HEIGHTS = "▁▂▃▄▅▆▇█"
_LOW, _MIDDLE, _HIGH = (70, 130, 240), (128, 128, 128), (245, 120, 30)  # seen on a dark and on a light ground


def bar(share: float, width: int) -> str:
    """Return a bar of a share of some cells, to an eighth of a cell, and blanks after it."""
    eighths = round(8 * width * min(max(share, 0.0), 1.0))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_PARTS[rest] if rest else "")).ljust(width)


def height(share: float) -> str:
    """Return a block of one of eight heights for a share from 0 to 1: the lowest for 0, so that it is there at all."""
    return _HEIGHTS[min(7, int(8 * min(max(share, 0.0), 1.0)))]


def shade(share: float) -> str:
    """Return the colour for a share from 0 (blue) over a half (grey) to 1 (orange)."""
    share = min(max(share, 0.0), 1.0)
    near, far, part = (_LOW, _MIDDLE, 2 * share) if share < 0.5 else (_MIDDLE, _HIGH, 2 * share - 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(near, far, strict=True))


def percent(share: float) -> str:
    """Return a share in four to five characters: whole percents, what is less than one, and what is nothing at all."""
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def visible(character: str) -> str:
    """Return a character as something that can be seen and takes one cell or two, whatever it is."""
    if character.isspace():
        return "⏎" if character == "\n" else "␣"
    if not character.isprintable():
        return "\ufffd"
    return character if cell_len(character) else "◌" + character  # a mark that stands on what is before it


def cell_of(character: str, width: int) -> str:
    """Return a character as it can be seen, in a column of that many cells, two of them at most."""
    shown = visible(character)
    if cell_len(shown) > width:
        shown = "\ufffd"
    return shown + " " * (width - cell_len(shown))


def cut(text: str, width: int) -> str:
    """Return a text in exactly so many cells: blanks after it, or its beginning and an ellipsis."""
    line = Text(_shown(text))
    line.truncate(width, overflow="ellipsis", pad=True)
    return line.plain


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
