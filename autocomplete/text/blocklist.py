"""English slurs and obscenities, which are offered only with `--explicit`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["explicit_words"]


@cache
def explicit_words() -> tuple[str, ...]:
    """Return the words of the list, each also with an apostrophe at its end."""
    words = files("autocomplete.text").joinpath("blocklist.txt").read_text(encoding="utf-8").split()
    return tuple(word + end for word in words for end in ("", "'"))
