"""
The loops over each byte and each token of a text, which Numba compiles to machine code.

What the numbers in their arrays mean is said in `tokens`. Only `encoding` imports this module: see there.
"""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.tokens import ENDS, FLAGS, LONGEST_TOKEN, OPENS, ROOM, SETTLES
from autocomplete.text.vocabulary import BOUNDARY

__all__ = ["add_counts", "blank_out", "spell_out", "split", "translate"]

_LINE_END, _BLANK = ord("\n"), ord(" ")
_ASCII = [chr(code) for code in range(128)]
_IS_BLANK = np.array([*map(str.isspace, _ASCII), *[False] * 128])  # by byte
_IS_PLAIN = np.array([*map(str.isalnum, _ASCII), *[False] * 128])  # by byte
_IS_MARK = np.array([chr(code) in '.,?!:;)]"' for code in range(256)])  # by byte
_AFTER_MARK = np.array([(SETTLES | ENDS) * (chr(code) in ".?!:") for code in range(256)], dtype=np.int32)  # by byte
_FIRST_BYTES = np.array([(1 << 8 * length) - 1 for length in range(9)], dtype=np.uint64)
_IS_SPACE = np.array([chr(code).isspace() for code in range(0x3001)])  # by code point; none is higher

Loop = TypeVar("Loop", bound=Callable[..., Any])


def _compiled(function: Loop) -> Loop:
    """Compile a function when it is first called, once for all runs where there is a folder to keep it in."""
    try:
        return cast(Loop, numba.njit(cache=True)(function))
    except RuntimeError:  # neither the package's folder nor that of the user's can be written
        return cast(Loop, numba.njit(function))


def _loop(function: Loop) -> Loop:
    """Compile a function that is called from Python; a Ctrl-C is kept back until its end, as one within crashes Python."""
    compiled = _compiled(function)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():  # which is never interrupted
            return compiled(*arguments)
        kept: list[int] = []
        former = signal.signal(signal.SIGINT, lambda number, frame: kept.append(number))
        try:
            return compiled(*arguments)
        finally:
            signal.signal(signal.SIGINT, former)
            if kept:
                signal.raise_signal(signal.SIGINT)

    return cast(Loop, call)


@_loop
def blank_out(codes: NDArray[np.uint8]) -> None:
    """Put blanks of ASCII in the place of all others."""
    for place in range(len(codes) - 2):
        lead = codes[place]
        if lead < 0xC2 or lead > 0xE3:
            continue
        length, code = 2, (lead & 0x1F) << 6 | codes[place + 1] & 0x3F
        if lead >= 0xE0:
            length, code = 3, (lead & 0x0F) << 12 | (codes[place + 1] & 0x3F) << 6 | codes[place + 2] & 0x3F
        if code < len(_IS_SPACE) and _IS_SPACE[code]:
            codes[place : place + length] = _BLANK


@_loop
def split(codes: NDArray[np.uint8], pieces: NDArray[np.uint64], table: NDArray[np.uint64], known: int) -> Any:
    """
    Return the tokens of a text, and where those stand that were never seen before.

    :param codes: (n,) UTF-8 with a line end added before it, and `ROOM` line ends after it.
    :param pieces: (n - 7,) the eight bytes that begin at each of them.
    :param table: (slots, 2) fingerprint, never 0, and number of each token that is remembered; new ones are entered. The number
        of slots is a power of two.
    :param known: number of tokens that have a number already.
    :returns: (tokens,) numbers; (tokens,) the mark taken off each, or 0; (tokens,) whether a line begins with it;
        (new, 2) where the tokens of the numbers from `known` on begin and end; and the length of the longest line.
    """
    size, mask, most = len(codes) - ROOM + 1, np.uint64(len(table) - 1), len(table) - len(table) // 4
    found = np.empty(size // 2 + 1, dtype=np.int32)
    marks = np.empty(size // 2 + 1, dtype=np.uint8)
    begins = np.empty(size // 2 + 1, dtype=np.bool_)
    fresh = np.empty((size // 2 + 1, 2), dtype=np.int64)
    count = new = place = line_end = longest = 0
    begins_line = False
    while True:
        while place < size and _IS_BLANK[codes[place]]:
            if codes[place] == _LINE_END:
                begins_line = True
                longest = max(longest, place - line_end - (place == size - 1))
                line_end = place
            place += 1
        if place == size:
            return found[:count], marks[:count], begins[:count], fresh[:new], longest
        start = place
        while not _IS_BLANK[codes[place]]:
            place += 1
        # A mark after a letter or digit is taken off: there are far fewer different tokens without.
        last = codes[place - 1]
        marked = _IS_MARK[last] and _IS_PLAIN[codes[place - 2]]
        length = place - marked - start
        number = -1
        if length <= LONGEST_TOKEN:
            bits = _mixed(pieces[start] & _FIRST_BYTES[min(length, 8)])
            for begin in range(8, length, 8):
                bits = _mixed(bits ^ pieces[start + begin] & _FIRST_BYTES[min(length - begin, 8)])
            bits = max(bits, np.uint64(1))
            slot = bits & mask
            while table[slot, 0] != 0 and table[slot, 0] != bits:
                slot = (slot + np.uint64(1)) & mask
            if table[slot, 0] == bits:
                number = int(table[slot, 1])
            elif known + new < most:
                table[slot, 0], table[slot, 1] = bits, known + new
        if number < 0:
            number = known + new
            fresh[new, 0], fresh[new, 1] = start, start + length
            new += 1
        found[count], marks[count], begins[count] = number, last * marked, begins_line
        begins_line = False
        count += 1


@_compiled
def _mixed(bits: np.uint64) -> np.uint64:
    """Return 64 bits as others, no two the same: what MurmurHash3 ends with (Appleby, 2011), less its last steps."""
    bits ^= bits >> np.uint64(33)
    bits *= np.uint64(0xFF51AFD7ED558CCD)
    return bits ^ bits >> np.uint64(33)


@_loop
def spell_out(
    tokens: NDArray[np.int32],
    marks: NDArray[np.uint8],
    begins_line: NDArray[np.bool_],
    hurried: NDArray[np.bool_],
    forms: NDArray[np.int32],
    symbols: NDArray[np.uint16],
    words: NDArray[np.int32],
    counts: NDArray[np.int64],
    first: NDArray[np.int64],
    begin: int,
) -> Any:
    """
    Return the symbols and words of a text, and count its tokens.

    :param tokens: (tokens,) as `split` gives them, like `marks` and `begins_line`.
    :param hurried: (lines,) whether a line is spelled without its marks.
    :param forms: as `Tokens.forms` gives them, like `symbols` and `words`.
    :param counts: (2 * tokens known,) how often each was inside of a sentence and at the beginning of one; updated.
    :param first: (2 * tokens known,) where each was so for the first time; updated.
    :param begin: what the place of the first token is called in `first`.
    """
    line, most_symbols, most_words = -1, ROOM, ROOM
    for place in range(len(tokens)):
        line += begins_line[place]
        form = 2 * tokens[place] + hurried[line]
        most_symbols += forms[form, 1] + 1
        most_words += (forms[form, 3] >> FLAGS) + 1
    spelled = np.empty(most_symbols, dtype=np.uint16)
    numbers = np.empty(most_words, dtype=np.int32)
    line, symbol, number = -1, 0, 0
    blank = True  # of the line, until it has a symbol
    # Whether a word would begin a sentence: of the text as it is spelled, and as it is written.
    begins, begins_written = True, True
    for place in range(len(tokens)):
        if begins_line[place]:
            line += 1
            blank, begins, begins_written = True, True, True
        token, mark, bare = tokens[place], marks[place], hurried[line]
        form = 2 * token + bare
        start, length, flags, flags_written = forms[form, 0], forms[form, 1], forms[form, 3], forms[2 * token, 3]
        if length > 1:  # without its marks nothing is left of a token that is all marks
            # Eight at a time, which is one move, however few they are: the next token writes over what is too many.
            for piece in range(0, length, 8):
                for i in range(8):
                    spelled[symbol + piece + i] = symbols[start + piece + i]
            if blank:
                spelled[symbol], blank = BOUNDARY, False
            symbol += length
            spelled[symbol] = mark
            symbol += mark != 0 and not bare
        count = flags >> FLAGS
        if count > 0:
            opens = begins or (flags & OPENS) != 0
            start = forms[form, 2] + (not opens)  # with the START before its words, or without
            for i in range(count + opens):
                numbers[number + i] = words[start + i]
            number += count + opens
        occurrence = 2 * token + (begins_written or (flags_written & OPENS) != 0)
        if counts[occurrence] == 0:
            first[occurrence] = begin + place
        counts[occurrence] += 1
        # What does not tell leaves it as it was.
        flags_written |= _AFTER_MARK[mark]
        flags = flags if bare else flags_written
        if (flags & SETTLES) != 0:
            begins = (flags & ENDS) != 0
        if (flags_written & SETTLES) != 0:
            begins_written = (flags_written & ENDS) != 0
    return spelled[:symbol], numbers[:number]


@_loop
def translate(numbers: NDArray[Any], table: NDArray[Any]) -> NDArray[Any]:
    """Return (n,) what stands in a table in the place of each number."""
    found = np.empty(len(numbers), dtype=table.dtype)
    for place in range(len(numbers)):
        found[place] = table[numbers[place]]
    return found


@_loop
def add_counts(numbers: NDArray[Any], counts: NDArray[np.int64]) -> None:
    """Add to the counts how often each number is there."""
    for place in range(len(numbers)):
        counts[numbers[place]] += 1
