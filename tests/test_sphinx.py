"""Sentences drawn from a model in Sphinx's binary format, written here by hand: how often each word follows which."""

from __future__ import annotations

import math
import struct
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from sphinx import sample

NAMES = ["<s>", "</s>", "a", "b.", "c"]
S, E, A, B, C = range(5)
UNIGRAMS = {S: 1e-99, E: 0.2, A: 0.3, B: 0.3, C: 0.2}
BIGRAMS = {
    (S, A): 0.5,
    (S, B): 0.3,
    (A, B): 0.6,
    (A, E): 0.1,
    (A, C): 0.05,
    (B, C): 0.4,
    (B, E): 0.1,
    (B, A): 0.2,
    (C, C): 0.3,
}
TRIGRAMS = {(S, A, C): 0.7, (A, B, E): 0.4, (A, B, A): 0.3, (B, C, C): 0.5}
LEFT_OUT = 2  # bigrams that the header counts, but that are not there


class Bits:
    """Fields of some bits one after another, the lowest first."""

    def __init__(self) -> None:
        self.value, self.length = 0, 0

    def add(self, *fields: tuple[int, int]) -> None:
        for value, width in fields:
            self.value |= value << self.length
            self.length += width

    def to_bytes(self, records: int, width: int) -> bytes:
        return self.value.to_bytes((records * width + 7) // 8 + 8, "little")


def logarithm(probability: float) -> float:
    return math.log(probability) / math.log(1.0001)


def write_model(path: Path) -> None:
    """Write the model as `ngram_model_trie_write_bin` of pocketsphinx does, with no back-off weights."""
    by_last = sorted(BIGRAMS, key=lambda words: words[::-1])
    codes = {ngram: i for i, ngram in enumerate([*BIGRAMS, *TRIGRAMS])}
    values = [0.0] * 3 * 65536
    for table, ngrams in [(0, BIGRAMS), (2, TRIGRAMS)]:
        for ngram, probability in ngrams.items():
            values[65536 * table + codes[ngram]] = logarithm(probability)
    bigrams, trigrams, written = Bits(), Bits(), 0
    for first, second in by_last:
        bigrams.add((first, 3), (99, 16), (codes[first, second], 16), (written, 3))
        for word in range(5):
            if (word, first, second) in TRIGRAMS:
                trigrams.add((word, 3), (codes[word, first, second], 16))
                written += 1
    bigrams.add((0, 35), (written, 3))
    count = len(BIGRAMS) + LEFT_OUT
    firsts = [sum(second < word for _, second in BIGRAMS) for word in range(6)]
    words = "".join(name + "\0" for name in NAMES).encode()
    path.write_bytes(
        b"Trie Language Model\3"
        + struct.pack("<3Ii", 5, count, len(TRIGRAMS), 1)
        + struct.pack(f"<{len(values)}f", *values)
        + b"".join(struct.pack("<ffI", logarithm(UNIGRAMS.get(i, 1.0)), 0.0, firsts[i]) for i in range(6))
        + bigrams.to_bytes(count + 1, 38)
        + trigrams.to_bytes(len(TRIGRAMS) + 1, 19)
        + struct.pack("<i", len(words))
        + words
    )


def probability(context: tuple[int, ...], word: int) -> float:
    """Return the probability of a word with back-off (Katz, 1987), one word after the other."""
    known: dict[tuple[int, ...], float] = [{(w,): p for w, p in UNIGRAMS.items()}, BIGRAMS, TRIGRAMS][len(context)]
    if (*context, word) in known or not context:
        return known[*context, word]
    seen = [w for w in UNIGRAMS if (*context, w) in known]
    left = 1 - sum(known[*context, w] for w in seen)
    return left * probability(context[1:], word) / (1 - sum(probability(context[1:], w) for w in seen))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sphinx") / "model.lm.bin"
    write_model(path)
    return path


def test_words_follow_each_other_as_often_as_the_model_has_it(model: Path) -> None:
    number = {"a": A, "b": B, "c": C}
    found: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for line in sample(model, 300_000, seed=0):
        words = [S, *(number[word] for word in line.split(" ")), E]
        found[S,][words[1]] += 1
        for i in range(2, len(words)):
            found[words[i - 2], words[i - 1]][words[i]] += 1
    assert len(found) == 1 + 4 * 3  # of (start), and of every word before every letter
    for context, counts in found.items():
        ends = probability(context, E) if context == (S,) else 0  # sentences without a word are left out
        for word in (E, A, B, C):
            expected = 0 if word == E and ends else probability(context, word) / (1 - ends)
            deviation = math.sqrt(expected * (1 - expected) / counts.total())
            assert counts[word] / counts.total() == pytest.approx(expected, abs=4.5 * deviation + 1e-6), (context, word)


def test_same_seed_gives_the_same_lines_of_as_many_words_as_are_wanted(model: Path) -> None:
    one, two, other = (list(sample(model, 1_000, seed)) for seed in (0, 0, 1))
    assert one == two != other
    assert 1_000 <= sum(len(line.split()) for line in one) < 1_000 + len(one[-1].split())
    assert all(line and line == " ".join(line.split()) for line in one)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"\\data\\\nngram 1=5\n")
    with pytest.raises(ValueError, match="other: no trigram model"):
        next(sample(tmp_path / "other", 1, seed=0))
