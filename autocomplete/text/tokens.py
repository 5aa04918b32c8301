"""
What stands between two blanks, taken apart once however often it stands in a text.

Running text has some hundred thousand distinct tokens and many millions in all. So each is taken apart by the plain functions of
`normalize` and `words`, which say what a key and a word are, and remembered; what is done with every token of a text is
done by numpy on their numbers. A token is known by 64 bits that are made of its bytes: of eight bytes or fewer they are as good
as the token itself, and among ten million longer ones two are taken for the same once in 400,000 texts.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.normalize import Normalization, without_marks
from autocomplete.text.vocabulary import UNKNOWN
from autocomplete.text.words import token_words

__all__ = ["BEYOND", "ENDS", "LONGEST_WORD", "OPENS", "OTHER", "SETTLES", "START", "Tokens", "gather"]

LONGEST_WORD = 100  # characters; a longer one is an address or encoded data
START, OTHER = 0, 1  # among the numbers of words: where a line or sentence begins; a word that is none
OPENS, SETTLES, ENDS = 1, 2, 4  # flags of a form: see `Tokens.forms`

_SLOTS = 20  # bits: of the table, more than twice as many as tokens are remembered
_LONGEST = 64  # bytes; a longer token is no word, and not remembered
_MASKS = np.array([(1 << 8 * length) - 1 for length in range(9)], dtype=np.uint64)
BEYOND, _MOST_BEYOND = 0xD800, 2048  # codes that no character has, for characters that do not fit into two bytes
_PIECE = np.dtype("c16")  # the longest item that numpy copies in one go, whatever stands in it
_ROOM = _PIECE.itemsize  # bytes after a ragged array, so that its last row can be copied in whole pieces


class Tokens:
    """
    Distinct tokens, in two forms each: as it is written, and as it is typed in haste.

    The forms of token i are 2 * i and 2 * i + 1.
    """

    def __init__(self, normalization: Normalization) -> None:
        self._normalization = normalization
        self._forms, self._tokens = _Growing("i"), _Growing("i")
        self._symbols, self._words, self._spelled = _Growing("H"), _Growing("i"), _Growing("i")
        self._beyond: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._prints = np.zeros(1 << _SLOTS, dtype=np.uint64)
        self._found = np.zeros(1 << _SLOTS, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._tokens) // 3

    @property
    def forms(self) -> NDArray[np.int32]:
        """
        Where to find what is known of each form: (forms, 4).

        The first two columns are for `gather` from `symbols`: a blank and the characters of its key. The third and, divided
        by eight, the fourth are for `gather` from `words`: the numbers of its words, from one place behind START on, with
        START before those inside that begin a sentence. The rest of the fourth are flags: OPENS, where its first word
        begins a sentence whatever stands before it; SETTLES, where it alone tells whether the next word begins one, and ENDS,
        where that does.
        """
        return self._forms.numbers[: len(self._forms)].reshape(-1, 4)

    @property
    def symbols(self) -> NDArray[np.uint16]:
        """The characters of all forms as numbers of two bytes: their code points, or from 0xD800 on those of `beyond`."""
        return self._symbols.numbers

    @property
    def words(self) -> NDArray[np.int32]:
        """The words of all forms."""
        return self._words.numbers

    @property
    def written(self) -> NDArray[np.int32]:
        """Of each token as it is written: (tokens, 3) two columns for `gather` from `spelled`, and the words too long."""
        return self._tokens.numbers[: len(self._tokens)].reshape(-1, 3)

    @property
    def spelled(self) -> NDArray[np.int32]:
        """The words of all tokens as they are written."""
        return self._spelled.numbers

    @property
    def beyond(self) -> str:
        """The characters whose code points need more than two bytes."""
        return "".join(self._beyond)

    @property
    def spellings(self) -> list[str]:
        """The words of the numbers from 2 on."""
        return list(self._numbers)

    def find(self, data: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """
        Return the number of each token of some text; those never seen before are taken apart.

        :param data: UTF-8, with 64 bytes or more after the last token.
        :param starts: (tokens,) where each begins in it.
        """
        prints = _fingerprints(data, starts, lengths)
        first, second = _slots(prints)
        found = self._found[first]
        missing = np.flatnonzero((self._prints[first] != prints) | (lengths > _LONGEST))
        # One that found its slot taken was put into another.
        found[missing] = self._found[second[missing]]
        missing = missing[(self._prints[second[missing]] != prints[missing]) | (lengths[missing] > _LONGEST)]
        if len(missing):
            places = zip(starts[missing].tolist(), (starts + lengths)[missing].tolist(), strict=True)
            found[missing] = self._add([data[start:end] for start, end in places])
            kept = missing[lengths[missing] <= _LONGEST]
            slots = np.where(self._prints[first[kept]] == 0, first[kept], second[kept])
            # Where two want the same slot, one of them gets all of it: the last one, both times.
            self._prints[slots] = prints[kept]
            self._found[slots] = found[kept]
        return found

    def _add(self, tokens: list[bytes]) -> list[int]:
        """Take tokens apart, and return their numbers."""
        numbers = {token: number for number, token in enumerate(dict.fromkeys(tokens), start=len(self))}
        apart = _Apart(self._normalization, self._number, len(self._symbols), len(self._words), len(self._spelled))
        for token in numbers:
            apart.add(token.decode())
        for growing, more in (
            (self._forms, apart.forms), (self._words, apart.words),
            (self._tokens, apart.tokens), (self._spelled, apart.spelled),
        ):  # fmt: skip
            growing.extend(array("i", more))
        text = "".join(apart.symbols)
        symbols = array("H")
        if max(text) > "\uffff":
            symbols.extend(map(self._symbol, text))
        else:
            symbols.frombytes(text.encode(f"utf-16-{sys.byteorder[0]}e"))
        self._symbols.extend(symbols)
        return [numbers[token] for token in tokens]

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

    :param number: gives the number of a word; and the lengths of three of the arrays follow.
    """

    def __init__(
        self, normalization: Normalization, number: Callable[[str], int], symbols: int, words: int, spelled: int
    ) -> None:
        self._normalization, self._number = normalization, number
        self._begin, self._words_begin, self._spelled_begin = symbols, words, spelled
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
        self.tokens += (self._spelled_begin + len(self.spelled), len(short), len(written) - len(short))
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
        self.forms += (self._begin, len(key) + 1, self._words_begin + len(self.words), 8 * (len(numbers) - 1) + flags)
        self.symbols += (" ", key)
        self._begin += len(key) + 1
        self.words += numbers


class _Growing:
    """Numbers that become more, with room after the last one for `gather`; they must not be in use while they do."""

    def __init__(self, kind: str) -> None:
        self._array = array(kind, bytes(_ROOM))
        self._room = len(self._array)

    def __len__(self) -> int:
        return len(self._array) - self._room

    @property
    def numbers(self) -> NDArray[Any]:
        """The numbers and the room."""
        return np.frombuffer(self._array, dtype=self._array.typecode)

    def extend(self, more: array[int]) -> None:
        """Append numbers."""
        del self._array[-self._room :]
        self._array.extend(more)
        self._array.frombytes(bytes(_ROOM))


def gather(
    flat: NDArray[Any], starts: NDArray[np.int32], counts: NDArray[np.int32]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """
    Return rows of a ragged array, one after another, and where each begins among them.

    :param flat: (n,) with 16 bytes of room after the last row.
    :param starts: (rows,) where each begins in it; and
    :param counts: (rows,) how long it is.
    """
    ends = np.cumsum(counts, dtype=np.int64)
    places = ends - counts
    length = _PIECE.itemsize // flat.itemsize
    result = np.empty((int(ends[-1]) if len(ends) else 0) + length, dtype=flat.dtype)
    source, target = (
        np.ndarray((len(array) - length + 1,), _PIECE, array, strides=(array.itemsize,)) for array in (flat, result)
    )
    # A row's last piece runs over into the rows after it. These come later, and the first pieces of all come last.
    for piece in range((int(counts.max(initial=0)) - 1) // length, 0, -1):
        longer = np.flatnonzero(counts > piece * length)
        target[places[longer] + piece * length] = source[starts[longer] + piece * length]
    target[places] = source[starts]
    return result[: len(result) - length], places


def _fingerprints(data: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return (tokens,) 64 bits of each token: pieces of 8 bytes, mixed in one after another."""
    pieces = np.ndarray((len(data) - 7,), np.dtype("<u8"), data, strides=(1,))  # one that begins at each byte
    prints = _mix(pieces[starts] & _MASKS[np.minimum(lengths, 8)])
    for begin in range(8, _LONGEST, 8):
        longer = np.flatnonzero(lengths > begin)
        if not len(longer):
            break
        rest = pieces[starts[longer] + begin] & _MASKS[np.minimum(lengths[longer] - begin, 8)]
        prints[longer] = _mix(prints[longer] ^ rest)
    return prints


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each 64 bits as others, no two the same: what MurmurHash3 ends with (Appleby, 2011), less its last steps."""
    bits ^= bits >> np.uint64(33)
    bits *= np.uint64(0xFF51AFD7ED558CCD)
    bits ^= bits >> np.uint64(33)
    return bits


def _slots(prints: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return two places of the table for each token."""
    mask = np.uint64((1 << _SLOTS) - 1)
    return (prints & mask).astype(np.int64), (prints >> np.uint64(40) & mask).astype(np.int64)
