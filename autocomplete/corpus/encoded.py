"""
A whole text, encoded, in files: written chunk by chunk as it is read, and read where it is needed.

    symbols.bin    the codes of its characters, with BOUNDARY before each line and after the last: one byte each while they
                   are few, or two
    words.bin      the numbers of its words, four bytes each
    index.npz      which characters and words these are, how often each stands in the text, and where its chunks begin
"""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.cache import DamagedError
from autocomplete.corpus.chunks import INDEX, SYMBOLS, WORDS, Place

__all__ = ["EncodedText", "FileArray", "Ids", "count_ids", "translate_ids"]

_HELD = 16  # reads until the pages of a file, which the system keeps anyway, are no longer counted as this process's
_PART = 1_000_000  # items read at once where all are


class FileArray:
    """
    Numbers in a file, read where they are asked for.

    :param kind: their type, as numpy names it.
    :param length: how many they are.
    :param table: what is given in place of each; by default the numbers themselves.
    """

    def __init__(self, path: Path, kind: str, length: int, table: NDArray[Any] | None = None) -> None:
        self._path, self._kind, self._length, self._table = path, kind, length, table
        self._map: mmap.mmap | None = None
        if length:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._array: NDArray[Any] = np.frombuffer(self._map or b"", dtype=kind, count=length)
        self._reads = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return FileArray, (self._path, self._kind, self._length, self._table)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, places: slice | NDArray[Any]) -> NDArray[Any]:
        found = self._array[places]
        found = found.copy() if self._table is None else self._table.take(found, mode="clip")
        self._reads += 1
        if self._reads % _HELD == 0 and self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
        return found

    def parts(self) -> Iterator[NDArray[Any]]:
        """Yield all of it, a part at a time."""
        for start in range(0, self._length, _PART):
            yield self[start : min(start + _PART, self._length)]

    def translated(self, table: NDArray[Any], length: int | None = None) -> FileArray:
        """Return the first numbers, or all, each replaced by its entry in a table."""
        table = table if self._table is None else table[self._table]
        return FileArray(self._path, self._kind, self._length if length is None else length, table)


Ids = NDArray[np.integer[Any]] | FileArray


def count_ids(ids: Ids, length: int) -> NDArray[np.int64]:
    """Return (length,) how often each number is there; none is higher."""
    counts = np.zeros(length, dtype=np.int64)
    for part in ids.parts() if isinstance(ids, FileArray) else (ids,):
        counts += np.bincount(part, minlength=length)
    return counts


def translate_ids(ids: Ids, table: NDArray[Any]) -> Ids:
    """Return the entry of a table for each number."""
    return ids.translated(table) if isinstance(ids, FileArray) else table[ids]


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A text as numbers."""

    symbols: FileArray  # (n,) codes, of which 2 is the first of `characters`
    words: FileArray  # (m,) numbers, START and OTHER among them, of which 2 is the first of `spellings`
    characters: str
    character_counts: NDArray[np.int64]  # (characters,) how often each stands among the symbols
    spelled: bytes  # all spellings, a line each
    counts: NDArray[np.int64]  # (spellings,) how often each stands in the text as it is written
    evidence: NDArray[np.int64]  # (spellings,) how often each stands inside of a sentence
    first_evidence: NDArray[np.int64]  # (spellings,) before which token of the text that was for the first time
    left_out: int  # number of words that were too long
    chunks: list[Place]  # where each begins, and the end of all

    @classmethod
    def read(cls, folder: Path) -> EncodedText:
        """Open what `ChunkWriter` and `Numbering` wrote; raise DamagedError or, for the folder, FileNotFoundError."""
        folder.stat()
        try:
            with (folder / INDEX).open("rb") as file, np.load(file) as arrays:
                index = dict(arrays)
            chunks = [Place(*row) for row in index["chunks"].tolist()]
            kind, length = f"u{index['bytes']}", chunks[-1].symbol + 1
            for name, size in ((SYMBOLS, length * int(index["bytes"])), (WORDS, chunks[-1].word * 4)):
                if (folder / name).stat().st_size != size:
                    raise DamagedError(f"{folder / name}: not of {size} bytes")
            return cls(
                symbols=FileArray(folder / SYMBOLS, kind, length),
                words=FileArray(folder / WORDS, "u4", chunks[-1].word),
                characters=index["characters"].tobytes().decode("utf-32-le"),
                spelled=index["spellings"].tobytes(),
                left_out=int(index["left_out"]),
                chunks=chunks,
                **{name: index[name] for name in ("character_counts", "counts", "evidence", "first_evidence")},
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise DamagedError(f"{folder}: {error}") from None

    def spellings(self) -> list[str]:
        """Return the words as they are written, in the text or in haste: a long list, to be let go again."""
        return self.spelled.decode().split("\n")[:-1]

    @property
    def lines(self) -> int:
        """The number of lines that are not blank."""
        return self.chunks[-1].line
