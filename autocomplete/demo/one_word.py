"""Words that a scene is given: in normal form, and refused in one line where there is no room for them."""

from __future__ import annotations

import unicodedata

from autocomplete.errors import SettingsError

__all__ = ["LONGEST", "one_word"]

LONGEST = 20  # letters: with the mark of the beginning 21 columns of three cells, and names for the rows


def one_word(word: str, scene: str) -> str:
    """Return the letters of a word; raise SettingsError where a scene cannot show them, a column for each."""
    letters = unicodedata.normalize("NFC", word)
    if not letters.strip() or not letters.isprintable():
        raise SettingsError(f"the scene {scene} needs a word, and {word!r} is none; give one of 1 to {LONGEST} letters")
    if len(letters) > LONGEST:
        raise SettingsError(
            f"the scene {scene} has a column for each letter, and {word!r} has {len(letters)} letters; "
            f"give a word of 1 to {LONGEST}"
        )
    return letters
