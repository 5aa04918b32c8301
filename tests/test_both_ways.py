"""The scene both ways: what it shows is what the networks say, and any line with a gap can be given."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pictures import checked, lines

from autocomplete import Predictor
from autocomplete.demo import both_ways
from autocomplete.demo.scene import Size
from autocomplete.errors import SettingsError
from autocomplete.inference.blanks import Blank
from autocomplete.inference.filling import Filler

SIZES = [Size(80, 20), Size(120, 36)]


@pytest.fixture(scope="module")
def filler() -> Filler:
    return Filler.load()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "word",
    [
        "na_e",
        "name",
        "she [ ] to the do_r",
        "____",
        "[ ]",
        "日本 [ ] 王",
        "the c_t " + "sat on the mat and " * 9,
        "x" * 150,
    ],
)
def test_any_line_fits(word: str, size: Size) -> None:
    assert len(checked(both_ways.play(word, size), size)) > 3


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("a_ b_ c_ d_", "4 gaps"),
        ("na_e " + "x" * 200, "205 characters"),
        ("a[ ]b", "put a space"),
        ("_" * 13, "13 letters"),
        ("[", "no gap"),
        ("", "no gap"),
    ],
)
def test_lines_that_cannot_be_shown_are_refused(word: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        list(both_ways.play(word, SIZES[0]))


def test_left_only_is_what_the_network_of_the_prompt_expects_and_what_it_shows(filler: Filler) -> None:
    """The oracle: the prompt's own network, with what is no letter left out."""
    forward = both_ways._Forward(filler.lexicon)
    expected = {n.character: n.probability for n in Predictor.load(members="network").next_characters("my na", 100)}
    letters = {c: p for c, p in expected.items() if c.isalnum() or c == "'"}
    for letter, probability in forward.believe("my na", Blank(1)):
        assert probability == pytest.approx(letters[letter] / sum(letters.values()), rel=0.01)
    first = next(both_ways.play("my na_e", SIZES[0]))
    best = max(letters, key=lambda letter: letters[letter])
    assert lines(first, SIZES[0])[4].split()[0] == best


def test_both_sides_are_what_fill_answers(filler: Filler) -> None:
    frames = list(both_ways.play("na_e", SIZES[0]))
    shown = [re.findall(r"(\S+)\s+[█▏▎▍▌▋▊▉]*\s+(<? ?\d+) %", line) for line in lines(frames[-1], SIZES[0])[4:9]]
    for row, fill in zip(shown, filler.fill("na_e").fills, strict=True):
        letter, percents = row[1]
        assert letter == fill.texts[0]
        assert percents == ("< 1" if fill.probability < 0.005 else f"{100 * fill.probability:.0f}")


def test_the_right_side_becomes_known_from_the_gap_on(filler: Filler) -> None:
    parts = ["my na", Blank(1), "e is [ ]"]
    unknown = both_ways._between(filler, parts, 1, [], 0)
    whole = both_ways._between(filler, parts, 1, [], 8)
    assert unknown == filler.candidates(filler.encode("my na"), Blank(1), [], 5)[0]
    assert whole == filler.candidates(filler.encode("my na"), Blank(1), filler.encode("e is [ ]"), 5)[0]
    assert unknown != whole
    assert both_ways._lengths(0) == [0]
    assert both_ways._lengths(30)[0] == 0
    assert both_ways._lengths(30)[-1] == 30


def test_a_letter_typed_at_the_end_changes_no_forward_state_and_every_backward_one_near_it(filler: Filler) -> None:
    forward, backward = both_ways._changes(filler, "my name is")
    assert forward.shape == backward.shape == (10,)
    assert not forward.any()
    assert (backward > 0).all()
    assert backward[-1] > backward[0]
    network, symbols = filler.network, filler.encode("my name is")
    then = network.backward.top(network.right(symbols[3:]))
    now = network.backward.top(network.right(filler.encode("name iss")))
    assert backward[3] == pytest.approx(np.linalg.norm(now - then) / np.linalg.norm(then), rel=1e-4)
