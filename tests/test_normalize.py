from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.errors import SettingsError
from autocomplete.text.alphabets import Alphabet, alphabet_json, read_alphabet
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.normalization import is_word_character, split_last_word

NORMALIZATION = Letters()
APOSTROPHE = frozenset("'")

# Combining marks and the Korean vowels and finals change the character before them, so a cut there is no cut between
# characters.
uncombining = st.characters(codec="utf-8", exclude_categories=("M",)).filter(
    lambda character: not 0x1160 <= ord(character) <= 0x11FF
)


def test_surface_composes_and_changes_nothing_else() -> None:
    assert NORMALIZATION.surface("Cafe\u0301 Don’t") == "Café Don’t"


def test_key_ignores_case_composition_and_the_shape_of_the_apostrophe() -> None:
    assert NORMALIZATION.key("Don’t") == NORMALIZATION.key("DONʼT") == "don't"
    assert NORMALIZATION.key("CAFE\u0301") == "café"
    assert NORMALIZATION.key("Straße") == NORMALIZATION.key("STRASSE") == "strasse"


def test_key_can_keep_case() -> None:
    assert Letters(case="keep").key("Don’t") == "Don't"


def test_key_folds_every_sigma_alike() -> None:
    assert NORMALIZATION.key("ΟΔΟΣ") == NORMALIZATION.key("οδος") == NORMALIZATION.key("οδοσ")


@given(st.text(uncombining), st.data())
def test_key_of_a_prefix_is_a_prefix_of_the_key(text: str, data: st.DataObject) -> None:
    prefix = text[: data.draw(st.integers(0, len(text)))]
    assert NORMALIZATION.key(text).startswith(NORMALIZATION.key(prefix))


@given(st.text())
def test_surface_and_key_are_in_normal_form(text: str) -> None:
    assert unicodedata.is_normalized("NFC", NORMALIZATION.surface(text))
    assert unicodedata.is_normalized("NFC", NORMALIZATION.key(text))


@given(st.text())
def test_surface_has_the_key_of_its_text(text: str) -> None:
    assert NORMALIZATION.key(NORMALIZATION.surface(text)) == NORMALIZATION.key(text)


@pytest.mark.parametrize(
    ("typed", "surface", "insert"),
    [
        ("", "Monday", "Monday"),
        ("mon", "Monday", "day"),
        ("Mon", "Monday", "day"),
        ("MON", "Monday", "DAY"),
        ("M", "monday", "onday"),  # one capital begins a name or a sentence
        ("iph", "iPhone", "one"),
        ("i", "iPhone", "Phone"),
        ("nb", "NBA", "a"),
        ("n", "NBA", "ba"),
        ("N", "NBA", "BA"),
        ("Mc", "McDonald", "Donald"),
        ("mc", "McDonald", "donald"),
        ("Stra", "Straße", "ße"),
        ("STRA", "Straße", "SSE"),
        ("stras", "Straße", "se"),  # half of the ß
        ("strass", "Straße", "e"),
        ("don’", "don't", "t"),
        ("monday", "Monday", ""),
        ("", "", ""),
    ],
)
def test_completion_goes_on_in_the_typed_case(typed: str, surface: str, insert: str) -> None:
    assert NORMALIZATION.completion(typed, surface) == (0, insert)


@given(st.text(uncombining), st.data())
def test_completion_arrives_at_the_key_of_the_word(surface: str, data: st.DataObject) -> None:
    surface = NORMALIZATION.surface(surface)
    typed = NORMALIZATION.key(surface[: data.draw(st.integers(0, len(surface)))])
    replaces, insert = NORMALIZATION.completion(typed, surface)
    completed = typed[: len(typed) - replaces] + insert
    assert NORMALIZATION.key(completed) == NORMALIZATION.key(surface)


def test_completion_refuses_a_word_that_begins_otherwise() -> None:
    with pytest.raises(ValueError, match="does not complete"):
        NORMALIZATION.completion("tri", "name")


@pytest.mark.parametrize(
    ("typed", "rest", "expected"),
    [
        ("TRI", "angle", "ANGLE"),
        ("Tri", "angle", "angle"),
        ("T", "riangle", "riangle"),
        ("I'", "m", "m"),  # one letter and an apostrophe are not two capitals
        ("DON'", "t", "T"),
        ("", "name", "name"),
        ("12", "th", "th"),
    ],
)
def test_two_capitals_ask_for_capitals(typed: str, rest: str, expected: str) -> None:
    assert NORMALIZATION.match_case(typed, rest) == expected


@pytest.mark.parametrize("alphabet", [Letters(), Letters(case="keep")])
def test_json_gives_the_same_alphabet_back(alphabet: Alphabet) -> None:
    assert read_alphabet(alphabet_json(alphabet)) == alphabet


@pytest.mark.parametrize("fields", [{"name": "runes"}, {}, {"name": "letters", "stem": True}])
def test_unknown_alphabet_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="unknown alphabet"):
        read_alphabet(fields)


def test_case_is_folded_or_kept() -> None:
    with pytest.raises(SettingsError, match="case is 'upper'; it must be fold or keep"):
        read_alphabet({"name": "letters", "case": "upper"})


@pytest.mark.parametrize(
    ("line", "before", "word"),
    [
        ("", "", ""),
        ("my tria", "my ", "tria"),
        ("my tria ", "my tria ", ""),
        ("(tria", "(", "tria"),
        ("I don't", "I ", "don't"),
        ("say 'tria", "say '", "tria"),  # a quotation mark
        ("one-two", "one-", "two"),
        ("a cafe\u0301", "a ", "cafe\u0301"),
        ("3rd", "", "3rd"),
        ("end.", "end.", ""),
    ],
)
def test_last_word_is_what_is_being_typed(line: str, before: str, word: str) -> None:
    assert split_last_word(line, APOSTROPHE) == (before, word)


@given(st.text())
def test_splitting_loses_nothing_and_a_word_begins_with_a_word_character(line: str) -> None:
    before, word = split_last_word(line, APOSTROPHE)
    assert before + word == line
    assert not word or is_word_character(word[0])
    assert all(is_word_character(character) or character in "'’ʼ＇" for character in word)
