"""Text for a terminal: without control characters, cut to its columns, wrapped into its rows."""

from __future__ import annotations

from functools import lru_cache

from wcwidth import wcwidth

__all__ = ["cell_width", "cut", "printable", "visible", "wrapped"]

_JOINERS = "\u200c\u200d"  # invisible, but part of words in many scripts
_ENDS = {" ": "␣", "\n": "⏎"}  # ends of a word and of a line, else invisible


@lru_cache(4096)
def _width(character: str) -> int:
    return max(0, wcwidth(character))


def cell_width(text: str) -> int:
    """Return the number of columns of a text."""
    return sum(map(_width, text))


def printable(text: str) -> str:
    """Return the text with the replacement character for each control character."""
    return "".join(character if character.isprintable() or character in _JOINERS else "\ufffd" for character in text)


def visible(character: str) -> str:
    """Return a visible form of a character: `␣` for a space, `⏎` for a line feed."""
    return _ENDS.get(character) or printable(character)


def cut(text: str, width: int) -> str:
    """Return a text, or its beginning and an ellipsis if it is wider than `width`."""
    if cell_width(text) <= width:
        return text
    kept = ""
    for character in text:
        if cell_width(kept + character) > width - 1:
            break
        kept += character
    return kept + "…" if width > 0 else ""


def wrapped(text: str, width: int) -> str:
    """Return a text wrapped between words, with a space before each line."""
    from rich.console import Console  # not loaded by the prompt before there is an error
    from rich.text import Text

    lines = Text(text).wrap(Console(width=width), max(1, width - 1))
    return "\n".join(f" {line.plain.rstrip()}" for line in lines)
