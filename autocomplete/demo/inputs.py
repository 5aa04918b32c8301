"""What a scene is given to show: a word or a sentence in normal form, refused in one line where there is no room for it."""

from __future__ import annotations

import unicodedata

from autocomplete.errors import SettingsError

__all__ = ["read_sentence", "read_word"]

_LONGEST_WORD = 20  # letters: with the mark of the beginning 21 columns of three cells, and names for the rows
_LONGEST_SENTENCE = 200  # characters: twice what a terminal shows in a line, and a second of work


def read_word(word: str, scene: str) -> str:
    """Return the letters of a word; raise SettingsError where a scene cannot show them, a column for each."""
    letters, most = unicodedata.normalize("NFC", word), _LONGEST_WORD
    if not letters.strip() or not letters.isprintable():
        raise SettingsError(f"the scene {scene} needs a word, and {word!r} is none; give one of 1 to {most} letters")
    if len(letters) > most:
        raise SettingsError(
            f"the scene {scene} has a column for each letter, and {word!r} has {len(letters)} letters; "
            f"give a word of 1 to {most}"
        )
    return letters


def read_sentence(text: str, example: str) -> str:
    """Return a text with single spaces; raise SettingsError for one that is empty or very long."""
    sentence = " ".join(text.split())
    if not sentence:
        raise SettingsError(f"the sentence is empty; give some words, such as: {example}")
    if len(sentence) > _LONGEST_SENTENCE:
        raise SettingsError(f"the sentence has {len(sentence):,} characters; give one of {_LONGEST_SENTENCE} at most")
    return sentence
