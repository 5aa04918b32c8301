"""
When each word of a text is known to who finishes it: among the words offered, and first of them.

A key is what `measures` counts as one: a letter, or the space after a word; and one key takes an offered word with its space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autocomplete.inference.prediction import Prediction
from autocomplete.text.normalization import APOSTROPHES, Normalization, split_last_word

__all__ = ["KnownWord", "known_words"]


@dataclass(frozen=True)
class KnownWord:
    """
    A word of a text, and its place among the words offered while it was typed.

    :param start: its place in the text.
    :param places: (letters,) its place before each of its letters was typed, from 1; 0 where it was not offered.
    :param space: whether a space follows it.
    """

    word: str
    start: int
    places: tuple[int, ...]
    space: bool

    @property
    def offered(self) -> int | None:
        """After how many letters it was first offered; None if it never was before its last."""
        return next((letters for letters, place in enumerate(self.places) if place), None)

    @property
    def first(self) -> int | None:
        """After how many letters it was first the best offer; None if it never was before its last."""
        return next((letters for letters, place in enumerate(self.places) if place == 1), None)

    @property
    def keys(self) -> int:
        """The number of keys that it takes to type it, with the space after it."""
        return len(self.word) + self.space

    @property
    def pressed(self) -> int:
        """The number of keys pressed where it is taken as soon as it is offered."""
        return self.keys if self.offered is None else min(self.keys, self.offered + 1)


def known_words(text: str, answers: Sequence[Prediction], normalization: Normalization) -> list[KnownWord]:
    """
    Return the words of a text, in their order.

    :param answers: (characters,) at least: what was offered before each key.
    """
    found: dict[int, str] = {}
    for end in range(1, len(text) + 1):
        before, typed = split_last_word(text[:end], APOSTROPHES)
        if typed:
            found[len(before)] = typed
    words = []
    for start, word in found.items():
        key = normalization.key(word)
        end = start + len(word)
        places = tuple(
            next((place for place, offer in enumerate(answers[at].words, 1) if normalization.key(offer.word) == key), 0)
            for at in range(start, end)
        )
        words.append(KnownWord(word, start, places, text[end : end + 1] == " "))
    return words
