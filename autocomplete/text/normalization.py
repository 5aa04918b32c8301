"""Unicode normalization, and where a word begins and ends."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

__all__ = [
    "APOSTROPHES", "Kept", "is_word_character", "split_first_word", "split_last_word", "straight_apostrophes", "without_marks",
]  # fmt: skip

APOSTROPHES = frozenset("'")  # of keys: they continue a word, but do not begin one
_STRAIGHT_APOSTROPHES = str.maketrans("’ʼ＇", "'''")
_LONE_APOSTROPHE = re.compile(r"(?<![^' ])'(?![^' ])")


def straight_apostrophes(text: str) -> str:
    """Return a text with typographic apostrophes made straight."""
    return text.translate(_STRAIGHT_APOSTROPHES)


def is_word_character(character: str) -> bool:
    """Return whether a character is a letter, a digit or a combining mark."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


class Kept(dict[int, str]):
    """A table for `str.translate` that replaces characters that fail a test by blanks."""

    def __init__(self, test: Callable[[str], bool]) -> None:
        super().__init__()
        self._test = test

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if self._test(chr(code)) else " "
        return self[code]


_TYPED = Kept(lambda c: is_word_character(c) or c == "'")  # with digits: `th` of `8th` is not a word


def _continues_word(character: str, inner: frozenset[str]) -> bool:
    return is_word_character(character) or character.translate(_STRAIGHT_APOSTROPHES) in inner


def split_last_word(text: str, inner: frozenset[str] = frozenset()) -> tuple[str, str]:
    """
    Split a line into the text before its last word and the word that is being typed, which may be empty.

    :param inner: other characters that continue a word, such as the apostrophe, but do not begin one.
    """
    start = len(text)
    while start > 0 and _continues_word(text[start - 1], inner):
        start -= 1
    while start < len(text) and not is_word_character(text[start]):
        start += 1
    return text[:start], text[start:]


def split_first_word(text: str, inner: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Split a text into the part of a word that it begins with, which may be empty, and the rest; see `split_last_word`."""
    end = next((i for i, character in enumerate(text) if not _continues_word(character, inner)), len(text))
    return text[:end], text[end:]


def without_marks(text: str) -> str:
    """Return a text as hastily typed: only characters of words, apostrophes and single spaces, in lower case."""
    kept = text.lower()
    if not kept.isascii():
        kept = unicodedata.normalize("NFC", kept).translate(_STRAIGHT_APOSTROPHES)
    kept = kept.translate(_TYPED)
    return " ".join((_LONE_APOSTROPHE.sub("", kept) if "'" in kept else kept).split())
