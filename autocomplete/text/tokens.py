"""
What stands between two blanks, taken apart once however often it stands in a text.

Running text has some hundred thousand distinct tokens and many millions in all. So each is taken apart by the plain functions of
`normalize` and `words`, which say what a key and a word are, and remembered; what is done with every token of a text is
done by numpy on their numbers. A token is known by 64 bits that are made of its bytes: of eight bytes or fewer they are as good
as the token itself, and among ten million longer ones two are taken for the same once in 400,000 texts.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.text.normalize import Normalization, without_marks
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.text.words import token_words

__all__ = ["ENDS", "FIRST_MARK", "LONGEST_WORD", "MARKS", "OPENS", "OTHER", "SETTLES", "START", "Tokens", "gather"]

LONGEST_WORD = 100  # characters; a longer one is an address or encoded data
START, OTHER = 0, 1  # among the numbers of words: where a line or sentence begins; a word that is none
MARKS, FIRST_MARK = ".,?!:;", 3  # that have the same codes everywhere, from that one on
OPENS, SETTLES, ENDS = 1, 2, 4  # flags of a form: see `Tokens.forms`

_SLOTS = 20  # bits: of the table, more than twice as many as tokens are remembered
_LONGEST = 64  # bytes; a longer token is no word, and not remembered
_MASKS = np.array([(1 << 8 * length) - 1 for length in range(9)], dtype=np.uint64)
_CODES = 65_536  # of characters, in two bytes
_PIECE = np.dtype("c16")  # the longest item that numpy copies in one go, whatever stands in it
_ROOM = _PIECE.itemsize  # bytes after a ragged array, so that its last row can be copied in whole pieces


class Tokens:
    """Distinct tokens, in two forms each: as it is written, and as it is typed in haste."""

    def __init__(self, normalization: Normalization) -> None:
        self._normalization = normalization
        # Four of each form: where its symbols begin and how many they are, where its words begin, and eight times how many they
        # are, with its flags. The forms of token i are 2 * i and 2 * i + 1.
        self._forms = array("i")
        self._symbols = array("H", bytes(_ROOM))
        self._words = array("i", bytes(_ROOM))
        # Three of each token: where its words as they are written begin, how many they are, and how many are too long.
        self._tokens = array("i")
        self._spelled = array("i", bytes(_ROOM))
        # The first two are no characters; no text has the zero character.
        self._codes = {character: code for code, character in enumerate(["", "\0", " ", *MARKS])}
        self._numbers: dict[str, int] = {}
        self._prints = np.zeros(1 << _SLOTS, dtype=np.uint64)
        self._found = np.zeros(1 << _SLOTS, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._tokens) // 3

    @property
    def forms(self) -> NDArray[np.int32]:
        """
        Where to find what is known of each form: (forms, 4).

        The first two columns are for `gather` from `symbols`: a blank and the characters of its key, as codes. The third
        and, divided by eight, the fourth are for `gather` from `words`: the numbers of its words, from one place behind START
        on, with START before those inside that begin a sentence. The rest of the fourth are flags: OPENS, where its
        first word begins a sentence whatever stands before it; SETTLES, where it alone tells whether the next word
        begins one, and ENDS, where that does.
        """
        return _view(self._forms, "i4").reshape(-1, 4)

    @property
    def symbols(self) -> NDArray[np.uint16]:
        """The symbols of all forms."""
        return _view(self._symbols, "u2")

    @property
    def words(self) -> NDArray[np.int32]:
        """The words of all forms."""
        return _view(self._words, "i4")

    @property
    def written(self) -> NDArray[np.int32]:
        """Of each token as it is written: (tokens, 3) two columns for `gather` from `spelled`, and the words too long."""
        return _view(self._tokens, "i4").reshape(-1, 3)

    @property
    def spelled(self) -> NDArray[np.int32]:
        """The words of all tokens as they are written."""
        return _view(self._spelled, "i4")

    @property
    def alphabet(self) -> str:
        """The characters of the codes from 2 on, the blank first."""
        return "".join(list(self._codes)[2:_CODES])

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
            found[missing] = self._add(
                [data[start : start + length] for start, length in zip(starts[missing], lengths[missing], strict=True)]
            )
            kept = missing[lengths[missing] <= _LONGEST]
            slots = np.where(self._prints[first[kept]] == 0, first[kept], second[kept])
            # Where two want the same slot, one of them gets all of it: the last one, both times.
            self._prints[slots] = prints[kept]
            self._found[slots] = found[kept]
        return found

    def _add(self, tokens: list[bytes]) -> list[int]:
        """Take tokens apart, and return their numbers."""
        for growing in (self._symbols, self._words, self._spelled):
            del growing[-_ROOM // growing.itemsize :]
        numbers: dict[bytes, int] = {}
        for token in tokens:
            if token not in numbers:
                numbers[token] = len(self)
                self._take_apart(token.decode())
        for growing in (self._symbols, self._words, self._spelled):
            growing.frombytes(bytes(_ROOM))
        return [numbers[token] for token in tokens]

    def _take_apart(self, token: str) -> None:
        if (
            token.isascii() and token.isalpha() and len(token) <= LONGEST_WORD
        ):  # most are, and need not be looked at closely
            bare = token.lower()
            self._add_form(token, [(token, False)], False)
            if bare == token:
                self._forms.extend(self._forms[-4:])
            else:
                self._add_form(bare, [(bare, False)], False)
            self._tokens.extend((len(self._spelled), 1, 0))
            self._spelled.append(self._number(token))
            return
        surface = self._normalization.surface(token)
        words, ends = token_words([surface], False)
        self._add_form(surface, words, ends)
        bare = without_marks(surface)
        self._add_form(bare, *token_words(bare.split(), False))
        written = words if surface == token else token_words([token], False)[0]
        short = [number for word, _ in written if (number := self._number(word)) != OTHER]
        self._tokens.extend((len(self._spelled), len(short), len(written) - len(short)))
        self._spelled.extend(short)

    def _add_form(self, text: str, words: list[tuple[str, bool]], ends: bool) -> None:
        """Add a form, given what `token_words` finds in it where no sentence begins."""
        key = self._normalization.key(text)
        numbers = [START]
        for word, begins in words:
            if begins and len(numbers) > 1:
                numbers.append(START)
            numbers.append(self._number(word))
        # After a word, or where one ends, what stood before is forgotten.
        flags = OPENS * bool(words and words[0][1]) + SETTLES * (bool(words) or ends) + ENDS * ends
        self._forms.extend((len(self._symbols), len(key) + 1, len(self._words), 8 * (len(numbers) - 1) + flags))
        self._symbols.extend(map(self._code, " " + key))
        self._words.extend(numbers)

    def _code(self, character: str) -> int:
        if (code := self._codes.get(character)) is None:
            code = self._codes[character] = len(self._codes) if len(self._codes) < _CODES else UNKNOWN
        return code

    def _number(self, word: str) -> int:
        if len(word) > LONGEST_WORD:
            return OTHER
        return self._numbers.setdefault(word, len(self._numbers) + 2)


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


def _view(growing: array[int], kind: str) -> NDArray[Any]:
    """Return an array that grows as one of numpy's; it cannot grow while that is in use."""
    return np.frombuffer(growing, dtype=kind) if growing else np.zeros(0, dtype=kind)
