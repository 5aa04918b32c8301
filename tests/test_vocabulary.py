from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.errors import SettingsError
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

words = st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1)


@given(words)
def test_words_come_back_from_their_ids(words: list[str]) -> None:
    vocabulary = Vocabulary.from_words(words)
    for word in words:
        assert vocabulary.decode(vocabulary.encode(word)) == word


@given(words, st.lists(st.text(st.characters(codec="utf-8"))))
def test_many_words_are_encoded_as_each_of_them_is(words: list[str], others: list[str]) -> None:
    vocabulary = Vocabulary.from_words(words)
    encoded = words + others
    ids, starts = vocabulary.encode_words(encoded)
    assert len(starts) == len(encoded) + 1
    for i, word in enumerate(encoded):
        assert ids[starts[i] : starts[i + 1]].tolist() == vocabulary.encode(word)


@pytest.mark.parametrize(("characters", "size"), [(200, 1), (300, 2)])
def test_lines_of_a_long_text_take_as_few_bytes_as_they_can(characters: int, size: int) -> None:
    alphabet = [chr(0x4E00 + i) for i in range(characters)]
    lines = [alphabet[i % characters] * (i % 3) for i in range(25_000)]  # more than are encoded at a time
    vocabulary = Vocabulary(alphabet)
    ids = vocabulary.encode_lines(iter(lines))
    assert ids.itemsize == size
    assert vocabulary.decode(ids.tolist()) == "".join(lines)
    assert (ids == BOUNDARY).sum() == len(lines) + 1


def test_unseen_character_is_unknown_and_no_other() -> None:
    vocabulary = Vocabulary.from_words(["name"])
    assert vocabulary.encode("nüm") == [*vocabulary.encode("n"), UNKNOWN, *vocabulary.encode("m")]
    assert vocabulary.decode([UNKNOWN]) == "\ufffd"


def test_boundary_is_shown_as_a_space_and_decoded_as_nothing() -> None:
    vocabulary = Vocabulary.from_words(["name"])
    assert vocabulary.character(BOUNDARY) == " "
    assert vocabulary.decode([BOUNDARY, *vocabulary.encode("name"), BOUNDARY]) == "name"


def test_ids_follow_code_points() -> None:
    vocabulary = Vocabulary.from_words(["zaé", "b"])
    assert vocabulary.characters == ("a", "b", "z", "é")
    assert vocabulary.encode("abzé") == [2, 3, 4, 5]
    assert len(vocabulary) == 6


def test_vocabularies_of_the_same_characters_are_equal() -> None:
    assert Vocabulary("abc") == Vocabulary.from_words(["cab"])
    assert hash(Vocabulary("abc")) == hash(Vocabulary.from_words(["cab"]))
    assert Vocabulary("abc") != Vocabulary("acb")
    assert Vocabulary("abc") != ("a", "b", "c")


@pytest.mark.parametrize("characters", [["a", "a"], ["ab"], [""]])
def test_entries_that_are_not_distinct_single_characters_are_refused(characters: list[str]) -> None:
    with pytest.raises(SettingsError):
        Vocabulary(characters)
