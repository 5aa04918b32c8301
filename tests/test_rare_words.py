"""A list of rare words against a plain list of strings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.models.rare_words import RareWords
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

VOCABULARY = Vocabulary("abcd'")
words = st.sets(st.text("abcd'", min_size=1, max_size=7), max_size=60)


def walked(listed: RareWords, prefix: str) -> tuple[int, int]:
    """Return the range of the words with a prefix, letter by letter."""
    first, stop = 0, len(listed)
    for depth, symbol in enumerate(VOCABULARY.encode(prefix)):
        first, stop = listed.range(first, stop, depth, symbol)
    return first, stop


@given(words, st.lists(st.text("abcd'", max_size=9), max_size=5))
def test_words_with_a_prefix_are_counted_by_what_follows(every: set[str], others: list[str]) -> None:
    listed = RareWords.of(every, VOCABULARY)
    assert len(listed) == len(every)
    for prefix in {word[:end] for word in every for end in range(len(word) + 1)} | {*others}:
        begun = [word for word in every if word.startswith(prefix)]
        first, stop = walked(listed, prefix)
        assert stop - first == len(begun)
        if begun:
            expected = np.zeros(len(VOCABULARY))
            for word in begun:
                expected[VOCABULARY.encode(word[len(prefix)])[0] if word != prefix else BOUNDARY] += 1 / len(begun)
            found = listed.shares(first, stop, len(prefix), len(VOCABULARY))
            np.testing.assert_allclose(found, expected)


@given(words)
def test_words_survive_being_written(every: set[str]) -> None:
    listed = RareWords.of(every, VOCABULARY)
    again = RareWords.from_tensors(**listed.tensors())
    np.testing.assert_array_equal(again._columns, listed._columns)


def test_words_that_share_letters_take_little_room() -> None:
    listed = RareWords.of(["aaaa", "aaab", "aaabc", "b"], VOCABULARY)
    tensors = listed.tensors()
    assert tensors["same"].tolist() == [0, 3, 4, 0]
    assert VOCABULARY.decode(tensors["rest"]) == "aaaabcb"


def test_words_that_do_not_hold_together_are_refused() -> None:
    tensors = RareWords.of(["ab", "cd"], VOCABULARY).tensors()
    with pytest.raises(ValueError, match="there are 1 rare words, and the ends of 2"):
        RareWords.from_tensors(tensors["same"][:1], tensors["rest"])
    with pytest.raises(ValueError, match="ends of 1"):
        RareWords.from_tensors(tensors["same"], tensors["rest"][:-1])
