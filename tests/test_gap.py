"""
The cursor inside a line. The oracle is enumeration: every word of the lexicon with the probability that the predictor gives
it at the end of a line, filtered and weighed by what stands right of the cursor.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from autocomplete.inference.gap import Gap
from autocomplete.inference.prediction import Suggestion
from autocomplete.inference.predictor import Predictor
from autocomplete.inference.search import Budget
from autocomplete.models.search_tree import SearchTree
from autocomplete.text.alphabets.letters import Letters

LEXICON = {
    "brown": 60.0,
    "broken": 20.0,
    "bron": 6.0,
    "token": 12.0,
    "the": 50.0,
    "fox": 20.0,
    "Fox's": 4.0,
    "can't": 9.0,
}
# Less than a candidate list, so that nothing is left out but what does not fit; and the network hardly adds any.
WORDS = random_checkpoint([word.lower() for word in LEXICON], boundary_bias=1.0, figures={"network_prior": 1e-6})
TEXT = replace(random_checkpoint(["the brown fox can't, token. "], boundary_bias=1.0), unit="text")
TEXT = replace(TEXT, figures={"network_prior": 1e-6})
OF_WORDS = Predictor(WORDS, LEXICON, floor=1e-4)
OF_TEXT = Predictor(TEXT, LEXICON, floor=1e-4)
LETTERS = frozenset("'")


def enumerated(predictor: Predictor, text: str) -> dict[str, Suggestion]:
    """Return every word that may stand at the end of a line."""
    return {word.word: word for word in predictor.predict(text, 12).words}


# What stands where.


@pytest.mark.parametrize(
    ("typed", "after", "gap"),
    [
        ("bro", "", Gap("", "", spaced=False)),
        ("bro", "n", Gap("n", "", spaced=False)),
        ("bro", "n fox", Gap("n", "fox", spaced=False)),
        ("bro", " fox", Gap("", "fox", spaced=False)),
        ("bro", "  fox jumps", Gap("", "fox", spaced=False)),
        ("bro", ", fox", Gap("", "", spaced=False)),
        ("bro", " - fox", Gap("", "", spaced=False)),
        ("bro", " 'tis", Gap("", "", spaced=False)),
        ("can", "'t do", Gap("'t", "do", spaced=False)),
        ("", "fox jumps", Gap("", "fox", spaced=True)),
        ("", " fox", Gap("", "fox", spaced=False)),
        ("", "", Gap("", "", spaced=False)),
        ("", " ", Gap("", "", spaced=False)),
    ],
)
def test_a_gap_is_between_what_is_typed_and_what_follows(typed: str, after: str, gap: Gap) -> None:
    assert Gap.of(typed, after, LETTERS, in_context=True) == gap
    alone = Gap.of(typed, after, LETTERS, in_context=False)
    assert alone == replace(gap, following="")


@given(st.text("abéß", max_size=5), st.text("abéß", min_size=1, max_size=3), st.booleans())
def test_a_filled_gap_reads_as_the_word(middle: str, end: str, spaced: bool) -> None:
    alphabet = Letters()
    found = Suggestion("x" + middle + end, middle + end, 0, False, 0.5, exact=True)
    filled = Gap(end, "", spaced=False).fill(found, alphabet)
    assert (filled is None) == (not middle)  # what is missing is nothing
    if filled is not None:
        assert filled.insert + end == found.insert
    plain = Gap("", "", spaced=spaced).fill(found, alphabet)
    assert plain is not None
    assert plain.insert == found.insert + " " * spaced


def test_the_end_of_a_word_is_compared_without_regard_to_case() -> None:
    found = Suggestion("BROWN", "OWN", 0, False, 0.5, exact=True)
    filled = Gap("wn", "", spaced=False).fill(found, Letters())
    assert filled is not None
    assert filled.insert == "O"
    assert Gap("x", "", spaced=False).fill(found, Letters()) is None
    assert Gap("brown", "", spaced=False).fill(found, Letters()) is None


# What is offered there.


@pytest.mark.parametrize("predictor", [OF_WORDS, OF_TEXT], ids=["words", "text"])
@given(
    before=st.sampled_from(["", "the "]),
    typed=st.sampled_from(["b", "br", "bro", "to", "t", "f"]),
    end=st.sampled_from(["n", "en", "wn", "N", "ken", "x", "'s", "zz"]),
)
@settings(max_examples=40)
def test_inside_a_word_those_are_offered_that_end_so(predictor: Predictor, before: str, typed: str, end: str) -> None:
    expected = {
        word.insert[: -len(end)]: word.probability
        for word in enumerated(predictor, before + typed).values()
        if len(word.insert) > len(end) and word.insert.lower().endswith(end.lower())
    }
    found = predictor.predict(before + typed, 5, after=end).words
    assert {word.insert: word.probability for word in found} == pytest.approx(expected, rel=1e-4)
    assert [word.probability for word in found] == sorted(expected.values(), reverse=True)


@pytest.mark.parametrize("following", ["fox", "the", "token", "can't"])
@pytest.mark.parametrize("typed", ["", "bro", "t"])
def test_before_another_word_each_is_weighed_by_how_well_that_follows(typed: str, following: str) -> None:
    choices = enumerated(OF_TEXT, "the " + typed)
    fits = {}
    for name, word in choices.items():
        after_it = {s.word.lower(): s.probability for s in OF_TEXT.predict(f"the {name} ", 12).words}
        fits[name] = word.probability * after_it[following]
    scale = sum(word.probability for word in choices.values()) / sum(fits.values())
    expected = {name: scale * fit for name, fit in fits.items()}
    found = OF_TEXT.predict("the " + typed, 12, after=f" {following} on").words
    assert {word.word: word.probability for word in found} == pytest.approx(expected, rel=1e-3)
    assert [word.word for word in found] == sorted(expected, key=lambda name: -expected[name])
    assert sum(word.probability for word in found) <= 1 + 1e-6


def test_only_as_many_are_offered_as_were_asked_for() -> None:
    all_of_them = OF_TEXT.predict("the ", 12, after=" fox").words
    assert OF_TEXT.predict("the ", 2, after=" fox").words == all_of_them[:2]
    assert len(OF_WORDS.predict("", 3, after="fox").words) == 3


def test_a_word_before_another_brings_the_space_between_them() -> None:
    for predictor in (OF_WORDS, OF_TEXT):
        found = predictor.predict("the ", 3, after="fox").words
        assert found
        assert all(word.insert == word.word + " " for word in found)


def test_letters_typed_before_a_word_use_one_search_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words that are tried in the gap have contexts of their own, which must not push that of the cursor out."""
    searched: list[int] = []
    clear = SearchTree.clear

    def counted(tree: SearchTree) -> None:
        searched.append(1)
        clear(tree)

    predictor = Predictor(TEXT, LEXICON | {f"fo{a}{b}": 10.0 for a in "wxnt" for b in "aceho"}, floor=1e-4)
    monkeypatch.setattr(SearchTree, "clear", counted)
    for end in range(4):
        assert len(predictor.predict("the token " + "fox"[:end], count=12, after=" brown").words) > 3
    assert len(searched) == 1  # that of the word at the cursor


def ranked(predictor: Predictor, text: str, after: str = "") -> list[tuple[str, str, float]]:
    words = predictor.predict(text, after=after).words
    assert all(word.space == (not after) for word in words)
    return [(word.word, word.insert, word.probability) for word in words]


def test_at_the_end_of_a_line_or_before_a_mark_nothing_is_narrowed() -> None:
    for predictor in (OF_WORDS, OF_TEXT):
        expected = ranked(predictor, "the bro")
        for after in ("", ".", " ", ", fox", " (fox)"):
            assert ranked(predictor, "the bro", after) == expected


def test_words_stand_alone_where_a_checkpoint_knows_no_context() -> None:
    assert ranked(OF_WORDS, "the bro", " fox") == ranked(OF_WORDS, "the bro")


def test_letters_are_those_of_the_left_side() -> None:
    for predictor in (OF_WORDS, OF_TEXT):
        found, expected = (predictor.predict("the bro", after=after).next for after in ("wn", ""))
        assert [each.character for each in found] == [each.character for each in expected]
        probabilities = [each.probability for each in expected]
        assert [each.probability for each in found] == pytest.approx(probabilities, rel=0.01)


def test_line_does_not_end_before_its_rest() -> None:
    alone = {each.character: each.probability for each in OF_TEXT.predict("the brown", characters=30).next}
    inside = {
        each.character: each.probability for each in OF_TEXT.predict("the brown", characters=30, after=" fox").next
    }
    assert alone.keys() - inside.keys() == {"\n"}
    assert inside[" "] > alone[" "]


def test_in_a_gap_words_come_all_at_once_and_as_a_whole_are_the_prediction() -> None:
    parts = list(OF_TEXT.stream("the ", 3, after=" fox"))
    assert [len(part.words) for part in parts[:-1]] == [0] * (len(parts) - 1)
    assert not any(part.exact for part in parts[:-1])
    assert parts[-1].words == OF_TEXT.predict("the ", 3, after=" fox").words
    assert {(part.text, part.after) for part in parts} == {("the ", " fox")}
    plain = [len(part.words) for part in OF_TEXT.stream("the ", 3)]
    assert plain == [0, 1, 2, 3]


def test_a_gap_is_exact_only_where_every_word_was_tried() -> None:
    assert OF_WORDS.predict("bro", after="n").exact == (len(enumerated(OF_WORDS, "bro")) < 12)
    assert (
        not Predictor(WORDS, LEXICON, floor=0.0).predict("b", after="x").exact
    )  # there are always words of the network


def test_a_search_that_is_not_wanted_any_more_is_given_up() -> None:
    cancelled = Budget(cancelled=lambda: True)
    *_, last = OF_TEXT.stream("the ", 3, after=" fox", budget=cancelled)
    assert (last.words, last.exact) == ((), False)


# What was typed.


@pytest.mark.parametrize("predictor", [OF_WORDS, OF_TEXT], ids=["words", "text"])
@given(st.text("brownfxke'BT", max_size=7))
@settings(max_examples=30)
def test_letters_typed_have_the_probability_that_they_had(predictor: Predictor, typed: str) -> None:
    line = "the " + typed
    prediction = predictor.predict(line)
    last_word = line[predictor_start(line) :]
    assert "".join(letter.character for letter in prediction.typed) == last_word
    logs, _ = predictor.score(line)
    start = len(line) - len(last_word)
    for letter, log in zip(prediction.typed, logs[start:-1], strict=True):
        assert letter.probability == pytest.approx(np.exp(log), rel=1e-4, abs=1e-9)


def predictor_start(line: str) -> int:
    """Return where the last word of a line begins: after the last space, and after apostrophes that begin it."""
    start = line.rindex(" ") + 1
    while start < len(line) and line[start] == "'":
        start += 1
    return start


# What follows the best word.


def test_what_follows_is_as_sure_as_all_of_it_together() -> None:
    chain = Predictor(TEXT, {"the": 1000.0}, floor=1e-4)  # after each word the same one
    prediction = chain.predict("th")
    sure = prediction.words[0].probability
    shares = [sure]
    text = "the"
    for _ in range(3):
        # That a space follows, of all that ends the word; then the word after it.
        space = chain.score(text + " x")[0][len(text)]
        ends = [chain.score(text + end)[0][len(text)] for end in (" ", ",", ".", "¿")] + [chain.score(text)[0][-1]]
        sure *= np.exp(space - np.logaddexp.reduce(ends)) * chain.predict(text + " ").words[0].probability
        shares.append(sure)
        text += " the"
    for threshold in [0.0, *(0.999 * share for share in shares), *(1.001 * share for share in shares)]:
        expected = next((i for i, share in enumerate(shares) if share < threshold), len(shares))
        assert chain.continuation(prediction, threshold) == " the" * max(0, expected - 1)
    assert chain.continuation(prediction, 0.0, words=1) == " the"


def test_what_follows_a_whole_word_follows_it_as_it_stands() -> None:
    for text in ("the", "the brown", "The", "fo", "the bro"):
        prediction = OF_TEXT.predict(text)
        longer = prediction.words[0].probability if prediction.words else 0.0
        best = prediction.best
        assert best is not None
        assert (best.insert == "") == (prediction.whole >= longer) == (text[-3:] not in ("fo", "bro"))
        line, sure = text + best.insert, max(prediction.whole, longer)
        following = OF_TEXT.continuation(prediction, 0.0, words=1)
        assert following == " " + OF_TEXT.predict(line + " ", 1).words[0].word
        assert OF_TEXT.continuation(prediction, 1.001 * sure) == ""


def test_between_two_words_it_is_weighed_whether_the_first_is_whole_already() -> None:
    for following in ("fox", "token"):
        alone = OF_TEXT.predict("the brown", 12)
        found = OF_TEXT.predict("the brown", 12, after=f" {following}")
        choices = {"": alone.whole} | {word.insert: word.probability for word in alone.words}
        fits = {}
        for insert, probability in choices.items():
            after_it = {s.word: s.probability for s in OF_TEXT.predict(f"the brown{insert} ", 12).words}
            fits[insert] = probability * after_it[following]
        scale = sum(choices.values()) / sum(fits.values())
        assert found.whole == pytest.approx(scale * fits.pop(""), rel=1e-3)
        assert {word.insert: word.probability for word in found.words} == pytest.approx(
            {insert: scale * fit for insert, fit in fits.items()}, rel=1e-3
        )
        assert OF_TEXT.predict("the brown", after=f"ie {following}").whole == 0  # it goes on


def test_nothing_follows_inside_a_line_or_without_context_or_when_it_is_not_wanted() -> None:
    assert OF_TEXT.continuation(OF_TEXT.predict("bro"), 0.0) != ""
    assert OF_TEXT.continuation(OF_TEXT.predict("bro", after=" fox"), 0.0) == ""
    assert OF_TEXT.continuation(OF_TEXT.predict("bro"), 1.0) == ""
    assert OF_TEXT.continuation(OF_TEXT.predict("bro"), 0.0, budget=Budget(cancelled=lambda: True)) == ""
    assert OF_TEXT.continuation(OF_TEXT.predict("the ", 0), 0.0) == ""  # neither a word nor a beginning of one
    assert OF_WORDS.continuation(OF_WORDS.predict("bro"), 0.0) == ""
