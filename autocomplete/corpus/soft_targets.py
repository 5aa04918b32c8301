"""
What a teacher expects: beside the words of a text, how probable a larger model finds each word that might have stood there.

Such soft targets tell of each place more than the one word that happens to stand there (Hinton, Vinyals and Dean, 2015,
"Distilling the Knowledge in a Neural Network").
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.chunks import SPECIAL
from autocomplete.corpus.files import reading
from autocomplete.corpus.tokens import OTHER, START
from autocomplete.errors import CorpusError

__all__ = ["SoftTargets"]

_ARRAYS = ("text", "places", "candidates", "shares")


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """Words of text as numbers, and for some of their places what might stand there."""

    words: tuple[str, ...]  # keys, of which the first has the number 2
    text: NDArray[np.int32]  # (n,) START where a line or sentence begins, OTHER for a word that is not among `words`
    places: NDArray[np.int64]  # (m,) in the text, each once
    candidates: NDArray[np.uint16]  # (m, k) numbers of words; one may come twice
    shares: NDArray[np.float16]  # (m, k) how probable each is, given that a word comes; the sum of a row is about one
    sha256: str = field(default="", repr=False)  # of the file that they come from

    def __post_init__(self) -> None:
        """Raise ValueError where the parts do not fit together."""
        numbers = SPECIAL + len(self.words)
        if not (
            self.text.ndim == self.places.ndim == 1
            and self.candidates.ndim == 2
            and len(self.text) > 1
            and 0 < len(self.places) == len(self.candidates)
            and self.shares.shape == self.candidates.shape
        ):
            raise ValueError("its arrays do not have the sizes that belong together")
        if self.text.min() < START or self.text.max() >= numbers:
            raise ValueError("its text has numbers of no words")
        if self.candidates.min() < SPECIAL or self.candidates.max() >= numbers:
            raise ValueError("its candidates have numbers of no words")
        distinct = np.unique(self.places)
        if distinct[0] < 1 or distinct[-1] >= len(self.text) or len(distinct) < len(self.places):
            raise ValueError("its places are not in its text")
        if not (np.isfinite(self.shares).all() and self.shares.min() >= 0 and self.shares.sum(axis=1).min() > 0):
            raise ValueError("its shares are not probabilities")

    def write(self, path: Path) -> None:
        """Write them into a file."""
        words = np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8)
        with path.open("wb") as file:
            np.savez(file, words=words, **{name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read them from a file; raise CorpusError where it cannot be read or is something else."""
        try:
            with reading(path), path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                with np.load(file) as arrays:
                    words = tuple(arrays["words"].tobytes().decode().split("\n"))
                    return cls(words, **{name: arrays[name] for name in _ARRAYS}, sha256=sha256)
        except (ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
            problem = str(error).splitlines()[0] if isinstance(error, ValueError) and str(error) else "another format"
            raise CorpusError(
                f"{path}: these are no soft targets ({problem}); make them with corpora/teacher.py"
            ) from None

    def numbered(
        self, numbers: dict[str, int], start: int, other: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32], NDArray[np.float16]]:
        """Return text, places, candidates and shares with other numbers: of words, of a beginning, and of any other word."""
        table = np.array([0] * SPECIAL + [numbers.get(word, other) for word in self.words], dtype=np.int32)
        table[START], table[OTHER] = start, other
        return table[self.text], self.places, table[self.candidates], self.shares
