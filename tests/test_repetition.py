"""Words that come again on a line, against the same computed place by place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.models.cache import unigram_cache

WORDS = ("the", "of", "heap", "queue", "noida")
SHARES = {"the": 0.05, "of": 0.02, "heap": 1e-5, "queue": 1e-4, "noida": 0.0}


def repeated(words: Sequence[str]) -> dict[str, float]:
    return unigram_cache(words, [SHARES[word] for word in words])


def test_nothing_comes_again_on_an_empty_line() -> None:
    assert repeated([]) == {}


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_each_place_of_a_line_adds_to_what_is_expected(words: list[str]) -> None:
    expected = dict.fromkeys(words, 0.0)
    for place, word in enumerate(words):
        same = 0  # words before it that are those at the end of the line
        while same < 2 and place > same and words[place - 1 - same] == words[-1 - same]:
            same += 1
        after_one = 0.15 * 0.003 / (0.003 + SHARES[words[-1]])
        expected[word] += 0.004 * 1e-4 / (1e-4 + SHARES[word]) + (0.0, after_one, 0.3)[same]
    assert repeated(words) == pytest.approx(expected)


def test_rare_word_is_expected_more_than_a_common_one_and_most_after_the_same_words() -> None:
    line = repeated(["the", "heap", "of", "noida"])
    assert line["noida"] > line["heap"] > line["of"] > line["the"]
    none, one, two = (
        repeated([*words.split(), "heap"])["queue"] for words in ("queue of", "heap queue of", "of heap queue of")
    )
    assert two > 1.5 * one > 15 * none
