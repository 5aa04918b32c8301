"""Characters to ids and back. BOUNDARY stands before and after a word or line, UNKNOWN for characters outside the corpus."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import SettingsError
from autocomplete.text.normalization import APOSTROPHES, is_word_character

__all__ = ["BOUNDARY", "UNKNOWN", "Vocabulary"]

BOUNDARY = 0
UNKNOWN = 1
_SPECIAL = 2  # number of ids that are not characters
_ENCODED = 10_000  # lines encoded at once, to save memory


class Vocabulary:
    """The symbols of a model: the special ones, then distinct, single characters; SettingsError if they are not."""

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        self._ids = {character: _SPECIAL + i for i, character in enumerate(self.characters)}
        if len(self._ids) != len(self.characters) or any(len(character) != 1 for character in self.characters):
            raise SettingsError("a vocabulary needs distinct, single characters")

    @classmethod
    def from_words(cls, words: Iterable[str]) -> Self:
        """Return the vocabulary of all characters of some words, in code point order."""
        return cls(sorted(set().union(*words)))

    def __len__(self) -> int:
        return _SPECIAL + len(self.characters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def encode(self, key: str) -> list[int]:
        """Return an id for each character of a key, UNKNOWN for those that are not in the vocabulary."""
        return [self._ids.get(character, UNKNOWN) for character in key]

    def encode_words(self, words: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return (characters,) ids and (words + 1,) starts, so that word i is `ids[starts[i]:starts[i + 1]]`."""
        code_points = np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32)
        lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        starts = np.zeros(len(words) + 1, dtype=np.int64)
        np.cumsum(lengths, out=starts[1:])
        return self._by_code_point[np.minimum(code_points, len(self._by_code_point) - 1)], starts

    @cached_property
    def _by_code_point(self) -> NDArray[np.int32]:
        """The id of each code point up to the last that has one, then UNKNOWN for all others."""
        ids = np.full(max(map(ord, self.characters), default=0) + 2, UNKNOWN, dtype=np.int32)
        ids[[ord(character) for character in self.characters]] = np.arange(_SPECIAL, len(self))
        return ids

    def encode_lines(self, keys: Iterable[str]) -> NDArray[np.integer[Any]]:
        """Return (characters + lines + 1,) the ids of lines, BOUNDARY before each and after the last, of the smallest type."""
        smallest = np.min_scalar_type(len(self))
        rest, parts = iter(keys), [np.full(1, BOUNDARY, smallest)]
        while some := list(islice(rest, _ENCODED)):
            ids, starts = self.encode_words(some)
            parts.append(np.insert(ids.astype(smallest), starts[1:], BOUNDARY))
        return np.concatenate(parts)

    def sort(self, words: Sequence[str]) -> list[int]:
        """Return the indices that sort words by their ids, as for a `Trie`."""
        # That is mostly the order of the characters, by which Python sorts much faster.
        plain = list(self.characters) == sorted(self.characters) and self._ids.keys() >= set("".join(words))
        return sorted(range(len(words)), key=words.__getitem__ if plain else lambda i: self.encode(words[i]))

    def find(self, words: Sequence[str], word: str) -> int | None:
        """Return the index of a word among words that are sorted by their ids, None if it is not there."""
        place = bisect_left(words, self.encode(word), key=self.encode)
        return place if place < len(words) and words[place] == word else None

    def is_word(self, key: str) -> bool:
        """Return whether a key has only symbols of words of running text."""
        begin, inside = self._word_symbols
        symbols = self.encode(key)
        return bool(symbols) and bool(begin[symbols[0]] and inside[symbols].all())

    def word_symbols(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return (size,) which symbols begin a word of running text, and (size,) which continue one."""
        return self._word_symbols

    @cached_property
    def _word_symbols(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        begin = np.array([False] * _SPECIAL + [is_word_character(character) for character in self.characters])
        inside = begin.copy()
        inside[[i for character, i in self._ids.items() if character in APOSTROPHES]] = True
        return begin, inside

    def decode(self, ids: Iterable[int]) -> str:
        """Return the characters of ids, without BOUNDARY, and with the replacement character for UNKNOWN."""
        return "".join(self.character(i) for i in ids if i != BOUNDARY)

    def character(self, symbol: int) -> str:
        """Return the character of an id: a space for BOUNDARY, the replacement character for UNKNOWN."""
        if symbol == BOUNDARY:
            return " "
        return "\ufffd" if symbol == UNKNOWN else self.characters[symbol - _SPECIAL]
