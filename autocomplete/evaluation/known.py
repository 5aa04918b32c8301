"""When each word of a text is offered for the first time while it is typed, and which keys that saves, as `measures` counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autocomplete.inference.prediction import Prediction
from autocomplete.text.alphabets import Alphabet
from autocomplete.text.normalization import APOSTROPHES, split_last_word

__all__ = ["KnownWord", "known_words"]


@dataclass(frozen=True)
class KnownWord:
    """
    A word of a text.

    :param start: its place in the text.
    :param places: (letters,) its rank among the words offered before each of its letters, from 1; 0 where it was not offered.
    :param space: whether a space follows it.
    """

    word: str
    start: int
    places: tuple[int, ...]
    space: bool

    @property
    def offered(self) -> int | None:
        """The number of letters after which it was first offered; None if it never was before its last."""
        return next((letters for letters, place in enumerate(self.places) if place), None)

    @property
    def first(self) -> int | None:
        """The number of letters after which it was first the best offer; None if it never was before its last."""
        return next((letters for letters, place in enumerate(self.places) if place == 1), None)

    @property
    def keys(self) -> int:
        """The number of keys that it takes to type it, with the space after it."""
        return len(self.word) + self.space

    @property
    def pressed(self) -> int:
        """The number of keys pressed where it is taken as soon as it is offered."""
        return self.keys if self.offered is None else min(self.keys, self.offered + 1)


def known_words(text: str, answers: Sequence[Prediction], alphabet: Alphabet) -> list[KnownWord]:
    """Return the words of a text, in their order; `answers` (characters,) are what was offered before each key."""
    keys = [[alphabet.key(offer.word) for offer in answer.words] for answer in answers]
    split = [split_last_word(text[:end], APOSTROPHES) for end in range(1, len(text) + 1)]
    found = {len(before): typed for before, typed in split if typed}  # the longest at each start
    words = []
    for start, word in found.items():
        key = alphabet.key(word)
        end = start + len(word)
        places = tuple(offered.index(key) + 1 if key in offered else 0 for offered in keys[start:end])
        words.append(KnownWord(word, start, places, text[end : end + 1] == " "))
    return words
