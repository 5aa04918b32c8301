"""
Encode running text, chunk by chunk, and write it into the files of an `EncodedText`.

Loads Numba, which takes half a second and 100 MB: import this module only where a text is to be encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from autocomplete.corpus.chunks import CODES, NEVER, SPECIAL, SYMBOLS, WORDS, Chunk, ChunkReport, Destination, Tally
from autocomplete.corpus.files import LONGEST_LINE
from autocomplete.corpus.loops import add_counts, blank_out, spell_out, split, translate
from autocomplete.corpus.tokens import BEYOND, OTHER, ROOM, START, Tokens
from autocomplete.text.alphabets import Alphabet
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["ChunkWriter"]

_REMEMBERED = 400_000  # tokens, of some 200 bytes each, before all are forgotten


class ChunkWriter:
    """
    Encodes chunks and writes them, one after the other. It remembers their tokens and counts their words from one to the next.

    :param paths: the files of the text.
    :param folder: where the files of the encoded text are.
    :param hurried: share of the lines that lose their marks, as people type in haste; the number of a chunk tells which ones.
    """

    def __init__(self, paths: Sequence[Path], folder: Path, alphabet: Alphabet, hurried: float) -> None:
        self._paths, self._folder, self._alphabet, self._hurried = paths, folder, alphabet, hurried
        self._codes = np.full(CODES, UNKNOWN, dtype=np.uint16)
        self._codes[BOUNDARY] = BOUNDARY
        self._forget()

    def _forget(self) -> None:
        self._tokens = Tokens(self._alphabet)
        # Of each token, inside of a sentence and at the beginning of one: how often, and where first.
        self._counts, self._first = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self._numbers = np.array([START, OTHER], dtype=np.uint32)  # in the whole text, of the words of `Tokens`

    def send(self, destination: Destination | None, chunk: Chunk | None) -> None:
        """Write the chunk that was encoded last to its destination, if there is one, and take the next one."""
        if destination is not None:
            self._write(destination)
        self._chunk = chunk

    def receive(self) -> Any:
        """Return the report of the chunk that was taken, None where it is no text; without a chunk, a tally."""
        return self._tally() if self._chunk is None else self._encode(self._chunk)

    def _encode(self, chunk: Chunk) -> ChunkReport | None:
        tally = None
        if len(self._tokens) > _REMEMBERED:
            tally = self._tally()
            self._forget()
        if (data := self._read(chunk)) is None:
            return None
        codes = np.frombuffer(data, dtype=np.uint8)
        pieces = np.ndarray((len(data) - 7,), np.dtype("<u8"), data, strides=(1,))
        found, marks, begins_line, fresh, longest = split(codes, pieces, self._tokens.table, len(self._tokens))
        if longest > LONGEST_LINE:
            return None
        self._tokens.add(data[start:end].decode() for start, end in fresh.tolist())
        more = 2 * len(self._tokens) - len(self._counts)
        self._counts = np.append(self._counts, np.zeros(more, dtype=np.int64))
        self._first = np.append(self._first, np.full(more, NEVER))
        hurried = np.random.default_rng(chunk.number).random(np.count_nonzero(begins_line)) < self._hurried
        # The chunk's own codes and numbers, until its report is answered with those of the whole text.
        counted = self._counts, self._first, chunk.number << 32
        self._symbols, self._words = spell_out(found, marks, begins_line, hurried, *self._tokens.forms(), *counted)
        symbol_counts = np.zeros(CODES, dtype=np.int64)
        add_counts(self._symbols, symbol_counts)
        self._present = np.flatnonzero(symbol_counts[SPECIAL:]) + SPECIAL
        beyond = dict(enumerate(self._tokens.beyond, start=BEYOND))
        known = len(self._numbers)
        word_counts = np.zeros(SPECIAL + len(self._tokens.numbers), dtype=np.int64)
        add_counts(self._words, word_counts)
        return ChunkReport(
            lines=len(hurried),
            symbols=len(self._symbols),
            words=len(self._words),
            characters="".join(beyond.get(symbol) or chr(symbol) for symbol in self._present.tolist()),
            character_counts=symbol_counts[self._present],
            spellings=list(islice(self._tokens.numbers, known - SPECIAL, None)),
            spelling_counts=word_counts[known:],
            tally=tally,
        )

    def _read(self, chunk: Chunk) -> bytearray | None:
        """Return UTF-8 as `split` wants it; None where it is no text."""
        with self._paths[chunk.file].open("rb") as file:
            file.seek(chunk.byte)
            read = file.read(chunk.length)
        if chunk.byte == 0:
            read = read.removeprefix(b"\xef\xbb\xbf")  # a byte-order mark
        data = bytearray().join((b"\n", read, b"\n" * ROOM))
        if b"\0" in read:
            return None
        if not read.isascii():
            try:
                read.decode()
            except UnicodeDecodeError:
                return None
            blank_out(np.frombuffer(data, dtype=np.uint8))
        return data

    def _write(self, destination: Destination) -> None:
        self._codes[self._present] = destination.codes
        self._numbers = np.append(self._numbers, destination.numbers)
        symbols = translate(self._symbols, self._codes.astype(destination.codes.dtype))
        words = translate(self._words, self._numbers)
        for name, array, place in ((SYMBOLS, symbols, destination.symbol), (WORDS, words, destination.word)):
            with (self._folder / name).open("r+b") as file:
                file.seek(place * array.itemsize)
                file.write(array.data)
        del self._symbols, self._words  # large, and not needed while the next chunk is encoded

    def _tally(self) -> Tally:
        """Count the words of all tokens, as these are written."""
        written, spelled = self._tokens.written()
        sizes, too_long = written.T
        heads = (np.cumsum(sizes) - sizes)[sizes > 0]
        inside, begins = self._counts.reshape(-1, 2).T
        first_inside, first_begins = self._first.reshape(-1, 2).T
        times = np.repeat(inside + begins, sizes)
        evidence, first = times.copy(), np.repeat(np.minimum(first_inside, first_begins), sizes)
        evidence[heads] = inside[sizes > 0]  # only the first word of a token can begin a sentence
        first[heads] = first_inside[sizes > 0]
        numbers, which = np.unique(spelled, return_inverse=True)
        earliest = np.full(len(numbers), NEVER)
        np.minimum.at(earliest, which, first)
        counts, evidence = (np.bincount(which, each, len(numbers)).astype(np.int64) for each in (times, evidence))
        left_out = int(too_long @ (inside + begins))
        return Tally(self._numbers[numbers].astype(np.int64), counts, evidence, earliest, left_out)
