"""
Alphabets, one a script: how text becomes the symbols that a model reads, and how symbols become text again.

A text has two forms. Its *surface* is shown and inserted: the user's characters in normal form C. Its *key* is compared and read
by models, a symbol a character: letters, the keys of a keyboard, or characters of code. They can differ in length (`Straße` has
the key `strasse`), so neither is ever sliced by the length of the other; `completion` is the one place where they meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from autocomplete.errors import SettingsError
from autocomplete.text.alphabets.letters import Letters

__all__ = ["ALPHABETS", "Alphabet", "alphabet_json", "read_alphabet"]


class Alphabet(Protocol):
    """What `Letters` has; its dataclass fields are recorded in every checkpoint."""

    def surface(self, text: str) -> str:
        """Return the text as it is shown."""

    def key(self, text: str) -> str:
        """Return the text as it is compared, a symbol a character. The key of a prefix is a prefix of the key."""

    def keys(self, texts: Sequence[str]) -> list[str]:
        """Return the key of each text, and the same object where text and key are equal."""

    def spell(self, key: str) -> str:
        """Return how a key without a known surface is written."""

    def completion(self, typed: str, surface: str) -> tuple[int, str]:
        """Return how many characters of `typed` are replaced, and by what, to arrive at a word in the typed letters' case."""

    def match_case(self, typed: str, rest: str) -> str:
        """Return the rest of a word in the case of what was typed of it."""


ALPHABETS: dict[str, type[Alphabet]] = {"letters": Letters}  # by the name that checkpoints have for it


def alphabet_json(alphabet: Alphabet) -> dict[str, Any]:
    """Return the name and the fields of an alphabet as JSON types."""
    name = next(name for name, kind in ALPHABETS.items() if isinstance(alphabet, kind))
    fields: dict[str, Any] = asdict(alphabet)  # type: ignore[call-overload]  # all of them are dataclasses
    return {"name": name} | fields


def read_alphabet(fields: Mapping[str, Any]) -> Alphabet:
    """Return the alphabet that `alphabet_json` told of; raise SettingsError where this version does not know it."""
    try:
        return ALPHABETS[fields["name"]](**{field: value for field, value in fields.items() if field != "name"})
    except (KeyError, TypeError):
        raise SettingsError(f"unknown alphabet {dict(fields)}; a newer version of autocomplete may know it") from None
