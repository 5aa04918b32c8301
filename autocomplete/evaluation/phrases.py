"""
The phrases of a text: lines in lower case of which only letters, apostrophes and single spaces are left.

A suggester sees them with the capitals that everybody types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from autocomplete.corpus.files import read_lines
from autocomplete.errors import CorpusError
from autocomplete.text.normalization import Kept, without_marks

__all__ = ["phrases", "read_phrases", "with_capitals"]

_NO_DIGITS = Kept(lambda c: c.isalpha() or not c.isalnum())
_FIRST_PERSON = frozenset({"i", "i'm", "i'll", "i've", "i'd"})


def phrases(lines: Iterable[str]) -> Iterator[str]:
    """Yield the phrase of each line that has a letter."""
    return filter(None, (without_marks(line.translate(_NO_DIGITS)) for line in lines))


def read_phrases(path: Path, limit: int | None = None) -> list[str]:
    """Return the phrases of a file, at most `limit`; raise CorpusError where it cannot be read, or has no letter."""
    with closing(read_lines(path)) as lines:
        found = list(islice(phrases(lines), limit))
    if not found:
        raise CorpusError(f"{path}: the file has no letters; give a file with sentences in it")
    return found


def with_capitals(phrase: str) -> str:
    """Return a phrase, no longer nor shorter, with its first letter and the word "i" in capitals."""
    text = " ".join(word.capitalize() if word in _FIRST_PERSON else word for word in phrase.split(" "))
    first = next((place for place, character in enumerate(text) if character.isalpha()), 0)
    capital = text[first : first + 1].upper()
    return text[:first] + capital + text[first + 1 :] if len(capital) == 1 else text  # not the SS of ß
