"""Two beginnings of words with the same last letter: as they are given, or chosen for the one that is given."""

from __future__ import annotations

import string
from collections.abc import Mapping

from autocomplete.demo.drawing import fitted
from autocomplete.errors import SettingsError
from autocomplete.text.alphabets.letters import Letters

__all__ = ["LETTERS", "choose_contrast", "plain_words", "read_beginnings"]

LETTERS = frozenset(string.ascii_lowercase + "'")  # of which the words are made
_LONGEST = 14  # letters of a word, and of a beginning
_LEAST = 1e-3  # share of the words that a beginning must have to count in full when one is chosen
_EXAMPLE = "such as: na tria"


def plain_words(lexicon: Mapping[str, float]) -> dict[str, float]:
    """Return the words in plain letters with their counts, in the order of the lexicon."""
    key = Letters().key
    words: dict[str, float] = {}
    for surface, count in lexicon.items():
        word = key(surface)
        if 2 <= len(word) <= _LONGEST and set(word) <= LETTERS:
            words[word] = words.get(word, 0.0) + count
    return words


def read_beginnings(given: str, words: Mapping[str, float]) -> tuple[str, str]:
    """
    Return two beginnings with the same last letter.

    :param given: both, or one to which the other is chosen.
    :param words: with their counts, to choose from.
    :raises SettingsError: for anything else.
    """
    beginnings = Letters().key(given).split()
    if not 1 <= len(beginnings) <= 2:
        problem = f"{len(beginnings)} words are given" if beginnings else "no word is given"
        raise SettingsError(f"{problem}; give two beginnings of words that end in the same letter, {_EXAMPLE}")
    for beginning in beginnings:
        shown = fitted(beginning, 20).rstrip()
        if not set(beginning) <= LETTERS:
            raise SettingsError(
                f"{shown} is not in the letters a to z, of which these networks learn words; try na tria"
            )
        if len(beginning) > _LONGEST:
            raise SettingsError(f"{shown} has {len(beginning)} letters; give beginnings of {_LONGEST} at most")
    first, second = beginnings if len(beginnings) == 2 else (beginnings[0], choose_contrast(beginnings[0], words))
    if first[-1] != second[-1]:
        raise SettingsError(
            f"{first} ends in {first[-1]}, {second} in {second[-1]}; give two beginnings that end alike, {_EXAMPLE}"
        )
    if first == second:
        raise SettingsError(f"{first} is given twice; give two different beginnings, {_EXAMPLE}")
    return first, second


def choose_contrast(beginning: str, words: Mapping[str, float]) -> str:
    """
    Return a beginning with the same last letter, but not the same before it, after which words go on as differently as possible.

    :param words: with their counts.
    :raises SettingsError: where no word has one.
    """
    followers: dict[str, dict[str, float]] = {}  # of each beginning: the next letters with their counts
    for word, count in words.items():
        for end in {2, 3, 4, len(beginning)}:
            if word[end - 1 : end] == beginning[-1]:
                after = followers.setdefault(word[:end], {})
                after[word[end : end + 1]] = after.get(word[end : end + 1], 0.0) + count
    own = followers.pop(beginning, {})
    others = [other for other in followers if len(beginning) < 2 or other[-2:] != beginning[-2:]]
    if not others:
        raise SettingsError(
            f"no other beginning of a word ends in {beginning[-1]}; give two that end alike, {_EXAMPLE}"
        )
    enough = _LEAST * sum(words.values())

    def contrast(other: str) -> float:
        return min(1.0, sum(followers[other].values()) / enough) * _apart(own, followers[other])

    return max(sorted(others), key=contrast)


def _apart(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return how far two distributions are apart, each by its counts: from 0 to 1 (total variation distance)."""
    ones, others = sum(one.values()) or 1.0, sum(other.values()) or 1.0
    letters = one.keys() | other.keys()
    return sum(abs(one.get(letter, 0.0) / ones - other.get(letter, 0.0) / others) for letter in letters) / 2
