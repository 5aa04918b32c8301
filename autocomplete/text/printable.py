"""Text as a terminal may show it: no control characters, cut to its columns, wrapped into its rows."""

from __future__ import annotations

from functools import lru_cache

from wcwidth import wcwidth

__all__ = ["cell_width", "cut", "printable", "visible", "wrapped"]

_JOINERS = "\u200c\u200d"  # invisible, but part of words in many scripts
_ENDS = {" ": "␣", "\n": "⏎"}  # of a word and of a line, which would be invisible
_WIDTHS = 4096  # characters whose width is remembered


@lru_cache(_WIDTHS)
def _width(character: str) -> int:
    return max(0, wcwidth(character))


def cell_width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(map(_width, text))


def printable(text: str) -> str:
    """Return the text with the replacement character for each one that a terminal might obey instead of show."""
    return "".join(character if character.isprintable() or character in _JOINERS else "\ufffd" for character in text)


def visible(character: str) -> str:
    """Return a character as something that can be seen: a space as `␣`, a line feed as `⏎`."""
    return _ENDS.get(character) or printable(character)


def cut(text: str, width: int) -> str:
    """Return a text, or its beginning and an ellipsis where there is no room for all."""
    if cell_width(text) <= width:
        return text
    kept = ""
    for character in text:
        if cell_width(kept + character) > width - 1:
            break
        kept += character
    return kept + "…" if width > 0 else ""


def wrapped(text: str, width: int) -> str:
    """Return a text in lines that end between words, a space before each."""
    from rich.console import Console  # which the prompt does without as long as nothing is amiss
    from rich.text import Text

    lines = Text(text).wrap(Console(width=width), max(1, width - 1))
    return "\n".join(f" {line.plain.rstrip()}" for line in lines)
