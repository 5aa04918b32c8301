"""
Read a corpus: a list of words, a list of words with their counts, or running text.

The reader decides which of the three a file is, and says so. Whichever it is, the result is the same: each distinct
word with the number of times that it stands for.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import CorpusError
from autocomplete.text.normalize import Normalization, is_word_character

__all__ = ["Corpus", "Kind", "entropy", "read_corpus"]

Kind = Literal["word list", "word counts", "running text"]

_LONGEST_LINE = 1_000_000  # bytes; a longer one is no text that a person wrote
_LONGEST_WORD = 100  # characters; a longer one is an address or encoded data
_SMALLEST_COUNT, _LARGEST_COUNT = 1e-100, 1e100  # sums and shares of them stay within what a float can hold
_SAMPLE = 1_000  # lines looked at to tell the kind of a file


@dataclass(frozen=True)
class Corpus:
    """
    Distinct words and how often each stands in the corpus, the most frequent first.

    :param name: the names of the files, joined.
    :param kinds: what each file was taken for.
    :param words: keys as `normalization` makes them; distinct, none empty.
    :param counts: (words,) positive.
    :param surfaces: how a word is most often written, for the words where that is not their key.
    :param size: bytes read.
    :param sha256: of those bytes.
    :param left_out: words that were too long to be words.
    """

    name: str
    kinds: tuple[Kind, ...]
    words: tuple[str, ...]
    counts: NDArray[np.float64]
    surfaces: dict[str, str] = field(repr=False)
    normalization: Normalization
    size: int
    sha256: str
    left_out: int = 0

    @property
    def characters(self) -> int:
        """The number of characters in all the distinct words."""
        return sum(map(len, self.words))

    @property
    def distinct_characters(self) -> int:
        """The size of the alphabet that the words are written in."""
        return len(set().union(*self.words))

    @property
    def entropy(self) -> float:
        """The entropy of the counts, in bits per word."""
        return entropy(self.counts)

    def surface(self, word: str) -> str:
        """Return how a word of the corpus is written."""
        return self.surfaces.get(word, word)

    def describe(self) -> str:
        """Return one sentence about what was read."""
        kinds = " and ".join(dict.fromkeys(self.kinds))
        words = "word" if len(self.words) == 1 else "words"
        left_out = f"; left out {self.left_out:,} words of over {_LONGEST_WORD} characters" if self.left_out else ""
        return (
            f"read {self.name} as {kinds}: {len(self.words):,} distinct {words}, {self.characters:,} characters, "
            f"{self.distinct_characters:,} distinct characters{left_out}"
        )


def entropy(counts: NDArray[np.float64]) -> float:
    """Return the entropy of words drawn by count, in bits per word: what no model of them can beat."""
    probabilities = counts / counts.sum()
    return float(-(probabilities * np.log2(probabilities)).sum())


def read_corpus(paths: Sequence[Path], normalization: Normalization | None = None) -> Corpus:
    """
    Read one corpus from one or several files.

    :raises CorpusError: for a file that is missing, a folder, empty, blank, binary, not UTF-8, has a line of over a million
        bytes or a count that is not a positive number; and for a corpus of fewer than two distinct characters.
    """
    normalization = normalization or Normalization()
    digest = hashlib.sha256()
    spellings: Counter[str] = Counter()
    kinds: list[Kind] = []
    size = left_out = 0
    for path in paths:
        source = _Source(path, digest)
        lines = source.lines()
        sample = list(islice(lines, _SAMPLE))
        if not sample:
            empty = "is empty" if source.size == 0 else "has only blank lines"
            raise CorpusError(f"{path}: the file {empty}; give a file with words in it")
        kind = _kind(line for _, line in sample)
        kinds.append(kind)
        for word, count in _words(path, kind, chain(sample, lines)):
            if len(word) > _LONGEST_WORD:
                left_out += 1
            else:
                spellings[normalization.surface(word)] += count  # type: ignore[assignment]  # counts may be fractions
        size += source.size

    name = ", ".join(path.name for path in paths)
    counts: Counter[str] = Counter()
    surfaces: dict[str, str] = {}
    for spelling, count in spellings.most_common():  # the most frequent spelling of a key comes first
        key = normalization.key(spelling)
        counts[key] += count
        surfaces.setdefault(key, spelling)
    if not counts:
        raise CorpusError(f"{name}: no word found; give a file with words in it")
    if len(set().union(*counts)) < 2:
        raise CorpusError(f"{name}: only one distinct character; nothing can be learned from it, so add other words")
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Corpus(
        name=name,
        kinds=tuple(kinds),
        words=tuple(word for word, _ in ordered),
        counts=np.array([count for _, count in ordered], dtype=np.float64),
        surfaces={key: surface for key, surface in surfaces.items() if key != surface},
        normalization=normalization,
        size=size,
        sha256=digest.hexdigest(),
        left_out=left_out,
    )


class _Source:
    """One file, read line by line; counts and hashes the bytes that pass."""

    def __init__(self, path: Path, digest: hashlib._Hash) -> None:
        self.path = path
        self.size = 0
        self._digest = digest

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield (line number from 1, text without its line end) for each line that is not blank."""
        path = self.path
        if path.is_dir():
            raise CorpusError(f"{path}: this is a folder; give the text files in it")
        try:
            with path.open("rb") as file:
                for number, raw in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), start=1):
                    if len(raw) > _LONGEST_LINE:
                        raise CorpusError(
                            f"{path}: line {number} is longer than {_LONGEST_LINE:,} bytes; break the text into lines"
                        )
                    line = self._decode(raw)
                    self._digest.update(raw)
                    self.size += len(raw)
                    if line:
                        yield number, line
        except OSError as error:
            raise CorpusError(
                f"{path}: cannot be read ({error.strerror}); check the name and its permissions"
            ) from None

    def _decode(self, raw: bytes) -> str:
        if (zero := raw.find(b"\0")) >= 0:
            raise CorpusError(
                f"{self.path}: binary data (a zero byte at byte {self.size + zero}); give a text file in UTF-8"
            )
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{self.path}: not UTF-8 at byte {self.size + error.start}; save the file as UTF-8 and try again"
            ) from None
        return (line.removeprefix("\ufeff") if self.size == 0 else line).strip()


def _kind(lines: Iterable[str]) -> Kind:
    """Tell the kind of a file from its first lines, none blank."""
    lines = list(lines)
    if 2 * sum(_is_word_and_count(line) for line in lines) > len(lines):
        return "word counts"
    # A list may hold a few names of several words; text has few lines of a single word.
    phrases = sum(len(line.split()) > 1 for line in lines)
    return "running text" if 5 * phrases > len(lines) else "word list"


def _is_word_and_count(line: str) -> bool:
    word, tab, count = line.partition("\t")
    return bool(tab) and len(word.split()) == 1 and len(count.split()) == 1


def _words(path: Path, kind: Kind, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, float]]:
    """Yield each word with its count."""
    for number, line in lines:
        if kind == "word counts":
            word, _, count = line.partition("\t")
            number_of_times = _count(path, number, count)
            yield from ((part, number_of_times) for part in word.split())
        elif kind == "word list":
            yield from ((word, 1) for word in line.split())
        else:
            yield from ((word, 1) for word in _running_words(line))


def _count(path: Path, number: int, text: str) -> float:
    try:
        count = float(text)
    except ValueError:
        problem = f"the count {text!r} is not a number" if text else "no count after the word"
    else:
        if _SMALLEST_COUNT <= count <= _LARGEST_COUNT:
            return count
        positive = count > 0 and math.isfinite(count)
        problem = f"the count {text} is " + ("out of all proportion" if positive else "not a positive number")
    raise CorpusError(f"{path}: line {number}: {problem}; write word, tab, count")


def _running_words(line: str) -> Iterator[str]:
    """Yield the words of a line of text: letters, digits and marks, with apostrophes inside; at least one letter."""
    for chunk in line.split():
        if chunk.isalpha():
            yield chunk
            continue
        spaced = "".join(character if is_word_character(character) or character in "'’" else " " for character in chunk)
        for word in spaced.split():
            word = word.strip("'’")
            if any(character.isalpha() for character in word):
                yield word
