"""
Words that are not offered unless somebody asks for them: slurs and obscenities of English.

The list, one word a line, holds what would be unwelcome on a screen that others see. Whoever means to type one of its words
types it; whoever wants them offered says `--explicit`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["explicit_words"]


@cache
def explicit_words() -> tuple[str, ...]:
    """Return the words of the list, each also with an apostrophe at its end, as some are written."""
    words = files("autocomplete.text").joinpath("blocklist.txt").read_text(encoding="utf-8").split()
    return tuple(word + end for word in words for end in ("", "'"))
