"""Character n-grams against a textbook of dictionaries: interpolated modified Kneser-Ney, one n-gram after the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.models.character_ngrams import CharacterNgrams, longest_order
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

VOCABULARY = Vocabulary("abcd")
SIZE = len(VOCABULARY)
LINES = ["abba", "abab", "a", "cab", "dab", "abba", "baa", "bad", "cabbab"]

lines = st.lists(st.text("abcd", min_size=1, max_size=6), min_size=1, max_size=12)


def learn(text: Sequence[str], order: int) -> CharacterNgrams:
    return CharacterNgrams(VOCABULARY.encode_lines(text), SIZE, order)


def ngrams(text: Sequence[tuple[int, ...]], length: int) -> Counter[tuple[int, ...]]:
    return Counter(line[i : i + length] for line in text for i in range(len(line) - length + 1))


class Textbook:
    """Chen and Goodman (1999), equations 21 to 26, over lists and dictionaries."""

    def __init__(self, text: Sequence[str], order: int) -> None:
        padded = [(BOUNDARY, *VOCABULARY.encode(line), BOUNDARY) for line in text]
        self.counts = {order: ngrams(padded, order)}
        for length in range(order - 1, 0, -1):
            # Of a shorter n-gram it counts after how many characters it stands, and of one that begins a line, how often.
            counts = Counter(ngram[1:] for ngram in self.counts[length + 1])
            if length > 1:
                counts += Counter(line[:length] for line in padded if len(line) >= length)
            self.counts[length] = counts

    def discounts(self, length: int) -> list[float]:
        of = Counter(self.counts[length].values())
        n = {count: max(of[count], 1) for count in (1, 2, 3, 4)}
        ratio = n[1] / (n[1] + 2 * n[2])
        found = [count - (count + 1) * ratio * n[count + 1] / n[count] for count in (1, 2, 3)]
        return [0, *(min(max(value, 0.1 * count), 0.95 * count) for count, value in enumerate(found, start=1))]

    def distribution(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the probabilities of each symbol after a context."""
        if not context:
            counts = np.array([self.counts[1][(symbol,)] + 1.0 for symbol in range(SIZE)])
            return counts / counts.sum()
        shorter = self.distribution(context[1:])
        followers = defaultdict(int, {n[-1]: c for n, c in self.counts[len(context) + 1].items() if n[:-1] == context})
        total = sum(followers.values())
        if not total:
            return shorter
        discounts = self.discounts(len(context) + 1)
        taken = sum(discounts[min(count, 3)] for count in followers.values())
        own = [max(followers[symbol] - discounts[min(followers[symbol], 3)], 0) for symbol in range(SIZE)]
        return (np.array(own) + taken * shorter) / total


@given(text=lines, order=st.integers(2, 5), line=st.text("abcd", max_size=7))
def test_probabilities_are_those_of_the_textbook(text: list[str], order: int, line: str) -> None:
    model, textbook = learn(text, order), Textbook(text, order)
    states, context = model.start(), (BOUNDARY,)
    for symbol in [*VOCABULARY.encode(line), BOUNDARY]:
        found = np.exp(model.log_probabilities(states)[0])
        np.testing.assert_allclose(found, textbook.distribution(context), rtol=1e-4)
        states, context = model.step(states, [symbol]), (*context, symbol)[1 - order :]


def test_many_states_are_answered_as_one_after_the_other() -> None:
    model = learn(LINES, 4)
    states = (np.arange(40, dtype=np.uint64),)
    every = model.log_probabilities(states)
    assert every.shape == (40, SIZE)
    np.testing.assert_allclose(np.exp(every).sum(axis=1), 1, rtol=1e-5)
    for row in range(40):
        np.testing.assert_array_equal(model.log_probabilities((states[0][row : row + 1],))[0], every[row])


def test_score_is_what_one_reads_when_stepping_through_lines() -> None:
    model, new = learn(LINES, 3), ["abc", "", "dd", "bab"]
    ids = VOCABULARY.encode_lines(new)
    logs, ranks = model.score(ids)
    states = model.start()
    for symbol, log, rank in zip(ids[1:].tolist(), logs, ranks, strict=True):
        answer = model.log_probabilities(states)[0]
        assert log == pytest.approx(answer[symbol], rel=1e-5)
        assert rank == (answer > answer[symbol]).sum()
        states = model.step(states, [symbol])


def test_order_is_limited_by_the_vocabulary() -> None:
    assert [longest_order(size) for size in (2, 32, 33, 4096, 70_000)] == [64, 12, 10, 5, 3]
    with pytest.raises(ValueError, match="from 2 to 21"):
        learn(LINES, 22)
    with pytest.raises(ValueError, match="from 2 to 21"):
        learn(LINES, 1)


def test_more_text_is_more_to_know() -> None:
    assert learn(LINES, 3).parameters > learn(LINES[:2], 3).parameters > SIZE
