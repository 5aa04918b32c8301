"""A cursor inside a line: the text right of it narrows the words that fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from autocomplete.inference.prediction import Suggestion
from autocomplete.text.alphabets import Alphabet
from autocomplete.text.normalization import is_word_character, split_first_word

__all__ = ["Gap"]


@dataclass(frozen=True)
class Gap:
    """What a word at the cursor has to fit."""

    end: str  # letters right of the cursor that the word ends with, if the cursor is inside it
    following: str  # the next word of the line, or empty
    spaced: bool  # whether a space is missing before the next word

    @classmethod
    def of(cls, typed: str, after: str, inner: frozenset[str], *, in_context: bool) -> Self:
        """
        Return the gap at a cursor.

        :param typed: the letters of the word left of the cursor.
        :param after: the rest of the line.
        :param inner: characters of words beside letters, as for `split_last_word`.
        :param in_context: whether words depend on the words beside them.
        """
        end, rest = split_first_word(after, inner)
        if end and not typed:
            return cls("", end if in_context else "", spaced=True)
        blank = rest[:1].isspace()
        following = split_first_word(rest.lstrip(), inner)[0] if blank and in_context else ""
        return cls(end, following if following and is_word_character(following[0]) else "", spaced=False)

    @property
    def narrows(self) -> bool:
        """Whether the text right of the cursor matters."""
        return bool(self.end or self.following)

    def fill(self, found: Suggestion, alphabet: Alphabet) -> Suggestion | None:
        """Return a word as it is inserted here, None if it does not fit."""
        if self.spaced:
            found = replace(found, insert=found.insert + " ")
        if not self.end:
            return found
        cut = len(found.insert) - len(self.end)
        if cut < 1 or alphabet.key(found.insert[cut:]) != alphabet.key(self.end):
            return None
        return replace(found, insert=found.insert[:cut])
