"""
What somebody else's network has learned of words: for each a vector, alike for words that are used alike.

Vectors are learned from far more text than most have at hand (Pennington, Socher and Manning, 2014, "GloVe: Global Vectors for
Word Representation"). So they tell, too, how words are used that a text has hardly ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.files import reading
from autocomplete.errors import CorpusError

__all__ = ["WordVectors"]

_MAKE = "give a line for each word: the word, then its numbers, all with blanks between them"


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and their vectors."""

    words: tuple[str, ...]
    numbers: NDArray[np.float32]  # (words, dimensions)
    sha256: str = field(default="", repr=False)  # of the file that they come from

    @classmethod
    def read(cls, path: Path) -> Self:
        """
        Read a file as GloVe and word2vec write it: a word and its numbers a line, after a line that may say how many there are.

        :raises CorpusError: where it cannot be read or is something else.
        """
        digest = hashlib.sha256()
        words: list[str] = []
        vectors: list[NDArray[np.float32]] = []
        try:
            with reading(path), path.open("rb") as file:
                for place, raw in enumerate(file, start=1):
                    digest.update(raw)
                    line = raw.decode("utf-8-sig" if place == 1 else "utf-8").rstrip()
                    word, _, rest = line.partition(" ")
                    vector = np.array(rest.split(), dtype=np.float32)
                    if place == 1 and len(vector) == 1 and word.isdecimal():
                        continue
                    length = len(vectors[0]) if vectors else max(1, len(vector))
                    if not word or len(vector) != length or not np.isfinite(vector).all():
                        raise ValueError
                    words.append(word)
                    vectors.append(vector)
        except ValueError:
            expected = f"a word and {len(vectors[0])} numbers" if vectors else "a word and its numbers"
            raise CorpusError(f"{path}: line {place} is not {expected}; {_MAKE}") from None
        if not words:
            raise CorpusError(f"{path}: has no words; {_MAKE}")
        return cls(tuple(words), np.array(vectors), digest.hexdigest())

    def of(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """
        Return the vectors of some words, (words, dimensions) with zeros for those that have none, and (words,) which have one.

        :param words: keys, looked up as they are. Where the file has a word twice, the first one counts.
        """
        places = {word: place for place, word in reversed(list(enumerate(self.words)))}
        found = np.array([places.get(word, -1) for word in words], dtype=np.int64)
        known = found >= 0
        return np.where(known[:, None], self.numbers[found], np.float32(0)), known
