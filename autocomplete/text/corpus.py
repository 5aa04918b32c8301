"""
Read a corpus: lists of words, with or without their counts, counts of word pairs, and running text.

The reader decides which of these a file is, and says so. Whichever it is, each distinct word comes out with the number of
times that it stands for; running text also comes out as its lines, from which context can be learned.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import CorpusError
from autocomplete.text.normalize import Normalization, is_word_character

__all__ = ["Corpus", "Kind", "entropy", "read_corpus", "running_words"]

Kind = Literal["word list", "word counts", "pair counts", "running text"]

_KINDS_WITH_COUNTS: tuple[tuple[Kind, int], ...] = (("word counts", 1), ("pair counts", 2))  # and the words of a line

_LONGEST_LINE = 1_000_000  # bytes; a longer one is no text that a person wrote
_LONGEST_WORD = 100  # characters; a longer one is an address or encoded data
_ENDING, _CLOSING, _OPENING = frozenset(".!?:…"), "\"')]”’»", frozenset("\"'([“‘«")  # of sentences
_SMALLEST_COUNT, _LARGEST_COUNT = 1e-100, 1e100  # sums and shares of them stay within what a float can hold
_SAMPLE = 1_000  # lines looked at to tell the kind of a file
_LIST_SHARE = 1 / 3  # of all words, where lists stand beside running text: their counts are on a scale of their own
_CONSISTENT = 0.5  # share of its spellings that the most frequent one of a word must have to be taken over
_EVIDENCE = 3  # times that text must have a word, inside of a sentence, to tell how it is written


@dataclass(frozen=True)
class Corpus:
    """
    Distinct words and how often each stands in the corpus, the most frequent first.

    :param name: the names of the files, joined.
    :param kinds: what each file was taken for.
    :param words: keys as `normalization` makes them; distinct, none empty.
    :param counts: (words,) positive.
    :param surfaces: how a word is most often written, for the words where that is not their key. In running text, words that
        begin a sentence are no evidence.
    :param lines: the running text, in normal form and without blank lines.
    :param pairs: how often one word follows another, by pair of keys.
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
    lines: tuple[str, ...] = field(default=(), repr=False)
    pairs: Mapping[tuple[str, str], float] = field(default_factory=dict, repr=False)

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

    def to_json(self) -> dict[str, Any]:
        """Return what a checkpoint says of its corpus."""
        return {
            "name": self.name,
            "kinds": list(self.kinds),
            "size": self.size,
            "sha256": self.sha256,
            "words": len(self.words),
            "characters": self.characters,
            "entropy": self.entropy,
        }

    def describe(self) -> str:
        """Return one sentence about what was read."""
        kinds = " and ".join(dict.fromkeys(self.kinds))
        words = "word" if len(self.words) == 1 else "words"
        left_out = f"; left out {self.left_out:,} words of over {_LONGEST_WORD} characters" if self.left_out else ""
        text = f" in {len(self.lines):,} lines" if self.lines else f", {self.characters:,} characters"
        return (
            f"read {self.name} as {kinds}: {len(self.words):,} distinct {words}{text}, "
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
    tallies = {"text": _Tally(normalization), "lists": _Tally(normalization)}
    pairs: Counter[tuple[str, str]] = Counter()
    text: list[str] = []
    kinds: list[Kind] = []
    size = 0
    for path in paths:
        source = _Source(path, digest)
        lines = source.lines()
        sample = list(islice(lines, _SAMPLE))
        if not sample:
            empty = "is empty" if source.size == 0 else "has only blank lines"
            raise CorpusError(f"{path}: the file {empty}; give a file with words in it")
        kind = _kind(line for _, line in sample)
        kinds.append(kind)
        every = chain(sample, lines)
        if kind == "pair counts":
            for first, second, count in _pairs(path, every):
                pairs[normalization.key(first), normalization.key(second)] += count  # type: ignore[assignment]
        elif kind == "running text":
            for _, line in every:
                text.append(normalization.surface(line))
                for word, begins in running_words(line):
                    tallies["text"].add(word, 1, is_evidence=not begins)
        else:
            for word, count in _words(path, kind, every):
                tallies["lists"].add(word, count)
        size += source.size

    name = ", ".join(path.name for path in paths)
    counts = _combine(tallies["text"].counts, tallies["lists"].counts)
    if not counts:
        raise CorpusError(f"{name}: no word found; give a file with words in it")
    if len(set().union(*counts)) < 2:
        raise CorpusError(f"{name}: only one distinct character; nothing can be learned from it, so add other words")
    surfaces = tallies["lists"].surfaces(0) | tallies["text"].surfaces(_EVIDENCE if tallies["lists"].counts else 0)
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
        left_out=sum(tally.left_out for tally in tallies.values()),
        lines=tuple(text),
        pairs=pairs,
    )


class _Tally:
    """Counts words and how they are written."""

    def __init__(self, normalization: Normalization) -> None:
        self._normalization = normalization
        self._spellings: Counter[str] = Counter()  # of all
        self._evidence: Counter[str] = Counter()  # of those that tell how a word is written
        self.left_out = 0

    def add(self, word: str, count: float, *, is_evidence: bool = True) -> None:
        """Count a word, as it is written."""
        if len(word) > _LONGEST_WORD:
            self.left_out += 1
            return
        self._spellings[word] += count  # type: ignore[assignment]  # counts may be fractions
        if is_evidence:
            self._evidence[word] += count  # type: ignore[assignment]

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of times that each key stands for."""
        counts: Counter[str] = Counter()
        for spelling, count in self._spellings.items():
            counts[self._normalization.key(spelling)] += count
        return counts

    def surfaces(self, evidence: float) -> dict[str, str]:
        """Return how each key is written, where there is more than so much to tell it by and most of that agrees."""
        surfaces: dict[str, str] = {}
        agreeing: dict[str, float] = {}
        totals: Counter[str] = Counter()
        for spelling, count in self._evidence.most_common():  # the most frequent spelling of a key comes first
            surface = self._normalization.surface(spelling)
            key = self._normalization.key(surface)
            surfaces.setdefault(key, surface)
            agreeing.setdefault(key, count)
            totals[key] += count
        return {
            key: surface if agreeing[key] >= _CONSISTENT * totals[key] else self._normalization.spell(key)
            for key, surface in surfaces.items()
            if totals[key] > evidence
        }


def _combine(text: Counter[str], lists: Counter[str]) -> dict[str, float]:
    """Return the counts of both together. Beside running text, lists make up a fixed share: theirs may be of a billion words."""
    scale = text.total() / lists.total() * _LIST_SHARE / (1 - _LIST_SHARE) if text and lists else 1.0
    return {key: text[key] + scale * lists[key] for key in text.keys() | lists.keys()}


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
    for kind, words in _KINDS_WITH_COUNTS:
        if 2 * sum(_has_count(line, words) for line in lines) > len(lines):
            return kind
    # A list may hold a few names of several words; text has few lines of a single word.
    phrases = sum(len(line.split()) > 1 for line in lines)
    return "running text" if 5 * phrases > len(lines) else "word list"


def _has_count(line: str, words: int) -> bool:
    """Return whether a line is so many words, a tab and one thing more."""
    before, tab, count = line.partition("\t")
    return bool(tab) and len(before.split()) == words and len(count.split()) == 1


def _pairs(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, str, float]]:
    """Yield each pair of words with its count."""
    for number, line in lines:
        before, _, count = line.partition("\t")
        if len(words := before.split()) != 2:
            raise CorpusError(f"{path}: line {number} is not word, word, tab, count; write it so")
        yield words[0], words[1], _count(path, number, count)


def _words(path: Path, kind: Kind, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, float]]:
    """Yield each word of a list with its count."""
    for number, line in lines:
        if kind == "word counts":
            word, _, count = line.partition("\t")
            number_of_times = _count(path, number, count)
            yield from ((part, number_of_times) for part in word.split())
        else:
            yield from ((word, 1) for word in line.split())


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


def running_words(line: str) -> Iterator[tuple[str, bool]]:
    """
    Yield the words of a line of text, and whether each begins a sentence.

    A word is letters, digits and marks, with apostrophes inside, and has at least one letter.
    """
    begins = True
    for chunk in line.split():
        if chunk.isalpha():
            yield chunk, begins
            begins = False
            continue
        spaced = "".join(character if is_word_character(character) or character in "'’" else " " for character in chunk)
        begins = begins or chunk[0] in _OPENING
        for word in spaced.split():
            word = word.strip("'’")
            if any(character.isalpha() for character in word):
                yield word, begins
                begins = False
        begins = begins or chunk.rstrip(_CLOSING)[-1:] in _ENDING
