"""
What stands between two blanks, taken apart once however often it stands in a text.

Running text has some hundred thousand distinct tokens and many millions in all. So each is taken apart by the plain functions of
`normalize` and `words`, which say what a key and a word are, and remembered; what is done with every token of a text is
done by `loops` on their numbers. A token is known by 64 bits that are made of its bytes: of eight bytes or fewer they are as good
as the token itself, and among ten million longer ones two are taken for the same once in 400,000 texts.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.normalization import Normalization, without_marks
from autocomplete.text.vocabulary import UNKNOWN
from autocomplete.text.words import token_words

__all__ = [
    "BEYOND",
    "ENDS",
    "FLAGS",
    "LONGEST_TOKEN",
    "LONGEST_WORD",
    "OPENS",
    "OTHER",
    "ROOM",
    "SETTLES",
    "START",
    "Tokens",
]

LONGEST_WORD = 100  # characters; a longer one is an address or encoded data
LONGEST_TOKEN = 64  # bytes; a longer one is no word, and not remembered
START, OTHER = 0, 1  # among the numbers of words: where a line or sentence begins; a word that is none
OPENS, SETTLES, ENDS, FLAGS = 1, 2, 4, 3  # flags of a form, and how many bits they are: see `Tokens.forms`
ROOM = LONGEST_TOKEN + 8  # items after the last that is meant: whole pieces are read and written, which are faster

_SLOTS = 20  # bits: of the table, more than twice as many as tokens are remembered
BEYOND, _MOST_BEYOND = 0xD800, 2048  # codes that no character has, for characters that do not fit into two bytes


class Tokens:
    """
    Distinct tokens, in two forms each: as it is written, and as it is typed in haste.

    The forms of token i are 2 * i and 2 * i + 1.
    """

    def __init__(self, normalization: Normalization) -> None:
        self._normalization = normalization
        self._forms, self._tokens = array("i"), array("i")
        self._symbols, self._words, self._spelled = array("H"), array("i"), array("i")
        self._beyond: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._table = np.zeros((1 << _SLOTS, 2), dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._tokens) // 2

    @property
    def forms(self) -> NDArray[np.int32]:
        """
        Where to find what is known of each form: (forms, 4).

        The first two columns are where it begins among `symbols`, a blank and the characters of its key, and how many those are.
        The third is where it begins among `words`: START, and then the numbers of its words, with START before those inside that
        begin a sentence. The fourth, less its last `FLAGS` bits, is how many follow the first START. Those bits are OPENS, where
        its first word begins a sentence whatever stands before it; SETTLES, where it alone tells whether the next word begins
        one, and ENDS, where that does.
        """
        return _numbers(self._forms).reshape(-1, 4)

    @property
    def symbols(self) -> NDArray[np.uint16]:
        """The characters of all forms in two bytes each: their code points, or from 0xD800 on those of `beyond`; and room."""
        return np.append(_numbers(self._symbols), np.zeros(ROOM, dtype=np.uint16))

    @property
    def words(self) -> NDArray[np.int32]:
        """The words of all forms."""
        return _numbers(self._words)

    @property
    def written(self) -> NDArray[np.int32]:
        """Of each token as it is written: (tokens, 2) how many words it has, of those in `spelled`, and how many too long."""
        return _numbers(self._tokens).reshape(-1, 2)

    @property
    def spelled(self) -> NDArray[np.int32]:
        """The words of all tokens as they are written, one token after another."""
        return _numbers(self._spelled)

    @property
    def beyond(self) -> str:
        """The characters whose code points need more than two bytes."""
        return "".join(self._beyond)

    @property
    def spellings(self) -> list[str]:
        """The words of the numbers from 2 on."""
        return list(self._numbers)

    def find(self, data: bytearray) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.bool_], int]:
        """
        Return what `loops.split` does of some text; tokens never seen before are taken apart.

        :param data: UTF-8 as it wants it.
        :returns: numbers and marks of the tokens, whether a line begins with each, and the length of the longest line.
        """
        from autocomplete.corpus.loops import split

        codes = np.frombuffer(data, dtype=np.uint8)
        pieces = np.ndarray((len(data) - 7,), np.dtype("<u8"), data, strides=(1,))
        found, marks, begins_line, fresh, longest = split(codes, pieces, self._table, len(self))
        self._add([data[start:end].decode() for start, end in fresh.tolist()])
        return found, marks, begins_line, longest

    def _add(self, tokens: list[str]) -> None:
        """Take tokens apart, which get the next numbers."""
        apart = _Apart(self._normalization, self._number, len(self._symbols), len(self._words))
        for token in tokens:
            apart.add(token)
        self._forms.extend(apart.forms)
        self._words.extend(apart.words)
        self._tokens.extend(apart.tokens)
        self._spelled.extend(apart.spelled)
        text = "".join(apart.symbols)
        if max(text, default="") > "\uffff":
            self._symbols.extend(map(self._symbol, text))
        else:
            self._symbols.frombytes(text.encode(f"utf-16-{sys.byteorder[0]}e"))

    def _symbol(self, character: str) -> int:
        if character <= "\uffff":
            return ord(character)
        place = self._beyond.setdefault(character, len(self._beyond))
        return BEYOND + place if place < _MOST_BEYOND else UNKNOWN

    def _number(self, word: str) -> int:
        if len(word) > LONGEST_WORD:
            return OTHER
        return self._numbers.setdefault(word, len(self._numbers) + 2)


class _Apart:
    """
    Tokens taken apart: what is to be appended to the arrays of `Tokens`.

    :param number: gives the number of a word; and the lengths of two of the arrays follow.
    """

    def __init__(self, normalization: Normalization, number: Callable[[str], int], symbols: int, words: int) -> None:
        self._normalization, self._number = normalization, number
        self._begin, self._words_begin = symbols, words
        self.forms: list[int] = []
        self.symbols: list[str] = []
        self.words: list[int] = []
        self.tokens: list[int] = []
        self.spelled: list[int] = []

    def add(self, token: str) -> None:
        """Take a token apart."""
        if token.isalpha() and token.isascii():  # most are, and need not be looked at closely
            written = words = [(token, False)]
            self._add_form(token, words, ends=False)
            if (bare := token.lower()) == token:
                self.forms += self.forms[-4:]
            else:
                self._add_form(bare, [(bare, False)], ends=False)
        else:
            surface = self._normalization.surface(token)
            written = words = (found := token_words([surface], False))[0]
            if surface != token:
                written = token_words([token], False)[0]
            self._add_form(surface, *found)
            bare = without_marks(surface)
            self._add_form(bare, *token_words(bare.split(), False))
        short = [number for word, _ in written if (number := self._number(word)) != OTHER]
        self.tokens += (len(short), len(written) - len(short))
        self.spelled += short

    def _add_form(self, text: str, words: list[tuple[str, bool]], ends: bool) -> None:
        """Add a form, given what `token_words` finds in it where no sentence begins."""
        key = self._normalization.key(text)
        numbers = [START]
        for place, (word, begins) in enumerate(words):
            if begins and place:
                numbers.append(START)
            numbers.append(self._number(word))
        # After a word, or where one ends, what stood before is forgotten.
        flags = OPENS * bool(words and words[0][1]) + SETTLES * (bool(words) or ends) + ENDS * ends
        self.forms += (
            self._begin,
            len(key) + 1,
            self._words_begin + len(self.words),
            (len(numbers) - 1 << FLAGS) + flags,
        )
        self.symbols += (" ", key)
        self._begin += len(key) + 1
        self.words += numbers


def _numbers(growing: array[int]) -> NDArray[Any]:
    """Return what is in an array; it must not be in use while that grows."""
    return np.frombuffer(growing, dtype=growing.typecode) if growing else np.zeros(0, dtype=growing.typecode)
