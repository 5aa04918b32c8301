"""
Running text as arrays: the symbols of its characters, its words as numbers, and how often each word stands in it.

Text comes in chunks of whole lines. Words have the numbers of their encoder, so that several can work side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.normalize import Normalization
from autocomplete.text.tokens import ENDS, OPENS, SETTLES, Tokens, gather
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["LONGEST_LINE", "ChunkEncoder", "EncodedChunk", "NoTextError", "Tally"]

LONGEST_LINE = 1_000_000  # bytes; a longer one is no text that a person wrote

_BLOCK = 500_000  # bytes encoded at once, of which the arrays stay in the processor's cache
_REMEMBERED = 400_000  # tokens, of some 200 bytes each, before all are forgotten
_NEVER = np.iinfo(np.int64).max
_IS_BLANK = np.array([chr(code).isspace() for code in range(128)] + [False] * 128)  # by byte
_IS_PLAIN = np.array([chr(code).isalnum() for code in range(128)] + [False] * 128)  # by byte
_MARK = np.array([code if chr(code) in '.,?!:;)]"' else 0 for code in range(256)], dtype=np.uint8)  # by byte
_ENDS = np.array([(SETTLES | ENDS) * (chr(code) in ".?!:") for code in range(256)])  # by byte
_OTHER_BLANKS = [chr(code) for code in range(128, 0x3001) if chr(code).isspace()]


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
        generator = np.random.default_rng(number)
        line_ends = np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == ord("\n"))
        if b"\0" in chunk or np.diff(line_ends, prepend=-1, append=len(chunk) - 1).max() > LONGEST_LINE:
            raise NoTextError
        blocks, start = [], 0
        while start < len(chunk):
            end = len(chunk) if start + _BLOCK >= len(chunk) else chunk.rfind(b"\n", start, start + _BLOCK) + 1
            if end <= start:  # a line longer than a block
                end = chunk.find(b"\n", start) + 1 or len(chunk)
            try:
                block = _with_plain_blanks(chunk[start:end], begins_file=begins_file and start == 0)
            except UnicodeDecodeError:
                raise NoTextError from None
            blocks.append(self._encode(block, generator))
            start = end
        lines, symbols, words, occurrences = zip(*blocks, strict=True) if blocks else ((), (), (), ())
        self._count(_join(occurrences, "i4"), number)
        return EncodedChunk(sum(lines), _join(symbols, "u2"), _join(words, "i4"))

    def _encode(
        self, block: bytes, generator: np.random.Generator
    ) -> tuple[int, NDArray[Any], NDArray[Any], NDArray[np.int32]]:
        """Return the number of lines, symbols, words, and tokens (twice the number, and one more where a sentence begins)."""
        codes = np.frombuffer(block, dtype=np.uint8)
        is_blank = _IS_BLANK.take(codes)
        edges = np.flatnonzero(is_blank[1:] != is_blank[:-1]) + 1  # the block begins and ends with blanks
        starts, lengths = edges[::2], edges[1::2] - edges[::2]
        # A mark after a letter or digit is taken off: there are far fewer different tokens without.
        last = codes[starts + lengths - 1]
        marks = _MARK.take(last) * _IS_PLAIN.take(codes[starts + lengths - 2])
        tokens = self._tokens.find(block, starts, lengths - (marks > 0))
        # A line begins with the first token after a line end.
        begins_line = np.zeros(len(tokens) + 1, dtype=bool)
        begins_line[np.searchsorted(starts, np.flatnonzero(codes == ord("\n")))] = True
        begins_line = begins_line[:-1]
        firsts = np.flatnonzero(begins_line)
        sizes = np.diff(firsts, append=len(tokens))
        bare = np.repeat(generator.random(len(firsts)) < self._hurried, sizes)
        every = self._tokens.forms
        forms = every.take(2 * tokens + bare, axis=0)
        ends = _ENDS.take(marks)
        begins = _begins_sentence(forms[:, 3] | ends * ~bare, begins_line)
        symbols = self._symbols(forms, np.repeat(np.arange(len(firsts), dtype=np.int32), sizes), marks * ~bare)
        words = self._words(forms, begins)
        hurried = np.flatnonzero(bare)  # whole lines, which have words that begin sentences as they are written
        begins[hurried] = _begins_sentence(every[2 * tokens[hurried], 3] | ends[hurried], begins_line[hurried])
        return len(firsts), symbols, words, 2 * tokens + begins

    def _symbols(self, forms: NDArray[np.int32], lines: NDArray[np.int32], marks: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the symbols of forms and the marks after them, with a boundary in place of the blank where a line begins."""
        some = np.flatnonzero(forms[:, 1] > 1)  # without its marks nothing is left of a token that is all marks
        marks = marks[some]
        symbols, places = gather(self._tokens.symbols, forms[some, 0], forms[some, 1] + (marks > 0))
        marked = np.flatnonzero(marks)
        symbols[places[marked] + forms[some[marked], 1]] = marks[marked]
        symbols[places[np.flatnonzero(np.diff(lines[some], prepend=-1))]] = BOUNDARY
        return symbols

    def _words(self, forms: NDArray[np.int32], begins: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the numbers of the words of forms, with START before those that begin a sentence."""
        some = np.flatnonzero(forms[:, 3] >> 3)
        begins = begins[some]
        return gather(self._tokens.words, forms[some, 2] + ~begins, (forms[some, 3] >> 3) + begins)[0]

    def _count(self, occurrences: NDArray[np.int32], number: int) -> None:
        """Count tokens, given as twice their numbers, and one more where a sentence begins."""
        length = 2 * len(self._tokens)
        self._first = np.append(self._first, np.full(length - len(self._first), _NEVER))
        self._counts = np.append(self._counts, np.zeros(length - len(self._counts), dtype=np.int64))
        self._counts += np.bincount(occurrences, minlength=length)
        fresh = np.flatnonzero(self._first[occurrences] == _NEVER)[::-1]
        self._first[occurrences[fresh]] = fresh + (number << 32)  # the last one written counts, which is the first

    def tally(self) -> Tally:
        """Return how often each word was in all chunks."""
        written = self._tokens.written
        sizes = written[:, 1]
        spelled, places = gather(self._tokens.spelled, written[:, 0], sizes)
        inside, begins = self._counts.reshape(-1, 2).T
        first_inside, first_begins = self._first.reshape(-1, 2).T
        times = np.repeat(inside + begins, sizes)
        evidence, first = times.copy(), np.repeat(np.minimum(first_inside, first_begins), sizes)
        heads = places[sizes > 0]  # only the first word of a token can begin a sentence
        evidence[heads] = inside[sizes > 0]
        first[heads] = first_inside[sizes > 0]
        numbers, which = np.unique(spelled, return_inverse=True)
        earliest = np.full(len(numbers), _NEVER)
        np.minimum.at(earliest, which, first)
        return Tally(
            numbers=numbers,
            counts=np.bincount(which, weights=times, minlength=len(numbers)).astype(np.int64),
            evidence=np.bincount(which, weights=evidence, minlength=len(numbers)).astype(np.int64),
            first_evidence=earliest,
            left_out=int(written[:, 2] @ (inside + begins)),
        )


def _begins_sentence(flags: NDArray[np.int32], begins_line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether a word would begin a sentence where each form stands."""
    before = np.append(SETTLES | ENDS, flags[:-1])
    told = np.where(begins_line | (before & SETTLES > 0), np.arange(len(flags)), 0)
    answers = begins_line | (before & ENDS > 0)
    return answers[np.maximum.accumulate(told)] | (flags & OPENS > 0)


def _with_plain_blanks(block: bytes, *, begins_file: bool) -> bytes:
    """Return UTF-8 whose white space is that of ASCII, with a line end before it and room after it."""
    if not block.isascii():
        text = block.decode()
        if begins_file:
            text = text.removeprefix("\ufeff")
        for blank in _OTHER_BLANKS:
            if blank in text:
                text = text.replace(blank, " ")
        block = text.encode()
    return b"".join((b"\n", block, b"\n" * 72))


def _join(parts: tuple[NDArray[Any], ...], kind: str) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
