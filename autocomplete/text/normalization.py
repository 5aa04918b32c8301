"""
One spelling for what looks the same, and where a word begins.

A text has two forms here. Its *surface* is what is shown and inserted: the user's characters in Unicode normal form C.
Its *key* is what is compared and what a network reads, one symbol a character: case folded and typographic apostrophes
straightened, so that `Don’t` finds `don't`. The two can differ in length (`Straße` has the key `strasse`), so neither is
ever sliced by the length of the other; `completion` is the one place where they meet.

A language whose keys are not its characters (the two-set keyboard of Korean, where a syllable is two or three
keystrokes) is another `Normalization`: `key` takes its text apart and `spell` puts it together again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from autocomplete.errors import SettingsError

__all__ = [
    "APOSTROPHES",
    "Kept",
    "Normalization",
    "is_word_character",
    "split_first_word",
    "split_last_word",
    "without_marks",
]

APOSTROPHES = frozenset("'")  # as keys have them: they go on with a word, but do not begin one
_STRAIGHT_APOSTROPHES = str.maketrans("’ʼ＇", "'''")


_LONE_APOSTROPHE = re.compile(r"(?<![^' ])'(?![^' ])")


@dataclass(frozen=True)
class Normalization:
    """
    How text becomes the symbols that a model reads; recorded in every checkpoint.

    :param form: the Unicode normal form of surfaces and keys.
    :param case: "fold" compares without regard to case; "keep" makes `A` and `a` two symbols.
    """

    form: Literal["NFC"] = "NFC"
    case: Literal["fold", "keep"] = "fold"

    def surface(self, text: str) -> str:
        """Return the text as it is shown: in normal form, nothing else changed."""
        return text if text.isascii() else unicodedata.normalize(self.form, text)

    def key(self, text: str) -> str:
        """
        Return the text as it is compared.

        Folding is done without looking at neighbours (`Σ` never becomes `ς`), so the key of a prefix is a prefix of the key.
        """
        if text.isascii():
            return text.casefold() if self.case == "fold" else text
        text = unicodedata.normalize(self.form, text).translate(_STRAIGHT_APOSTROPHES)
        return unicodedata.normalize(self.form, text.casefold()) if self.case == "fold" else text

    def keys(self, texts: Sequence[str]) -> list[str]:
        """Return the key of each text, which is the text itself where they are the same; of many plain ones in little time."""
        if self.case == "keep":
            return [self.key(text) for text in texts]
        folded = (text.casefold() if text.isascii() else self.key(text) for text in texts)
        return [text if text == key else key for text, key in zip(texts, folded, strict=True)]

    def spell(self, key: str) -> str:
        """Return how a key is written when no surface is known for it."""
        return key

    def completion(self, typed: str, surface: str) -> tuple[int, str]:
        """
        Return how many characters of `typed` are replaced, and by what, to arrive at a word in the typed letters' own case.

        :param typed: the surface of what the user has typed of the word; may be empty.
        :param surface: the surface of the whole word, whose key starts with the key of `typed`.
        """
        key, whole = self.key(typed), self.key(surface)
        if not whole.startswith(key):
            raise ValueError(f"{surface!r} does not complete {typed!r}")
        # The shortest prefix of the surface that covers what was typed; where none ends just there (`stras` of
        # `Straße`), the rest is taken from the key.
        cut = next((i for i in range(len(surface) + 1) if self.key(surface[:i]) == key), None)
        # Who types `nb` of `NBA` does not take the trouble of capitals.
        small = any(ours.islower() and theirs.isupper() for ours, theirs in zip(typed, surface, strict=False))
        rest = self.spell(whole[len(key) :]) if cut is None else surface[cut:]
        return 0, self.match_case(typed, rest.lower() if small else rest)

    def match_case(self, typed: str, rest: str) -> str:
        """Return the rest of a word in capitals if what was typed of it, two letters at least, is."""
        return rest.upper() if sum(map(str.isalpha, typed)) > 1 and typed.isupper() else rest

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Return the normalization that `to_json` wrote; raise SettingsError for one that this version does not know."""
        normalization = cls(**fields)
        if normalization.form != "NFC" or normalization.case not in ("fold", "keep"):
            raise SettingsError(f"unknown normalisation {fields}; a newer version of autocomplete may know it")
        return normalization


def is_word_character(character: str) -> bool:
    """Return whether a character is part of a word in any language: a letter, a digit or a combining mark."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


class Kept(dict[int, str]):
    """For `str.translate`: a blank in place of each character that a test does not pass; tested once."""

    def __init__(self, test: Callable[[str], bool]) -> None:
        super().__init__()
        self._test = test

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if self._test(chr(code)) else " "
        return self[code]


# With digits, or `8th` would teach that `th` is a word.
_TYPED = Kept(lambda c: is_word_character(c) or c == "'")


def split_last_word(text: str, alphabet: frozenset[str] = frozenset()) -> tuple[str, str]:
    """
    Split a line into what stands before its last word and the word that is being typed, which may be empty.

    :param alphabet: characters that also belong to words, such as the apostrophe, but do not begin one.
    """
    start = len(text)
    while start > 0 and (
        is_word_character(text[start - 1]) or text[start - 1].translate(_STRAIGHT_APOSTROPHES) in alphabet
    ):
        start -= 1
    while start < len(text) and not is_word_character(text[start]):
        start += 1
    return text[:start], text[start:]


def split_first_word(text: str, alphabet: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Split a text into the part of a word that it begins with, which may be empty, and the rest; `alphabet` as above."""
    end = 0
    while end < len(text) and (is_word_character(text[end]) or text[end].translate(_STRAIGHT_APOSTROPHES) in alphabet):
        end += 1
    return text[:end], text[end:]


def without_marks(text: str) -> str:
    """Return a text as it is typed in haste: the characters of words, apostrophes and single spaces, in lower case."""
    kept = text.lower()
    if not kept.isascii():
        kept = unicodedata.normalize("NFC", kept).translate(_STRAIGHT_APOSTROPHES)
    kept = kept.translate(_TYPED)
    return " ".join((_LONE_APOSTROPHE.sub("", kept) if "'" in kept else kept).split())
