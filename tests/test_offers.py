"""What is offered at the cursor, as keys and answers come in any order: no screen, no model."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from autocomplete.inference.offers import Answer, Offers, Place, held
from autocomplete.inference.prediction import Prediction, Suggestion

THRESHOLD = 0.6


def prediction(before: str, *inserts: str, sure: float = 0.7, after: str = "") -> Prediction:
    """Return an answer for a place: of the words, the first is as probable as given, the others share the rest."""
    shares = [sure] + [(1 - sure) / max(1, len(inserts) - 1)] * (len(inserts) - 1)
    typed = before.rpartition(" ")[2]
    words = tuple(Suggestion(typed + i, i, 0, True, p, exact=True) for i, p in zip(inserts, shares, strict=False))
    return Prediction(before, (), words, True, 1.0, after)


def answer(before: str, *inserts: str, more: str = "", sure: float = 0.7, after: str = "") -> Answer:
    return Answer(prediction(before, *inserts, sure=sure, after=after), complete=True, more=more)


def offers(*answers: Answer) -> Offers:
    made = Offers(THRESHOLD)
    for one in answers:
        made.receive(one)
    return made


BRO = answer("bro", "wn", "ke", "ad")


def candidates(made: Offers, before: str, after: str = "") -> list[str]:
    return [word.insert for word in made.candidates(Place(before, after))]


# Words that still hold.


def test_words_hold_as_long_as_they_begin_with_what_is_typed() -> None:
    found = BRO.prediction
    assert [word.insert for word in held(found, Place("bro"))] == ["wn", "ke", "ad"]
    assert [word.insert for word in held(found, Place("brow"))] == ["n"]
    assert [word.insert for word in held(found, Place("brown"))] == [""]
    for place in (Place("brox"), Place("br"), Place("xbrow"), Place("bro", "k"), Place("")):
        assert held(found, place) == []


@given(
    st.text("ab ", max_size=4), st.lists(st.text("ab", min_size=1, max_size=4), max_size=4), st.text("ab", max_size=5)
)
def test_a_held_word_ends_as_the_word_that_was_found(before: str, inserts: list[str], typed: str) -> None:
    found = prediction(before, *inserts)
    left = held(found, Place(before + typed))
    assert [typed + word.insert for word in left] == [insert for insert in inserts if insert.startswith(typed)]
    assert {word.word for word in left} <= {word.word for word in found.words}


def test_the_ghost_is_trimmed_by_what_it_foretold_and_gone_with_anything_else() -> None:
    made = offers(answer("bro", "wn", more=" fox"))
    ghosts = {"bro": "wn fox", "brow": "n fox", "brown": " fox", "brown fo": "x", "brown fox": "", "brox": "", "br": ""}
    assert {before: made.ghost(Place(before)) for before in ghosts} == ghosts
    assert made.ghost(Place("bro", "x")) == ""


def test_below_the_threshold_there_is_no_ghost_and_there_are_candidates() -> None:
    made = offers(answer("bro", "wn", "ke", sure=0.59))
    assert made.ghost(Place("bro")) == ""
    assert candidates(made, "bro") == ["wn", "ke"]
    made.threshold = 0.5
    assert made.ghost(Place("bro")) == "wn"


def test_a_ghost_inside_the_line_is_for_what_stands_on_both_sides() -> None:
    made = offers(answer("tri", "ang", after="le"))
    assert made.ghost(Place("tri", "le")) == "ang"
    assert made.ghost(Place("tria", "le")) == "ng"
    assert made.ghost(Place("tril", "e")) == made.ghost(Place("tri")) == ""


def whole(before: str, sure: float, *inserts: str, more: str | None = "", longer: float = 0.05) -> Answer:
    """Return an answer that says how probable it is that what was typed is a whole word."""
    found = prediction(before, *inserts, sure=longer)
    return Answer(replace(found, whole=sure), complete=True, more=more)


def test_the_ghost_of_a_whole_word_is_what_follows_it() -> None:
    for inserts in ((), ("one",)):
        made = offers(whole("thank you very", 0.9, *inserts, more=" much"))
        assert made.ghost(Place("thank you very")) == " much"
        assert made.ghost(Place("thank you very m")) == "uch"
        assert candidates(made, "thank you very") == list(inserts)
    assert offers(whole("thank you very", 0.59, more=" much")).ghost(Place("thank you very")) == ""


def test_a_longer_word_is_no_ghost_where_the_word_is_more_probably_whole() -> None:
    made = offers(whole("bro", 0.45, "wn", longer=0.4))
    made.threshold = 0.3
    assert made.ghost(Place("bro")) == ""
    assert candidates(made, "bro") == ["wn"]
    made.receive(whole("bro", 0.35, "wn", longer=0.4))
    assert made.ghost(Place("bro")) == "wn"


def test_the_ghost_stays_when_the_last_letter_of_its_first_word_was_typed() -> None:
    for inserts in ((), ("thing",)):
        made = offers(answer("thank you ver", "y", more=" much"))
        made.receive(whole("thank you very", 0.9, *inserts, more=None))  # what follows is not known anew yet
        assert made.ghost(Place("thank you very")) == " much"
        made.receive(whole("thank you very", 0.9, *inserts, more=""))
        assert made.ghost(Place("thank you very")) == ""


# Answers that come in parts, or late.


def test_the_ghost_stays_while_an_answer_is_on_its_way() -> None:
    made = offers(answer("bro", "wn", more=" fox"))
    made.edited(Place("brow"))
    for part in (Answer(prediction("brow"), complete=False), Answer(prediction("brow", "n"), complete=False)):
        made.receive(part)
        assert made.ghost(Place("brow")) == "n fox"
    made.receive(Answer(prediction("brow", "n"), complete=True))
    assert made.ghost(Place("brow")) == "n fox"  # what follows the word is not known anew yet
    made.receive(answer("brow", "n"))
    assert made.ghost(Place("brow")) == "n"


def test_an_answer_with_another_word_replaces_the_ghost_at_once() -> None:
    made = offers(answer("bro", "wn", more=" fox"))
    made.receive(Answer(prediction("brow", "se"), complete=False))
    assert made.ghost(Place("brow")) == "se"
    made = offers(answer("bro", "wn"))
    made.receive(Answer(prediction("brow"), complete=True))  # which knows of no word
    assert made.ghost(Place("brow")) == ""


def test_candidates_are_those_of_the_last_answer_until_there_are_new_ones() -> None:
    made = offers(BRO)
    made.receive(Answer(prediction("brow"), complete=False))
    assert candidates(made, "brow") == ["n"]
    made.receive(Answer(prediction("brow", "s"), complete=False))
    assert candidates(made, "brow") == ["s"]
    made.receive(Answer(prediction("brow"), complete=True))
    assert candidates(made, "brow") == []


def test_a_late_answer_counts_for_what_still_holds_of_it() -> None:
    made = offers()
    made.edited(Place("brow"))
    made.receive(BRO)
    assert not made.is_fresh(Place("brow"))
    assert (made.ghost(Place("brow")), candidates(made, "brow")) == ("n", ["n"])
    assert (made.ghost(Place("brox")), candidates(made, "brox")) == ("", [])


def test_backspace_finds_the_answer_again() -> None:
    made = offers(BRO, answer("brow", "n"))
    made.edited(Place("bro"))
    assert made.recall(Place("bro"))
    assert made.is_fresh(Place("bro"))
    assert candidates(made, "bro") == ["wn", "ke", "ad"]
    assert not made.recall(Place("br"))
    assert not made.recall(Place("bro", "wn"))
    assert made.newest == BRO  # what is not there changes nothing


def test_an_answer_that_came_ahead_is_found_and_not_shown_before() -> None:
    made = offers(BRO)
    made.keep(answer("brow", "n", "se"))
    assert made.newest == BRO
    assert made.recall(Place("brow"))
    assert candidates(made, "brow") == ["n", "se"]


def test_only_whole_answers_are_found_again_and_none_after_forgetting() -> None:
    made = offers(Answer(prediction("bro", "wn"), complete=False))
    assert not made.recall(Place("bro"))
    made = offers(BRO)
    made.turn(Place("bro"), 1)
    made.forget()
    assert not made.recall(Place("bro"))
    assert (made.ghost(Place("bro")), candidates(made, "bro"), made.newest) == ("", [], None)


def test_the_oldest_of_many_answers_are_dropped() -> None:
    made = offers(*(answer(f"{i} bro", "wn") for i in range(1000)))
    assert made.recall(Place("999 bro"))
    assert not made.recall(Place("0 bro"))


# Silence.


def test_silence_lasts_until_the_line_changes() -> None:
    made = offers(BRO)
    made.silence(Place("bro"))
    for place in (Place("bro"), Place("br", "o"), Place("bro")):  # the cursor moves
        made.edited(place)
        made.recall(place)
        assert made.is_silent(place)
        assert (made.ghost(place), made.candidates(place), made.take(place, 1)) == ("", [], None)
    made.edited(Place("brow"))
    assert made.ghost(Place("brow")) == "n"
    made.edited(Place("bro"))
    assert not made.is_silent(Place("bro"))
    assert made.ghost(Place("bro")) == "wn"


def test_silence_holds_against_answers_and_ends_when_another_ghost_is_asked_for() -> None:
    made = offers(BRO)
    made.silence(Place("bro"))
    made.receive(BRO)
    assert made.ghost(Place("bro")) == ""
    made.turn(Place("bro"), 1)
    assert made.ghost(Place("bro")) == "ke"  # after the one that was silenced


def test_silence_ends_with_the_line() -> None:
    made = offers(answer("", "the"))
    made.silence(Place(""))
    assert made.ghost(Place("")) == ""
    made.begin()
    made.edited(Place(""))
    assert made.ghost(Place("")) == "the"


# Another ghost.


def test_turning_goes_round_all_candidates_in_both_directions() -> None:
    made = offers(BRO)
    seen = []
    for by in (1, 1, 1, -1, -1, -1):
        made.turn(Place("bro"), by)
        seen.append(made.ghost(Place("bro")))
    assert seen == ["ke", "ad", "wn", "ad", "ke", "wn"]


def test_turning_begins_at_an_end_where_no_ghost_is_shown() -> None:
    for by, first in ((1, "wn"), (-1, "ad")):
        made = offers(answer("bro", "wn", "ke", "ad", sure=0.4))
        made.turn(Place("bro"), by)
        assert made.ghost(Place("bro")) == first


def test_turning_passes_a_word_that_begins_with_the_one_before() -> None:
    made = offers(answer("tri", "al", "als", "angle", more=" and error"))
    seen = []
    for _ in range(4):
        seen.append(made.ghost(Place("tri")))
        made.turn(Place("tri"), 1)
    assert seen == ["al and error", "als", "angle", "al"]


def test_a_ghost_that_was_asked_for_stays_while_it_is_typed() -> None:
    made = offers(BRO)
    made.turn(Place("bro"), 1)
    made.edited(Place("brok"))
    made.receive(answer("brok", "er"))
    assert made.ghost(Place("brok")) == "e"
    made.edited(Place("brox"))
    made.edited(Place("bro"))
    made.receive(BRO)
    assert made.ghost(Place("bro")) == "wn"


def test_turning_without_candidates_does_nothing() -> None:
    made = offers(answer("bro", "wn"))
    made.turn(Place("brown"), 1)  # a word that is complete
    assert made.ghost(Place("brown")) == ""
    assert offers().take(Place("bro"), 1) is None


# Taking.


def take(made: Offers, place: Place, by: int) -> Place:
    """Return where the cursor is after a candidate was taken, as the prompt does it."""
    taken = made.take(place, by)
    assert taken is not None
    remove, insert = taken
    place = Place(place.before[: len(place.before) - remove] + insert, place.after)
    made.edited(place)
    return place


@given(st.lists(st.sampled_from([1, -1]), max_size=12), st.sampled_from(["", " fox", "le"]))
def test_taking_goes_round_the_candidates_and_what_was_typed(moves: list[int], after: str) -> None:
    made = offers(answer("a bro", "wn", "ke", "ad", after=after))
    place = Place("a bro", after)
    round_trip = ["a bro", "a brown", "a broke", "a broad"]
    at = 0
    for by in moves:
        place = take(made, place, by)
        made.receive(answer(place.before, "s", after=after))  # an answer for the new place changes nothing
        at = (at + by) % 4
        assert place == Place(round_trip[at], after)
        taken = made.taken(place)
        assert taken is not None
        assert ([word.insert for word in taken[0]], taken[1]) == (["wn", "ke", "ad"], (at - 1) % 4)


def test_an_edit_or_a_move_ends_the_taking() -> None:
    for place in (Place("brow"), Place("brown "), Place("brow", "n")):
        made = offers(BRO)
        assert take(made, Place("bro"), 1) == Place("brown")
        made.edited(place)
        made.edited(Place("brown"))
        assert made.taken(Place("brown")) is None
        made.receive(answer("brown", "ie"))
        assert take(made, Place("brown"), 1) == Place("brownie")


def test_a_word_that_has_been_typed_to_its_end_since_it_was_offered_is_the_first_to_be_taken() -> None:
    """It is still candidate 1 on the screen: what was meant is not replaced by the second."""
    made = offers(answer("bro", "wn", "wnie", "wns"))
    assert take(made, Place("brown"), 1) == Place("brown")
    assert take(made, Place("brown"), 1) == Place("brownie")
    assert take(made, Place("brownie"), 1) == Place("browns")


def test_a_candidate_is_taken_of_an_answer_for_an_earlier_text() -> None:
    made = offers(BRO)
    made.edited(Place("brok"))
    assert take(made, Place("brok"), 1) == Place("broke")
    assert take(made, Place("broke"), 1) == Place("brok")
