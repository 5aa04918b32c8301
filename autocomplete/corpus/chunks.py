"""
The chunks of a text on their way into the files of an `EncodedText`.

A `ChunkWriter` encodes a chunk and reports what is in it. A `Numbering` says where in the files that belongs, and which numbers
its characters and words have in the whole text; the writer then puts it there. There may be several writers, in processes of
their own; the numbering, which they all wait for, has little to do.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.tokens import OTHER
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["SPECIAL", "Chunk", "ChunkReport", "Destination", "Numbering", "Place", "Tally", "TooManyError"]

SYMBOLS, WORDS, INDEX = "symbols.bin", "words.bin", "index.npz"
SPECIAL = 2  # codes and numbers below this one are no characters and words
CODES = 65_536  # of characters, in two bytes
NEVER = np.iinfo(np.int64).max  # as a first place

_MANY = 500_000  # spellings, of some 200 bytes each; from then on one is only taken in
_SEVERAL = 4  # where the chunk that first has it has it so many times,
_MOST = 1_000_000  # and none at all from then on


class TooManyError(Exception):
    """There are more characters than codes of one byte."""


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a file."""

    number: int  # in the text
    file: int  # the number of the file
    byte: int  # where it begins there
    length: int  # in bytes


@dataclass(frozen=True)
class Place:
    """Where something begins in a text."""

    file: int  # the number of the file
    byte: int  # where it begins there
    line: int  # number of lines before it that are not blank
    symbol: int  # number of symbols before it
    word: int  # number of words before it, START among them


@dataclass(frozen=True)
class Tally:
    """How often words stand in some chunks, as they are written."""

    numbers: NDArray[np.int64]  # (words,) in the whole text
    counts: NDArray[np.int64]  # (words,)
    evidence: NDArray[np.int64]  # (words,) how often not at the beginning of a sentence
    first_evidence: NDArray[np.int64]  # (words,) where that was for the first time: the later, the higher
    left_out: int  # number of other words, which were too long


@dataclass(frozen=True)
class ChunkReport:
    """What is in a chunk."""

    lines: int  # number of those that are not blank
    symbols: int  # number
    words: int  # number, START counted
    characters: str  # the distinct ones
    character_counts: NDArray[np.int64]  # (characters,)
    spellings: list[str]  # the words that this writer has not reported yet
    spelling_counts: NDArray[np.int64]  # (spellings,)
    tally: Tally | None  # of all chunks before, where the writer starts to count afresh


@dataclass(frozen=True)
class Destination:
    """Where a chunk belongs."""

    symbol: int  # number of symbols before it
    word: int  # number of words before it
    codes: NDArray[np.unsignedinteger]  # (characters,) of its report, of as many bytes as a symbol takes in the file
    numbers: NDArray[np.uint32]  # (spellings,) of its report


class Numbering:
    """
    The numbers of characters and words in a whole text, how often they stand in it, and where its chunks begin.

    :param width: bytes of a symbol.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._characters: dict[str, int] = {}
        self._spellings: dict[str, int] = {}
        self._character_counts = np.zeros(CODES, dtype=np.int64)
        self._counts, self._evidence = (np.zeros(SPECIAL + _MOST, dtype=np.int64) for _ in range(2))
        self._first_evidence = np.full(SPECIAL + _MOST, NEVER)
        self._left_out = 0
        self._chunks: list[Place] = []
        self._end = Place(0, 0, 0, 0, 0)

    def place(self, chunk: Chunk, report: ChunkReport) -> Destination:
        """Return where the next chunk belongs; raise TooManyError where its characters need more bytes."""
        codes = list(map(self._code, report.characters))
        if SPECIAL + len(self._characters) > 256**self._width:
            raise TooManyError
        np.add.at(self._character_counts, codes, report.character_counts)
        numbers = list(map(self._number, report.spellings, report.spelling_counts.tolist()))
        begin = replace(self._end, file=chunk.file, byte=chunk.byte)
        self._chunks.append(begin)
        self._end = replace(
            begin, line=begin.line + report.lines, symbol=begin.symbol + report.symbols, word=begin.word + report.words
        )
        if report.tally is not None:
            self.add(report.tally)
        return Destination(
            begin.symbol, begin.word, np.array(codes, dtype=f"<u{self._width}"), np.array(numbers, dtype=np.uint32)
        )

    def add(self, tally: Tally) -> None:
        """Count words."""
        np.add.at(self._counts, tally.numbers, tally.counts)
        np.add.at(self._evidence, tally.numbers, tally.evidence)
        np.minimum.at(self._first_evidence, tally.numbers, tally.first_evidence)
        self._left_out += tally.left_out

    def _code(self, character: str) -> int:
        if SPECIAL + len(self._characters) < CODES:
            return self._characters.setdefault(character, SPECIAL + len(self._characters))
        return self._characters.get(character, UNKNOWN)

    def _number(self, spelling: str, count: int) -> int:
        length = len(self._spellings)
        if length < _MANY or (length < _MOST and count >= _SEVERAL):
            return self._spellings.setdefault(spelling, SPECIAL + length)
        return self._spellings.get(spelling, OTHER)

    def write(self, folder: Path) -> None:
        """Write what `EncodedText.read` needs beside the symbols and words, and the last boundary."""
        with (folder / SYMBOLS).open("ab") as file:
            file.write(np.array([BOUNDARY], dtype=f"<u{self._width}").data)
        words = slice(SPECIAL, SPECIAL + len(self._spellings))
        with (folder / INDEX).open("wb") as file:
            np.savez(
                file,
                bytes=self._width,
                characters=np.frombuffer("".join(self._characters).encode("utf-32-le"), dtype=np.uint8),
                character_counts=self._character_counts[SPECIAL : SPECIAL + len(self._characters)],
                spellings=np.frombuffer("".join(f"{each}\n" for each in self._spellings).encode(), dtype=np.uint8),
                counts=self._counts[words],
                evidence=self._evidence[words],
                first_evidence=self._first_evidence[words],
                left_out=self._left_out,
                chunks=np.array([astuple(place) for place in (*self._chunks, self._end)]),
            )
