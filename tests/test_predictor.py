from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import random_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.inference.predictor import Members, NextCharacter, Prediction, Predictor, Suggestion
from autocomplete.inference.search import Budget
from autocomplete.models.protocol import States, Symbols
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.checkpoint import write_checkpoint
from autocomplete.text.alphabets.letters import Letters

LEXICON = {
    "triangle": 50.0,
    "name": 40.0,
    "my": 30.0,
    "Monday": 20.0,
    "trial": 10.0,
    "don't": 10.0,
    "I": 8.0,
    "I'm": 8.0,
    "iPhone": 5.0,
    "Straße": 5.0,
    "café": 3.0,
}
CHECKPOINT = random_checkpoint([Letters().key(word) for word in LEXICON], figures={"network_prior": 0.1})
PREDICTOR = Predictor(CHECKPOINT, LEXICON)


def counting_predictor() -> tuple[Predictor, list[int]]:
    """Return a predictor and the list to which its network adds the size of the batch at each step."""
    steps: list[int] = []

    class CountingNetwork(RecurrentNetwork):
        def step(self, states: States, symbols: Symbols) -> States:
            steps.append(len(symbols))
            return super().step(states, symbols)

    class CountingPredictor(Predictor):
        network = CountingNetwork

    predictor = CountingPredictor(CHECKPOINT, LEXICON)
    steps.clear()
    return predictor, steps


def words(text: str, predictor: Predictor = PREDICTOR) -> list[str]:
    return [suggestion.word for suggestion in predictor.suggest(text)]


def without_time(prediction: Prediction) -> tuple[object, ...]:
    return prediction.text, prediction.next, prediction.words, prediction.exact


# What a keystroke costs.


def test_one_more_letter_costs_at_most_one_step() -> None:
    predictor, steps = counting_predictor()
    for end in range(1, len("qzxtriangles") + 1):
        steps.clear()
        predictor.next_characters("qzxtriangles"[:end])
        assert sum(steps) <= 1


def test_letter_that_the_search_went_through_costs_none() -> None:
    predictor, steps = counting_predictor()
    predictor.predict("tri")
    steps.clear()
    predictor.next_characters("tria")
    assert steps == []


def test_backspace_costs_no_step() -> None:
    predictor, steps = counting_predictor()
    typed = "my triaq"
    forward = [predictor.predict(typed[:end]) for end in range(len(typed) + 1)]
    steps.clear()
    for end in range(len(typed), -1, -1):
        assert without_time(predictor.predict(typed[:end])) == without_time(forward[end])
    assert steps == []


def test_edit_in_the_middle_costs_only_what_follows_it() -> None:
    predictor, steps = counting_predictor()
    predictor.next_characters("triangle")
    steps.clear()
    predictor.next_characters("trixngle")
    assert sum(steps) == len("xngle")
    steps.clear()
    predictor.next_characters("triangle")
    assert steps == []


def test_another_word_costs_nothing_where_it_was_typed_before() -> None:
    predictor, steps = counting_predictor()
    predictor.predict("triangle")
    predictor.predict("tri")
    steps.clear()
    predictor.predict("my name is tri")
    assert steps == []


def test_a_tree_begun_again_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text[:end] for text in ("triangle", "trial and name", "zzzzzz") for end in range(len(text) + 1)]
    expected = [PREDICTOR.predict(text) for text in texts]
    monkeypatch.setattr("autocomplete.inference.predictor._TREE_MEMORY", 0)  # whatever it holds is too much
    found = [PREDICTOR.predict(text) for text in texts]
    for ours, theirs in zip(found, expected, strict=True):
        assert without_probabilities(ours) == without_probabilities(theirs)
        # Steps of other sizes may be rounded otherwise, as the processor has it.
        assert probabilities(ours) == pytest.approx(probabilities(theirs), rel=1e-5)


def without_probabilities(prediction: Prediction) -> tuple[object, ...]:
    return without_time(
        replace(
            prediction,
            next=tuple(replace(each, probability=0.0) for each in prediction.next),
            words=tuple(replace(word, probability=0.0) for word in prediction.words),
        )
    )


def probabilities(prediction: Prediction) -> list[float]:
    return [each.probability for each in (*prediction.next, *prediction.words, *prediction.typed)]


def test_answers_do_not_depend_on_what_was_typed_before() -> None:
    used = Predictor(CHECKPOINT, LEXICON)
    for text in ["xyz", "triangles and", "Mon", "tr"]:
        used.predict(text)
    fresh = Predictor(CHECKPOINT, LEXICON)
    assert words("tria", used) == words("tria", fresh)
    for one, other in zip(used.suggest("tria"), fresh.suggest("tria"), strict=True):
        assert one.probability == pytest.approx(other.probability, rel=1e-4)


def test_predictor_forgets_rather_than_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, steps = counting_predictor()
    expected = without_time(predictor.predict("tria"))
    predictor.predict("name")
    steps.clear()
    predictor.predict("tria")
    assert steps == []
    monkeypatch.setattr("autocomplete.inference.predictor._TREE_MEMORY", 0)
    assert without_time(predictor.predict("tria")) == expected
    assert steps


# What is offered.


@pytest.mark.parametrize(
    ("text", "word", "insert"),
    [
        ("tria", "triangle", "ngle"),
        ("Tria", "Triangle", "ngle"),
        ("TRIA", "TRIANGLE", "NGLE"),
        ("T", "Triangle", "riangle"),
        ("nam", "name", "e"),
        ("mon", "monday", "day"),
        ("Mon", "Monday", "day"),
        ("MON", "MONDAY", "DAY"),
        ("iph", "iphone", "one"),
        ("iPh", "iPhone", "one"),
        ("stra", "straße", "ße"),
        ("Stra", "Straße", "ße"),
        ("STRA", "STRASSE", "SSE"),
        ("stras", "strasse", "se"),
        ("caf", "café", "é"),
        ("don'", "don't", "t"),
        ("Don’", "Don’t", "t"),
        ("DON'", "DON'T", "T"),
        ("I'", "I'm", "m"),
        ("I’", "I’m", "m"),
        ("my (tria", "triangle", "ngle"),
    ],
)
def test_best_word_goes_on_as_the_user_writes(text: str, word: str, insert: str) -> None:
    best = PREDICTOR.suggest(text)[0]
    assert (best.word, best.insert) == (word, insert)


def test_whole_word_is_not_offered_and_there_are_still_five() -> None:
    with_longer = Predictor(CHECKPOINT, LEXICON | {f"my{end}": 1.0 for end in "abcdefg"}, floor=1e-4)
    for typed in ("my", "My", "MY", "a my"):
        prediction = with_longer.predict(typed)
        assert len(prediction.words) == 5
        assert all(word.insert and word.word == typed.split()[-1] + word.insert for word in prediction.words)
        assert prediction.whole > prediction.words[0].probability
        assert prediction.best == Suggestion(typed.split()[-1], "", 0, True, prediction.whole, exact=True)


@pytest.mark.parametrize("members", ["mixture", "network", "lexicon"])
@pytest.mark.parametrize("text", ["", "m", "my", "My", "name", "namex", "a name", "cafe\u0301", "I'", "don't"])
def test_what_is_typed_is_whole_as_probably_as_nothing_follows_it(members: Members, text: str) -> None:
    predictor = Predictor(CHECKPOINT, LEXICON, members=members, floor=0.0)
    ends = {each.character: each.probability for each in predictor.next_characters(text, 100)}[" "]
    assert predictor.predict(text, 0).whole == (pytest.approx(ends, rel=1e-5) if text else 0)


def test_best_guess_is_the_first_word_or_what_stands_there_whole() -> None:
    word, typed = (
        Suggestion("tria", "a", 0, True, 0.4, exact=True),
        tuple(NextCharacter(letter, 0.5) for letter in "tri"),
    )
    for words, whole, best in [
        ((), 0.0, None),
        ((word,), 0.0, word),
        ((word,), 0.3, word),
        ((word,), 0.4, Suggestion("tri", "", 0, True, 0.4, exact=True)),
        ((), 0.1, Suggestion("tri", "", 0, True, 0.1, exact=True)),
    ]:
        assert Prediction("a tri", (), words, True, 1.0, typed=typed, whole=whole).best == best


def test_words_not_begun_are_offered_as_the_corpus_writes_them() -> None:
    offered = [suggestion.word for suggestion in PREDICTOR.suggest("", count=11)]
    assert {"Monday", "iPhone", "Straße", "I'm"} <= set(offered)
    assert offered[0] == "triangle"


def test_next_letters_follow_the_case_that_is_typed() -> None:
    assert [n.character for n in PREDICTOR.next_characters("tri", 1)] == ["a"]
    assert [n.character for n in PREDICTOR.next_characters("Tri", 1)] == ["a"]
    assert [n.character for n in PREDICTOR.next_characters("TRI", 1)] == ["A"]
    assert [n.character for n in PREDICTOR.next_characters("I'", 1)] == ["m"]


def test_end_of_a_word_is_offered_as_a_space() -> None:
    assert PREDICTOR.next_characters("name", 1)[0].character == " "


def test_each_word_on_a_line_starts_afresh() -> None:
    for before in ["my ", "name, ", "xyz?! ", "one-", "\n"]:
        assert words(before + "tria") == words("tria")
        assert PREDICTOR.next_characters(before + "tria") == PREDICTOR.next_characters("tria")
    assert words("my ") == words("")


def test_words_are_most_probable_first_and_above_the_floor() -> None:
    for floor in [0.2, 0.01]:
        predictor = Predictor(CHECKPOINT, LEXICON, floor=floor)
        for text in ["", "t", "tri", "m"]:
            prediction = predictor.predict(text, count=10, characters=10)
            words, characters = ([each.probability for each in found] for found in (prediction.words, prediction.next))
            for probabilities, least in ((words, floor * max(1 - prediction.whole, 0.1)), (characters, floor)):
                assert probabilities == sorted(probabilities, reverse=True)
                assert all(least <= probability <= 1 for probability in probabilities)
    assert Predictor(CHECKPOINT, LEXICON, floor=0.99).suggest("") == []


def test_ways_to_go_on_from_a_whole_word_are_offered_however_probable_it_is() -> None:
    predictor = Predictor(CHECKPOINT, {"my": 1e5, "myth": 20.0, "myths": 2.0}, members="lexicon", floor=1e-3)
    prediction = predictor.predict("my")
    assert prediction.whole > 0.999
    assert [word.word for word in prediction.words] == ["myth"]  # one in 5,000, but nine in ten of what goes on


def test_count_bounds_words_and_characters() -> None:
    prediction = PREDICTOR.predict("t", count=2, characters=3)
    assert (len(prediction.words), len(prediction.next)) == (2, 3)
    prediction = PREDICTOR.predict("t", count=0, characters=0)
    assert (prediction.words, prediction.next) == ((), ())


def test_network_alone_and_lexicon_alone_can_be_asked() -> None:
    lexicon = Predictor(CHECKPOINT, LEXICON, members="lexicon")
    assert [(s.word, round(s.probability, 4)) for s in lexicon.suggest("tri")] == [
        ("triangle", round(50 / 60, 4)),
        ("trial", round(10 / 60, 4)),
    ]
    network = Predictor(CHECKPOINT, LEXICON, members="network")
    unaided = Predictor(CHECKPOINT, {})
    assert [s.probability for s in network.suggest("tri")] == [s.probability for s in unaided.suggest("tri")]


def test_word_that_the_lexicon_lacks_can_still_be_spelled() -> None:
    suggestions = PREDICTOR.suggest("trin")
    assert suggestions
    assert all(suggestion.word == "trin" + suggestion.insert for suggestion in suggestions)


def test_spent_budget_is_told() -> None:
    hurried = Predictor(CHECKPOINT, LEXICON, floor=1e-4, budget=Budget(expansions=5))
    prediction = hurried.predict("t")
    assert not prediction.exact
    assert not all(word.exact for word in prediction.words)
    assert PREDICTOR.predict("tria", 1).exact


# Streams.


@pytest.mark.parametrize("text", ["", "t", "tria", "my Mon", "TRI", "qq", "ß", "日本"])
def test_stream_ends_in_what_predict_returns(text: str) -> None:
    *parts, last = PREDICTOR.stream(text, count=4)
    assert without_time(last) == without_time(PREDICTOR.predict(text, count=4))
    assert parts[0].words == ()
    for part in parts:
        assert not part.exact
        assert part.next == last.next
        assert part.words == last.words[: len(part.words)]
    assert [len(part.words) for part in parts] == list(range(len(parts)))


def test_stream_may_be_left_in_the_middle() -> None:
    predictor = Predictor(CHECKPOINT, LEXICON)
    stream = predictor.stream("t")
    next(stream)
    next(stream)
    assert words("my tri", predictor) == words("my tri")
    assert [p.words for p in stream][-1] == PREDICTOR.predict("t").words


# Whatever is typed.

HURRIED = Predictor(CHECKPOINT, LEXICON, budget=Budget(expansions=30))


@given(st.one_of(st.text(), st.text("trianglemo'’ IMSß\u0301é.-")))
def test_any_text_is_answered(text: str) -> None:
    prediction = HURRIED.predict(text)
    json.dumps(prediction.to_json())
    assert prediction.text == text
    assert 0 <= prediction.whole <= 1 + 1e-6
    for suggestion in prediction.words:
        assert suggestion.insert
        assert suggestion.word.endswith(suggestion.insert)
        assert 0 < suggestion.probability <= 1 + 1e-6
    for character in prediction.next:
        assert len(character.character) == 1
        assert 0 < character.probability <= 1 + 1e-6


def test_unknown_character_is_none_of_the_known() -> None:
    assert words("tr日") != words("tr")
    assert all(word.startswith("tr日") for word in words("tr日"))
    assert "\ufffd" not in "".join(n.character for n in PREDICTOR.next_characters("tr日", 20))


def test_prediction_as_json_is_what_the_command_prints() -> None:
    printed = PREDICTOR.predict("my tria", count=1, characters=1).to_json()
    assert list(printed) == ["text", "next", "words", "exact", "milliseconds"]
    assert list(printed["words"][0]) == ["word", "insert", "replaces", "space", "probability"]
    assert printed["words"][0]["word"] == "triangle"
    assert list(printed["next"][0]) == ["character", "probability"]


def test_predictor_is_loaded_from_a_folder(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "mine", CHECKPOINT, LEXICON)
    loaded = Predictor.load(str(tmp_path / "mine"))
    assert loaded.suggest("tria") == PREDICTOR.suggest("tria")
