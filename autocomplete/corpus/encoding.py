"""
Running text as arrays: the symbols of its characters, its words as numbers, and how often each word stands in it.

Text comes in chunks of whole lines. Words have the numbers of their encoder, so that several can work side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.tokens import ROOM, Tokens
from autocomplete.text.normalization import Normalization

__all__ = ["LONGEST_LINE", "NEVER", "ChunkEncoder", "EncodedChunk", "NoTextError", "Tally"]

LONGEST_LINE = 1_000_000  # bytes; a longer one is no text that a person wrote

NEVER = np.iinfo(np.int64).max

_REMEMBERED = 400_000  # tokens, of some 200 bytes each, before all are forgotten
_BYTE_ORDER_MARK = "\ufeff".encode()


class NoTextError(Exception):
    """Some bytes are no text: not UTF-8, with a zero byte, or a line of over a million bytes."""


@dataclass(frozen=True)
class EncodedChunk:
    """
    Lines of text, encoded.

    :param lines: that are not blank.
    :param symbols: (n,) BOUNDARY before each line and then its key: code points, or from BEYOND on those of
        `ChunkEncoder.beyond`.
    :param words: (m,) numbers of words: START where a line or sentence begins, OTHER, and 2 for the first of
        `ChunkEncoder.spellings`.
    """

    lines: int
    symbols: NDArray[np.uint16]
    words: NDArray[np.int32]


@dataclass(frozen=True)
class Tally:
    """
    How often words stand in some chunks.

    :param numbers: (words,) of them.
    :param counts: (words,) how often each stands there as it is written, and
    :param evidence: how often not at the beginning of a sentence;
    :param first_evidence: where that was for the first time: the later, the higher.
    :param left_out: how many others were too long to be words.
    """

    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]
    evidence: NDArray[np.int64]
    first_evidence: NDArray[np.int64]
    left_out: int


class ChunkEncoder:
    """
    Encodes chunks, and remembers their tokens and counts their words from one to the next.

    :param hurried: share of the lines that lose their marks, as people type in haste; the number of a chunk tells which ones.
    """

    def __init__(self, normalization: Normalization, hurried: float) -> None:
        self._hurried = hurried
        self._tokens = Tokens(normalization)
        # Of each token, inside of a sentence and at the beginning of one: how often, and where first.
        self._counts = np.zeros(0, dtype=np.int64)
        self._first = np.zeros(0, dtype=np.int64)

    @property
    def is_full(self) -> bool:
        """Whether so many tokens are remembered that a fresh encoder should go on."""
        return len(self._tokens) > _REMEMBERED

    @property
    def spellings(self) -> list[str]:
        """The words whose numbers are 2 and on."""
        return self._tokens.spellings

    @property
    def beyond(self) -> str:
        """The characters whose code points do not fit into two bytes."""
        return self._tokens.beyond

    def encode(self, chunk: bytes, number: int, *, begins_file: bool = False) -> EncodedChunk:
        """
        Encode whole lines.

        :param number: of the chunk.
        :param begins_file: so that a byte-order mark may come first.
        :raises NoTextError: for what is none.
        """
        from autocomplete.corpus.loops import spell_out

        data = _prepared(chunk.removeprefix(_BYTE_ORDER_MARK) if begins_file else chunk)
        tokens, marks, begins_line, longest = self._tokens.find(data)
        if longest > LONGEST_LINE:
            raise NoTextError
        hurried = np.random.default_rng(number).random(np.count_nonzero(begins_line)) < self._hurried
        more = 2 * len(self._tokens) - len(self._counts)
        self._counts = np.append(self._counts, np.zeros(more, dtype=np.int64))
        self._first = np.append(self._first, np.full(more, NEVER))
        every = self._tokens.forms, self._tokens.symbols, self._tokens.words
        symbols, words = spell_out(tokens, marks, begins_line, hurried, *every, self._counts, self._first, number << 32)
        return EncodedChunk(len(hurried), symbols, words)

    def tally(self) -> Tally:
        """Return how often each word was in all chunks."""
        sizes, too_long = self._tokens.written.T
        spelled, heads = self._tokens.spelled, (np.cumsum(sizes) - sizes)[sizes > 0]
        inside, begins = self._counts.reshape(-1, 2).T
        first_inside, first_begins = self._first.reshape(-1, 2).T
        times = np.repeat(inside + begins, sizes)
        evidence, first = times.copy(), np.repeat(np.minimum(first_inside, first_begins), sizes)
        evidence[heads] = inside[sizes > 0]  # only the first word of a token can begin a sentence
        first[heads] = first_inside[sizes > 0]
        numbers, which = np.unique(spelled, return_inverse=True)
        earliest = np.full(len(numbers), NEVER)
        np.minimum.at(earliest, which, first)
        return Tally(
            numbers=numbers.astype(np.int64),
            counts=np.bincount(which, weights=times, minlength=len(numbers)).astype(np.int64),
            evidence=np.bincount(which, weights=evidence, minlength=len(numbers)).astype(np.int64),
            first_evidence=earliest,
            left_out=int(too_long @ (inside + begins)),
        )


def _prepared(chunk: bytes) -> bytearray:
    """Return UTF-8 as `Tokens.find` wants it; raise NoTextError for what is none."""
    data = bytearray().join((b"\n", chunk, b"\n" * ROOM))
    if b"\0" in chunk:
        raise NoTextError
    if not chunk.isascii():
        from autocomplete.corpus.loops import blank_out

        try:
            chunk.decode()
        except UnicodeDecodeError:
            raise NoTextError from None
        blank_out(np.frombuffer(data, dtype=np.uint8))
    return data
