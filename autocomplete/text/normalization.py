"""
Unicode normalization, and where a word begins and ends.

A text has two forms. Its *surface* is shown and inserted: the user's characters in normal form C. Its *key* is compared and read
by networks: case folded, with straight apostrophes. The two can differ in length (`Straße` has the key `strasse`); only
`completion` converts between them. A language whose keys are keystrokes, like Korean, would be another `Normalization`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from autocomplete.errors import SettingsError

__all__ = [
    "APOSTROPHES", "Kept", "Normalization", "is_word_character", "split_first_word", "split_last_word", "without_marks",
]  # fmt: skip

APOSTROPHES = frozenset("'")  # of keys: they continue a word, but do not begin one
_STRAIGHT_APOSTROPHES = str.maketrans("’ʼ＇", "'''")
_LONE_APOSTROPHE = re.compile(r"(?<![^' ])'(?![^' ])")


@dataclass(frozen=True)
class Normalization:
    """How text becomes the symbols that a model reads; recorded in every checkpoint."""

    form: Literal["NFC"] = "NFC"  # the Unicode normal form of surfaces and keys
    case: Literal["fold", "keep"] = "fold"  # "keep" makes `A` and `a` two symbols

    def surface(self, text: str) -> str:
        """Return the text as it is shown, in normal form."""
        return text if text.isascii() else unicodedata.normalize(self.form, text)

    def key(self, text: str) -> str:
        """Return the text as it is compared. The key of a prefix is a prefix of the key: `Σ` never becomes `ς`."""
        if text.isascii():
            return text.casefold() if self.case == "fold" else text
        text = unicodedata.normalize(self.form, text).translate(_STRAIGHT_APOSTROPHES)
        return unicodedata.normalize(self.form, text.casefold()) if self.case == "fold" else text

    def keys(self, texts: Sequence[str]) -> list[str]:
        """Return the key of each text, fast for ASCII, and the same object where text and key are equal."""
        if self.case == "keep":
            return [self.key(text) for text in texts]
        folded = (text.casefold() if text.isascii() else self.key(text) for text in texts)
        return [text if text == key else key for text, key in zip(texts, folded, strict=True)]

    def spell(self, key: str) -> str:
        """Return how a key without a known surface is written."""
        return key

    def completion(self, typed: str, surface: str) -> tuple[int, str]:
        """
        Return the number of typed characters to replace, and the text to insert, in the case of the typed letters.

        :param typed: the surface of the typed part of the word; may be empty.
        :param surface: the surface of the whole word; ValueError if its key does not start with that of `typed`.
        """
        key, whole = self.key(typed), self.key(surface)
        if not whole.startswith(key):
            raise ValueError(f"{surface!r} does not complete {typed!r}")
        # The shortest prefix of the surface with this key. If there is none (`stras` of `Straße`), the key is completed.
        cut = next((i for i in range(len(surface) + 1) if self.key(surface[:i]) == key), None)
        # After `nb`, `NBA` is completed in lower case.
        small = any(ours.islower() and theirs.isupper() for ours, theirs in zip(typed, surface, strict=False))
        rest = self.spell(whole[len(key) :]) if cut is None else surface[cut:]
        return 0, self.match_case(typed, rest.lower() if small else rest)

    def match_case(self, typed: str, rest: str) -> str:
        """Return the rest of a word, in capitals if at least two letters were typed, all in capitals."""
        return rest.upper() if sum(map(str.isalpha, typed)) > 1 and typed.isupper() else rest

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Return the normalization from its `to_json`; raise SettingsError if this version does not know it."""
        normalization = cls(**fields)
        if normalization.form != "NFC" or normalization.case not in ("fold", "keep"):
            raise SettingsError(f"unknown normalisation {fields}; a newer version of autocomplete may know it")
        return normalization


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


def _continues_word(character: str, alphabet: frozenset[str]) -> bool:
    return is_word_character(character) or character.translate(_STRAIGHT_APOSTROPHES) in alphabet


def split_last_word(text: str, alphabet: frozenset[str] = frozenset()) -> tuple[str, str]:
    """
    Split a line into the text before its last word and the word that is being typed, which may be empty.

    :param alphabet: other characters that continue a word, such as the apostrophe, but do not begin one.
    """
    start = len(text)
    while start > 0 and _continues_word(text[start - 1], alphabet):
        start -= 1
    while start < len(text) and not is_word_character(text[start]):
        start += 1
    return text[:start], text[start:]


def split_first_word(text: str, alphabet: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Split a text into the part of a word that it begins with, which may be empty, and the rest; see `split_last_word`."""
    end = next((i for i, character in enumerate(text) if not _continues_word(character, alphabet)), len(text))
    return text[:end], text[end:]


def without_marks(text: str) -> str:
    """Return a text as hastily typed: only characters of words, apostrophes and single spaces, in lower case."""
    kept = text.lower()
    if not kept.isascii():
        kept = unicodedata.normalize("NFC", kept).translate(_STRAIGHT_APOSTROPHES)
    kept = kept.translate(_TYPED)
    return " ".join((_LONE_APOSTROPHE.sub("", kept) if "'" in kept else kept).split())
