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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.cache import DamagedError
from autocomplete.text.encoding import EncodedChunk
from autocomplete.text.tokens import BEYOND, OTHER
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["EncodedText", "FileArray", "Ids", "Place", "count_ids", "translate_ids", "write_text"]

_SYMBOLS, _WORDS, _INDEX = "symbols.bin", "words.bin", "index.npz"
_SPECIAL = 2  # codes and numbers below this one are no characters and words
_MANY = 500_000  # spellings, of some 200 bytes each; from then on one is only taken in
_SEVERAL = 4  # where a chunk has it so many times,
_MOST = 1_000_000  # and none at all from then on
_HELD = 16  # reads until the pages of a file, which the system keeps anyway, are no longer counted as this process's
_PART = 1_000_000  # items read at once where all are


class FileArray:
    """
    Numbers in a file, of which those asked for are read, and translated.

    :param length: how many.
    :param table: what is given in place of each number; the numbers themselves by default.
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
        """Return the first numbers, all by default, each as what stands in its place in a table."""
        table = table if self._table is None else table[self._table]
        return FileArray(self._path, self._kind, self._length if length is None else length, table)


Ids = NDArray[np.integer[Any]] | FileArray


def count_ids(ids: Ids, length: int) -> NDArray[np.int64]:
    """Return how often each number below a length stands among some."""
    counts = np.zeros(length, dtype=np.int64)
    for part in ids.parts() if isinstance(ids, FileArray) else (ids,):
        counts += np.bincount(part, minlength=length)
    return counts


def translate_ids(ids: Ids, table: NDArray[Any]) -> Ids:
    """Return what stands in a table in the place of each number."""
    return ids.translated(table) if isinstance(ids, FileArray) else table[ids]


@dataclass(frozen=True)
class Place:
    """
    Where something begins in a text.

    :param file: the number of the file, and
    :param byte: the place in it;
    :param line: how many lines that are not blank,
    :param symbol: symbols, and
    :param word: numbers of words come before.
    """

    file: int
    byte: int
    line: int
    symbol: int
    word: int


@dataclass(frozen=True, eq=False)
class EncodedText:
    """
    A text as numbers.

    :param symbols: (n,) codes, of which 2 is the first of `characters`.
    :param words: (m,) numbers, START and OTHER among them, of which 2 is the first of `spellings`.
    :param spelled: all spellings, a line each.
    :param character_counts: (characters,) how often each stands among the symbols.
    :param counts: (spellings,) how often each stands in the text as it is written, and
    :param evidence: how often inside of a sentence;
    :param first_evidence: before which token of the text that was for the first time.
    :param left_out: words that are too long to be words.
    :param chunks: where each begins, and the end of all.
    """

    symbols: FileArray
    words: FileArray
    characters: str
    character_counts: NDArray[np.int64]
    spelled: bytes
    counts: NDArray[np.int64]
    evidence: NDArray[np.int64]
    first_evidence: NDArray[np.int64]
    left_out: int
    chunks: list[Place]

    @classmethod
    def read(cls, folder: Path) -> EncodedText:
        """
        Open what `write_text` wrote.

        :raises DamagedError: where the files are not as they were written.
        :raises FileNotFoundError: where there is no such folder.
        """
        folder.stat()
        try:
            with (folder / _INDEX).open("rb") as file, np.load(file) as arrays:
                index = dict(arrays)
            chunks = [Place(*row) for row in index["chunks"].tolist()]
            kind, length = f"u{index['bytes']}", chunks[-1].symbol + 1
            for name, size in ((_SYMBOLS, length * int(index["bytes"])), (_WORDS, chunks[-1].word * 4)):
                if (folder / name).stat().st_size != size:
                    raise DamagedError(f"{folder / name}: not of {size} bytes")
            return cls(
                symbols=FileArray(folder / _SYMBOLS, kind, length),
                words=FileArray(folder / _WORDS, "u4", chunks[-1].word),
                characters=index["characters"].tobytes().decode("utf-32-le"),
                character_counts=index["character_counts"],
                spelled=index["spellings"].tobytes(),
                counts=index["counts"],
                evidence=index["evidence"],
                first_evidence=index["first_evidence"],
                left_out=int(index["left_out"]),
                chunks=chunks,
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


def write_text(folder: Path, chunks: Iterable[tuple[int, int, EncodedChunk]]) -> None:
    """
    Write a text into an empty folder, for `EncodedText.read`.

    :param chunks: each with the number of its file and its place in that.
    """
    characters, words = _Characters(), _Spellings()
    rows: list[tuple[int, int, int, int, int]] = []
    line = symbol = word = left_out = 0
    with (folder / _WORDS).open("wb") as words_file, _SymbolsFile(folder / _SYMBOLS) as symbols_file:
        for file, byte, chunk in chunks:
            rows.append((file, byte, line, symbol, word))
            symbols_file.write(characters.add(chunk), len(characters))
            words_file.write(words.add(chunk).data)
            line, symbol, word = line + chunk.lines, symbol + len(chunk.symbols), word + len(chunk.words)
            left_out += chunk.left_out
        symbols_file.write(np.array([BOUNDARY]), len(characters))
        rows.append((*rows[-1][:2], line, symbol, word) if rows else (0, 0, 0, 0, 0))
    with (folder / _INDEX).open("wb") as file_of_index:
        np.savez(
            file_of_index,
            chunks=np.array(rows),
            bytes=symbols_file.bytes,
            characters=np.frombuffer("".join(characters.codes).encode("utf-32-le"), dtype=np.uint8),
            character_counts=characters.counts[_SPECIAL : len(characters)],
            spellings=np.frombuffer("".join(f"{each}\n" for each in words.numbers).encode(), dtype=np.uint8),
            counts=words.counts[: len(words.numbers)],
            evidence=words.evidence[: len(words.numbers)],
            first_evidence=words.first_evidence[: len(words.numbers)],
            left_out=left_out,
        )


class _Characters:
    """The codes that characters have in the whole text, in the order of their first chunk."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.counts = np.zeros(65_536, dtype=np.int64)

    def __len__(self) -> int:
        return _SPECIAL + len(self.codes)

    def add(self, chunk: EncodedChunk) -> NDArray[Any]:
        """Return the symbols of a chunk in these codes."""
        counts = chunk.symbol_counts
        table = np.full(len(counts), UNKNOWN, dtype=np.uint16)
        table[BOUNDARY] = BOUNDARY
        # A process knows characters of other chunks, too: which of them get codes must not hang on which process it was.
        for symbol in (np.flatnonzero(counts[_SPECIAL:]) + _SPECIAL).tolist():
            beyond = symbol - BEYOND
            character = chunk.beyond[beyond] if 0 <= beyond < len(chunk.beyond) else chr(symbol)
            if len(self) < len(self.counts):
                self.codes.setdefault(character, len(self))
            table[symbol] = self.codes.get(character, UNKNOWN)
        np.add.at(self.counts, table, counts)
        return table.astype(np.uint8 if len(self) <= 256 else np.uint16).take(chunk.symbols)


class _Spellings:
    """The numbers that words have in the whole text, and how often each stands in it."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.counts, self.evidence, self.first_evidence = (np.zeros(0, dtype=np.int64) for _ in range(3))
        self._tokens = 0

    def add(self, chunk: EncodedChunk) -> NDArray[np.uint32]:
        """Count the words of a chunk, and return its words in these numbers."""
        numbers = self.numbers
        table = np.fromiter(chain((0, OTHER), map(numbers.get, chunk.spellings, repeat(OTHER))), dtype=np.uint32)
        for own in np.flatnonzero(table == OTHER)[1:].tolist():  # those that are not known yet
            spelling = chunk.spellings[own - _SPECIAL]
            if len(numbers) < _MANY or (len(numbers) < _MOST and chunk.counts[own - _SPECIAL] >= _SEVERAL):
                table[own] = numbers[spelling] = _SPECIAL + len(numbers)
        more = len(numbers) - len(self.counts)
        if more > 0:
            self.counts, self.evidence = (np.append(a, np.zeros(more, np.int64)) for a in (self.counts, self.evidence))
            self.first_evidence = np.append(self.first_evidence, np.full(more, np.iinfo(np.int64).max))
        known = np.flatnonzero(table[_SPECIAL:] >= _SPECIAL)
        places = table[_SPECIAL:][known].astype(np.int64) - _SPECIAL
        self.counts[places] += chunk.counts[known]
        self.evidence[places] += chunk.evidence[known]
        first = np.where(chunk.evidence[known] > 0, chunk.first_evidence[known] + self._tokens, np.iinfo(np.int64).max)
        self.first_evidence[places] = np.minimum(self.first_evidence[places], first)
        self._tokens += chunk.tokens
        return table.take(chunk.words)


class _SymbolsFile:
    """A file of symbols of one byte each, until there are more than that can tell."""

    def __init__(self, path: Path) -> None:
        self._path, self._file, self.bytes = path, path.open("wb"), 1

    def __enter__(self) -> _SymbolsFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, symbols: NDArray[Any], codes: int) -> None:
        """Append symbols, of so many that there are so far."""
        if self.bytes == 1 and codes > 256:
            self._file.close()
            narrow = self._path.with_name("narrow.bin")
            self._path.rename(narrow)
            self._file, self.bytes = self._path.open("wb"), 2
            with narrow.open("rb") as file:
                while part := file.read(_PART):
                    self._file.write(np.frombuffer(part, dtype=np.uint8).astype("<u2").data)
            narrow.unlink()
        self._file.write(symbols.astype(f"<u{self.bytes}", copy=False).data)
