"""
The chunks of a text on their way into the files of an `EncodedText`.

A `ChunkWriter` reads a chunk, encodes it, and says what is in it. A `Numbering` says where in the files that belongs, and which
numbers its characters and words have in the whole text; the writer then puts it there. There may be several writers, in
processes of their own; the numbering, which they all wait for, has little to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.encoding import NEVER, ChunkEncoder, EncodedChunk, NoTextError, Tally
from autocomplete.corpus.tokens import BEYOND, OTHER, START
from autocomplete.text.normalization import Normalization
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = [
    "SPECIAL",
    "SYMBOLS",
    "WORDS",
    "Chunk",
    "ChunkReport",
    "ChunkWriter",
    "Destination",
    "Numbering",
    "TooManyError",
]

SYMBOLS, WORDS = "symbols.bin", "words.bin"
SPECIAL = 2  # codes and numbers below this one are no characters and words

_CODES = 65_536  # of characters, in two bytes
_MANY = 500_000  # spellings, of some 200 bytes each; from then on one is only taken in
_SEVERAL = 4  # where the chunk that first has it has it so many times,
_MOST = 1_000_000  # and none at all from then on


class TooManyError(Exception):
    """There are more characters than codes of one byte."""


@dataclass(frozen=True)
class Chunk:
    """
    Whole lines of a file.

    :param number: of the chunk in the text.
    :param file: the number of the file.
    :param byte: where the chunk begins in it, and
    :param length: how many bytes it has.
    """

    number: int
    file: int
    byte: int
    length: int


@dataclass(frozen=True)
class ChunkReport:
    """
    What is in a chunk.

    :param lines: that are not blank.
    :param symbols: how many, and
    :param words: how many numbers of words.
    :param characters: which there are, and
    :param character_counts: (characters,) how often.
    :param spellings: the words that this writer has not reported yet, and
    :param spelling_counts: (spellings,) how often each stands in the chunk.
    :param tally: of all chunks until now, where from now on others are counted.
    """

    lines: int
    symbols: int
    words: int
    characters: str
    character_counts: NDArray[np.int64]
    spellings: list[str]
    spelling_counts: NDArray[np.int64]
    tally: Tally | None


@dataclass(frozen=True)
class Destination:
    """
    Where a chunk belongs.

    :param symbol: symbols, and
    :param word: numbers of words that come before it in the files.
    :param codes: (characters,) of the characters of its report, and
    :param numbers: (spellings,) of the words.
    :param width: bytes of a symbol.
    """

    symbol: int
    word: int
    codes: NDArray[np.uint16]
    numbers: NDArray[np.uint32]
    width: int


class ChunkWriter:
    """
    Encodes chunks and writes them, one after the other.

    :param paths: of the files of the text.
    :param folder: that has the files of the encoded text.
    """

    def __init__(self, paths: Sequence[Path], folder: Path, normalization: Normalization, hurried: float) -> None:
        self._paths, self._folder, self._normalization, self._hurried = paths, folder, normalization, hurried
        self._codes = np.full(_CODES, UNKNOWN, dtype=np.uint16)
        self._codes[BOUNDARY] = BOUNDARY
        self._chunk: EncodedChunk | None = None
        self._begin()

    def _begin(self) -> None:
        self._encoder = ChunkEncoder(self._normalization, self._hurried)
        self._numbers = np.array([START, OTHER], dtype=np.uint32)  # in the text, of those that the encoder gives

    def encode(self, chunk: Chunk) -> ChunkReport | None:
        """Read and encode a chunk, and say what is in it; nothing where it is no text."""
        from autocomplete.corpus.loops import add_counts

        tally = None
        if self._encoder.is_full:
            tally = self.tally()
            self._begin()
        with self._paths[chunk.file].open("rb") as file:
            file.seek(chunk.byte)
            data = file.read(chunk.length)
        try:
            found = self._chunk = self._encoder.encode(data, chunk.number, begins_file=chunk.byte == 0)
        except NoTextError:
            return None
        symbol_counts = np.zeros(_CODES, dtype=np.int64)
        add_counts(found.symbols, symbol_counts)
        self._present = np.flatnonzero(symbol_counts[SPECIAL:]) + SPECIAL
        beyond = {BEYOND + place: character for place, character in enumerate(self._encoder.beyond)}
        known = len(self._numbers)
        fresh = self._encoder.spellings[known - SPECIAL :]
        word_counts = np.zeros(known + len(fresh), dtype=np.int64)
        add_counts(found.words, word_counts)
        return ChunkReport(
            lines=found.lines,
            symbols=len(found.symbols),
            words=len(found.words),
            characters="".join(beyond.get(symbol) or chr(symbol) for symbol in self._present.tolist()),
            character_counts=symbol_counts[self._present],
            spellings=fresh,
            spelling_counts=word_counts[known:],
            tally=tally,
        )

    def write(self, destination: Destination) -> None:
        """Write the chunk that was encoded last; raise OSError where that fails."""
        from autocomplete.corpus.loops import translate

        assert self._chunk is not None
        self._codes[self._present] = destination.codes
        self._numbers = np.append(self._numbers, destination.numbers)
        symbols = translate(self._chunk.symbols, self._codes.astype(f"<u{destination.width}"))
        words = translate(self._chunk.words, self._numbers)
        for name, array, place in ((SYMBOLS, symbols, destination.symbol), (WORDS, words, destination.word)):
            with (self._folder / name).open("r+b") as file:
                file.seek(place * array.itemsize)
                file.write(array.data)
        self._chunk = None

    def tally(self) -> Tally:
        """Return how often each word was in all chunks since the last one that was reported."""
        tally = self._encoder.tally()
        return replace(tally, numbers=self._numbers[tally.numbers].astype(np.int64))


class Numbering:
    """
    The numbers of characters and words in a whole text, and how often they stand in it.

    :param width: bytes of a symbol.
    """

    def __init__(self, width: int) -> None:
        self.characters: dict[str, int] = {}
        self.spellings: dict[str, int] = {}
        self.character_counts = np.zeros(_CODES, dtype=np.int64)
        self.counts, self.evidence, self.first_evidence = (np.zeros(0, dtype=np.int64) for _ in range(3))
        self.left_out = self.lines = self.symbols = self.words = 0
        self._width = width

    def place(self, report: ChunkReport) -> Destination:
        """Return where the next chunk belongs; raise TooManyError where its characters need more bytes."""
        codes = np.array([self._code(character) for character in report.characters], dtype=np.uint16)
        if SPECIAL + len(self.characters) > 256**self._width:
            raise TooManyError
        np.add.at(self.character_counts, codes, report.character_counts)
        counts = report.spelling_counts.tolist()
        numbers = [self._number(*each) for each in zip(report.spellings, counts, strict=True)]
        destination = Destination(self.symbols, self.words, codes, np.array(numbers, dtype=np.uint32), self._width)
        self.lines, self.symbols, self.words = (
            self.lines + report.lines, self.symbols + report.symbols, self.words + report.words
        )  # fmt: skip
        if report.tally is not None:
            self.add(report.tally)
        return destination

    def add(self, tally: Tally) -> None:
        """Count words."""
        more = len(self.spellings) - len(self.counts)
        self.counts, self.evidence = (np.append(a, np.zeros(more, np.int64)) for a in (self.counts, self.evidence))
        self.first_evidence = np.append(self.first_evidence, np.full(more, NEVER))
        known = tally.numbers >= SPECIAL
        numbers = tally.numbers[known] - SPECIAL
        np.add.at(self.counts, numbers, tally.counts[known])
        np.add.at(self.evidence, numbers, tally.evidence[known])
        np.minimum.at(self.first_evidence, numbers, tally.first_evidence[known])
        self.left_out += tally.left_out

    def _code(self, character: str) -> int:
        if SPECIAL + len(self.characters) < _CODES:
            return self.characters.setdefault(character, SPECIAL + len(self.characters))
        return self.characters.get(character, UNKNOWN)

    def _number(self, spelling: str, count: int) -> int:
        length = len(self.spellings)
        if length < _MANY or (length < _MOST and count >= _SEVERAL):
            return self.spellings.setdefault(spelling, SPECIAL + length)
        return self.spellings.get(spelling, OTHER)

    def arrays(self) -> dict[str, Any]:
        """Return all that is to be kept, by name."""
        return {
            "bytes": self._width,
            "characters": np.frombuffer("".join(self.characters).encode("utf-32-le"), dtype=np.uint8),
            "character_counts": self.character_counts[SPECIAL : SPECIAL + len(self.characters)],
            "spellings": np.frombuffer("".join(f"{each}\n" for each in self.spellings).encode(), dtype=np.uint8),
            "counts": self.counts,
            "evidence": self.evidence,
            "first_evidence": self.first_evidence,
            "left_out": self.left_out,
        }
