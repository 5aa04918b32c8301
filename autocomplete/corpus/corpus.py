"""
Read a corpus: lists of words, with or without their counts, counts of word pairs, and running text.

The reader decides which of these a file is, and says so. It counts each distinct word; running text also comes out as a
`RunningText`, from which context can be learned. Lists are held in memory, text is not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.encoded import EncodedText
from autocomplete.corpus.files import blank, find_file, numbered_lines
from autocomplete.corpus.running_text import RunningText, Watch, hash_files
from autocomplete.corpus.tokens import LONGEST_WORD
from autocomplete.errors import CorpusError
from autocomplete.text.alphabets import Alphabet
from autocomplete.text.alphabets.letters import Letters

__all__ = ["Corpus", "Kind", "entropy", "read_corpus"]

Kind = Literal["word list", "word counts", "pair counts", "running text"]

_KINDS_WITH_COUNTS: tuple[tuple[Kind, int], ...] = (("word counts", 1), ("pair counts", 2))  # and the words of a line

_SMALLEST_COUNT, _LARGEST_COUNT = 1e-100, 1e100  # sums and shares of them stay within what a float can hold
_SAMPLE = 1_000  # lines looked at to tell the kind of a file
_LIST_SHARE = 1 / 3  # of all words, where lists stand beside running text: their counts are on a scale of their own
_CONSISTENT = 0.5  # share of its spellings that the most frequent one of a word must have to be taken over
_SPELLINGS = 300_000  # of the words of a text
_EVIDENCE = 3  # times that text must have a word, inside of a sentence, to tell how it is written


@dataclass(frozen=True)
class Corpus:
    """Distinct words and how often each stands in the corpus, the most frequent first."""

    name: str  # the names of the files, joined
    kinds: tuple[Kind, ...]  # what each file was taken for
    words: tuple[str, ...]  # keys as `alphabet` makes them; distinct, none empty
    counts: NDArray[np.float64]  # (words,) positive
    surfaces: dict[str, str] = field(repr=False)  # how a word is most often written, where that is not its key
    alphabet: Alphabet
    size: int  # bytes read
    sha256: str  # of those bytes
    left_out: int = 0  # number of words that were too long
    text: RunningText | None = field(default=None, repr=False)
    pairs: Mapping[tuple[str, str], float] = field(default_factory=dict, repr=False)  # how often one follows another

    @property
    def characters(self) -> int:
        """The number of characters in all the distinct words."""
        return sum(map(len, self.words))

    @property
    def lines(self) -> int:
        """The number of lines of running text."""
        return 0 if self.text is None else self.text.counted().lines

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
            "entropy": entropy(self.counts),
        }

    def describe(self) -> str:
        """Return one sentence about what was read."""
        kinds = " and ".join(dict.fromkeys(self.kinds))
        words = "word" if len(self.words) == 1 else "words"
        left_out = f"; left out {self.left_out:,} words of over {LONGEST_WORD} characters" if self.left_out else ""
        text = f" in {self.lines:,} lines" if self.lines else f", {self.characters:,} characters"
        return (
            f"read {self.name} as {kinds}: {len(self.words):,} distinct {words}{text}, "
            f"{len(set().union(*self.words)):,} distinct characters{left_out}"
        )


def entropy(counts: NDArray[np.float64]) -> float:
    """Return the entropy of words drawn by count, in bits per word: what no model of them can beat."""
    probabilities = counts / counts.sum()
    return float(-(probabilities * np.log2(probabilities)).sum())


def read_corpus(
    paths: Sequence[Path],
    alphabet: Alphabet | None = None,
    *,
    hurried: float = 0.0,
    watch: Watch | None = None,
) -> Corpus:
    """
    Read one corpus from one or several files.

    Running text is read as a stream, in several processes where it is long, and what is made of it is kept in a cache.

    :param hurried: share of the lines of running text that are to lose their marks; see `RunningText.encoded`. Any share can be
        had later, but this one spares another reading.
    :param watch: told how far running text is read.
    :raises CorpusError: for a file that is missing, a folder, empty, blank, binary, not UTF-8, has a line of over a million
        bytes or a count that is not a positive number; and for a corpus of fewer than two distinct characters.
    """
    alphabet = alphabet or Letters()
    in_lists: Counter[str] = Counter()  # by spelling
    pairs: Counter[tuple[str, str]] = Counter()
    kinds: list[Kind] = []
    left_out = 0
    files = [find_file(path) for path in paths]
    for file in files:
        lines = numbered_lines(file)
        if not (sample := list(islice(lines, _SAMPLE))):
            raise blank(file)
        kind = _kind([line for _, line in sample])
        kinds.append(kind)
        if kind == "running text":
            continue
        for words, count in _entries(file.name, kind, chain(sample, lines)):
            if kind == "pair counts":
                first, second = map(alphabet.key, words)
                pairs[first, second] += count  # type: ignore[assignment]
                continue
            for word in words:
                if len(word) > LONGEST_WORD:
                    left_out += 1
                else:
                    in_lists[word] += count  # type: ignore[assignment]  # counts may be fractions
    text = None
    in_text: Counter[str] = Counter()
    evidence: Counter[str] = Counter()
    if found := [file for file, kind in zip(files, kinds, strict=True) if kind == "running text"]:
        text = RunningText(found, alphabet, watch)
        encoded = text.counted(hurried)
        in_text, evidence = _spellings(encoded)
        left_out += encoded.left_out

    name = ", ".join(path.name for path in paths)
    counts = _combine(_by_key(in_text, alphabet), _by_key(in_lists, alphabet))
    if not counts:
        raise CorpusError(f"{name}: no word found; give a file with words in it")
    if len(set().union(*counts)) < 2:
        raise CorpusError(f"{name}: only one distinct character; nothing can be learned from it, so add other words")
    surfaces = _surfaces(in_lists, alphabet, 0) | _surfaces(evidence, alphabet, _EVIDENCE if in_lists else 0)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Corpus(
        name=name,
        kinds=tuple(kinds),
        words=tuple(word for word, _ in ordered),
        counts=np.array([count for _, count in ordered], dtype=np.float64),
        surfaces={key: surface for key, surface in surfaces.items() if key != surface},
        alphabet=alphabet,
        size=sum(file.state[0] for file in files),
        sha256=text.sha256 if text is not None and len(found) == len(files) else hash_files(files),
        left_out=left_out,
        text=text,
        pairs=pairs,
    )


def _spellings(text: EncodedText) -> tuple[Counter[str], Counter[str]]:
    """
    Return how often each word stands in a text as it is written, and how often where that tells how it is written.

    Words that begin a sentence tell nothing. The others come in the order in which they first do so.
    """
    spellings = text.spellings()
    # Beyond so many, the rarest are left out: each takes a kilobyte for a while, and few of them are words.
    rare = np.sort(text.counts)[-_SPELLINGS] if len(spellings) > _SPELLINGS else 0
    told = (place for place in np.argsort(text.first_evidence, kind="stable").tolist() if text.evidence[place])
    return (
        Counter({spellings[place]: int(text.counts[place]) for place in np.flatnonzero(text.counts > rare).tolist()}),
        Counter({spellings[place]: int(text.evidence[place]) for place in told if text.counts[place] > rare}),
    )


def _by_key(spellings: Counter[str], alphabet: Alphabet) -> Counter[str]:
    counts: Counter[str] = Counter()
    for spelling, count in spellings.items():
        counts[alphabet.key(spelling)] += count
    return counts


def _surfaces(evidence: Counter[str], alphabet: Alphabet, least: float) -> dict[str, str]:
    """Return how each key is written, where there is more than so much to tell it by and most of that agrees."""
    surfaces: dict[str, str] = {}
    agreeing: dict[str, float] = {}
    totals: Counter[str] = Counter()
    for spelling, count in evidence.most_common():  # the most frequent spelling of a key comes first
        surface = alphabet.surface(spelling)
        key = alphabet.key(surface)
        surfaces.setdefault(key, surface)
        agreeing.setdefault(key, count)
        totals[key] += count
    return {
        key: surface if agreeing[key] >= _CONSISTENT * totals[key] else alphabet.spell(key)
        for key, surface in surfaces.items()
        if totals[key] > least
    }


def _combine(text: Counter[str], lists: Counter[str]) -> dict[str, float]:
    """Return the counts of both together. Beside running text, lists make up a fixed share: theirs may be of a billion words."""
    scale = text.total() / lists.total() * _LIST_SHARE / (1 - _LIST_SHARE) if text and lists else 1.0
    return {key: text[key] + scale * lists[key] for key in text.keys() | lists.keys()}


def _kind(lines: list[str]) -> Kind:
    """Tell the kind of a file from its first lines, none blank."""
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


def _entries(path: Path, kind: Kind, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[list[str], float]]:
    """Yield the words of each line of a list, and the count of each or, for pair counts, of the two together."""
    for number, line in lines:
        before, _, count = (line, "", "1") if kind == "word list" else line.partition("\t")
        words = before.split()
        if kind == "pair counts" and len(words) != 2:
            raise CorpusError(f"{path}: line {number} is not word, word, tab, count; write it so")
        yield words, _count(path, number, count)


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
