"""The alphabet of scripts whose symbols are their characters: Latin, Greek, Cyrillic and others."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autocomplete.errors import SettingsError
from autocomplete.text.normalization import straight_apostrophes

__all__ = ["Letters"]


@dataclass(frozen=True)
class Letters:
    """Letters as symbols: the key of a text is its characters in normal form C, with straight apostrophes, mostly case folded."""

    case: Literal["fold", "keep"] = "fold"  # "keep" makes `A` and `a` two symbols

    def __post_init__(self) -> None:
        if self.case not in ("fold", "keep"):
            raise SettingsError(f"case is {self.case!r}; it must be fold or keep")

    def surface(self, text: str) -> str:
        """Return the text as it is shown, in normal form."""
        return text if text.isascii() else unicodedata.normalize("NFC", text)

    def key(self, text: str) -> str:
        """Return the text as it is compared. The key of a prefix is a prefix of the key: `Σ` never becomes `ς`."""
        if text.isascii():
            return text.casefold() if self.case == "fold" else text
        text = straight_apostrophes(unicodedata.normalize("NFC", text))
        return unicodedata.normalize("NFC", text.casefold()) if self.case == "fold" else text

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
