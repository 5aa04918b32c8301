"""
The distinct tokens of a text: what stands between two blanks, taken apart once however often it comes.

Running text has some hundred thousand distinct tokens and many millions in all. Each is taken apart by the plain functions of
`alphabet` and `words`, which say what a key and a word are, and remembered. `loops` then works on the numbers of the tokens.
A token is known by 64 bits made of its bytes. Of eight bytes or fewer they are as good as the token itself; among ten million
longer ones, two are taken for the same once in 400,000 texts.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.alphabets import Alphabet
from autocomplete.text.normalization import without_marks
from autocomplete.text.vocabulary import UNKNOWN
from autocomplete.text.words import token_words

__all__ = ["BEYOND", "LONGEST_WORD", "OTHER", "START", "Tokens"]

LONGEST_WORD = 100  # characters; a longer one is an address or encoded data
LONGEST_TOKEN = 64  # bytes; a longer one is no word, and not remembered
START, OTHER = 0, 1  # among the numbers of words: where a line or sentence begins; a word that is none
OPENS, SETTLES, ENDS, FLAGS = 1, 2, 4, 3  # flags of a form, and how many bits they are: see `Tokens.forms`
ROOM = LONGEST_TOKEN + 8  # items after the last that is meant: whole pieces are read and written, which are faster
BEYOND, _MOST_BEYOND = 0xD800, 2048  # codes that no character has, for characters that do not fit into two bytes

_SLOTS = 20  # bits: of the table, more than twice as many as tokens are remembered


class Tokens:
    """
    Distinct tokens, each in two forms: 2 * i is token i as it is written, 2 * i + 1 as it is typed in haste, without its marks.

    :ivar table: (slots, 2) of each token its fingerprint and number; `loops.split` enters the new ones.
    :ivar numbers: words by their numbers, from 2 on.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self.table = np.zeros((1 << _SLOTS, 2), dtype=np.uint64)
        self.numbers: dict[str, int] = {}
        self._alphabet = alphabet
        self._forms, self._words, self._written, self._spelled = (array("i") for _ in range(4))
        self._symbols = array("H")
        self._beyond: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._written) // 2

    def forms(self) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.int32]]:
        """
        Return where to find what is known of each form, (forms, 4), and the symbols and the words of all forms.

        Column 0 is where it begins among the symbols, a blank and the characters of its key, and column 1 how many those are. A
        symbol is a code point in two bytes, or from BEYOND on a place in `beyond`; after the last there is `ROOM`.

        Column 2 is where it begins among the words: START, and then the numbers of its words, with START before those inside that
        begin a sentence. Column 3, less its last `FLAGS` bits, is how many follow the first START. Those bits are OPENS, where
        its first word begins a sentence whatever stands before it; SETTLES, where it alone tells whether the next word begins
        one, and ENDS, where that does.
        """
        symbols = np.append(_numbers(self._symbols), np.zeros(ROOM, dtype=np.uint16))
        return _numbers(self._forms).reshape(-1, 4), symbols, _numbers(self._words)

    def written(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return (tokens, 2) how many words each token has as it is written, and how many too long; and the words of all."""
        return _numbers(self._written).reshape(-1, 2), _numbers(self._spelled)

    @property
    def beyond(self) -> str:
        """The characters whose code points need more than two bytes."""
        return "".join(self._beyond)

    def add(self, tokens: Iterable[str]) -> None:
        """Take tokens apart, which get the next numbers."""
        for token in tokens:
            if token.isalpha() and token.isascii():  # most are, and need not be looked at closely
                written = [(token, False)]
                self._add_form(token, written, ends=False)
                bare = token.lower()
                if bare == token:
                    self._forms += self._forms[-4:]
                else:
                    self._add_form(bare, [(bare, False)], ends=False)
            else:
                surface = self._alphabet.surface(token)
                written, ends = token_words([surface], False)
                self._add_form(surface, written, ends)
                if surface != token:
                    written = token_words([token], False)[0]
                bare = without_marks(surface)
                self._add_form(bare, *token_words(bare.split(), False))
            short = [number for word, _ in written if (number := self._number(word)) != OTHER]
            self._written.extend((len(short), len(written) - len(short)))
            self._spelled.extend(short)

    def _add_form(self, text: str, words: list[tuple[str, bool]], ends: bool) -> None:
        """Add a form, given what `token_words` finds in it where no sentence begins."""
        numbers = [START]
        for place, (word, begins) in enumerate(words):
            if begins and place:
                numbers.append(START)
            numbers.append(self._number(word))
        # After a word, or where one ends, what stood before is forgotten.
        flags = OPENS * bool(words and words[0][1]) + SETTLES * (bool(words) or ends) + ENDS * ends
        key = " " + self._alphabet.key(text)
        self._forms.extend((len(self._symbols), len(key), len(self._words), (len(numbers) - 1 << FLAGS) + flags))
        self._words.extend(numbers)
        if key.isascii() or max(key) <= "\uffff":
            self._symbols.frombytes(key.encode(f"utf-16-{sys.byteorder[0]}e"))
        else:
            self._symbols.extend(map(self._symbol, key))

    def _symbol(self, character: str) -> int:
        if character <= "\uffff":
            return ord(character)
        place = self._beyond.setdefault(character, len(self._beyond))
        return BEYOND + place if place < _MOST_BEYOND else UNKNOWN

    def _number(self, word: str) -> int:
        if len(word) > LONGEST_WORD:
            return OTHER
        return self.numbers.setdefault(word, len(self.numbers) + 2)


def _numbers(growing: array[int]) -> NDArray[Any]:
    """Return what is in an array; it must not be in use while that grows."""
    return np.frombuffer(growing, dtype=growing.typecode) if growing else np.zeros(0, dtype=growing.typecode)
