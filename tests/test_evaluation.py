"""
Simulated typing, and what it amounts to.

Suggesters here answer from a script, so that what they save can be counted by hand; a typist who presses one key after the
other is the oracle for the rest.
"""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import random_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from autocomplete.errors import CorpusError, SettingsError
from autocomplete.evaluation.evaluate import Evaluation, evaluate
from autocomplete.evaluation.measures import (
    AboveThreshold,
    Bin,
    above_threshold,
    bits_per_character,
    calibration,
    calibration_error,
    keys,
    mean_reciprocal_ranks,
    savings,
)
from autocomplete.evaluation.phrases import phrases, read_phrases, with_capitals
from autocomplete.evaluation.simulation import Simulation, simulate
from autocomplete.inference.predictor import Predictor
from autocomplete.reports.evaluation import evaluation_report
from autocomplete.reports.output import refuse_unwritable, write_picture
from autocomplete.storage.checkpoint import write_checkpoint

LEXICON = {"triangle": 50.0, "name": 40.0, "my": 30.0, "trial": 10.0, "don't": 10.0, "I": 8.0}
CHECKPOINT = random_checkpoint([word.lower() for word in LEXICON], figures={"network_prior": 0.1})


@dataclass(frozen=True)
class Offer:
    word: str
    probability: float = math.nan


class Script:
    """A suggester that answers a text with what is written down for it, and remembers what it was asked."""

    def __init__(self, answers: Mapping[str, Sequence[str | Offer]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def suggest(self, text: str, count: int) -> list[Offer]:
        self.asked.append(text)
        offers = self._answers.get(text, ())
        return [offer if isinstance(offer, Offer) else Offer(offer) for offer in offers][:count]


class WordList:
    """A suggester of the words that go on as typed; which come first depends on all that stands before."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    def suggest(self, text: str, count: int) -> list[Offer]:
        typed = text.split(" ")[-1].casefold()
        turn = len(text) % len(self._words)
        turned = [*self._words[turn:], *self._words[:turn]]
        return [Offer(word, 0.5) for word in turned if word.startswith(typed)][:count]


def pressed(suggester: WordList, phrase: str, suggestions: int) -> int:
    """Return how many keys somebody presses who reads the suggestions before each of them."""
    text = with_capitals(phrase)
    cursor = pressed_keys = 0
    while cursor < len(text):
        end = f"{text} ".index(" ", cursor)
        target = text[:end].split(" ")[-1]
        offered = [offer.word.casefold() for offer in suggester.suggest(text[:cursor], suggestions)]
        cursor = end + 1 if target.casefold() in offered else cursor + 1
        pressed_keys += 1
    return pressed_keys


words = st.text("abi'", min_size=1, max_size=5).filter(lambda word: any(map(str.isalpha, word)))
texts = st.lists(st.lists(words, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=4)


# Phrases.


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("Hello, World!", "hello world"),
        ("I’m  sure it ISN'T.\n", "i'm sure it isn't"),
        ("a-b_c/d\te", "a b c d e"),
        ("route 66 at 5pm", "route at pm"),
        ("rock ' n ' roll", "rock n roll"),
        ("dogs' 'tis", "dogs' 'tis"),
        ("a''b a'''b", "a''b a''b"),
        ("cafe\u0301 STRASSE Straße", "café strasse straße"),
        ("  Привет,  мир ", "привет мир"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_phrase_is_letters_apostrophes_and_single_spaces(line: str, phrase: str) -> None:
    assert list(phrases([line])) == [phrase]


def test_lines_without_a_letter_are_left_out() -> None:
    assert list(phrases(["***", "", "one", "'", "42 '' !", "two"])) == ["one", "two"]


@given(st.text())
def test_phrase_of_a_phrase_is_the_same(line: str) -> None:
    for phrase in phrases([line]):
        assert list(phrases([phrase])) == [phrase]
        assert phrase == " ".join(phrase.split())
        assert phrase.lower() == phrase


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("when i go i'm fine", "When I go I'm fine"),
        ("i'll say i've won and i'd lost", "I'll say I've won and I'd lost"),
        ("it is in ii i's", "It is in ii i's"),
        ("'tis so", "'Tis so"),
        ("ßa", "ßa"),
    ],
)
def test_suggester_sees_the_capitals_that_everybody_types(phrase: str, text: str) -> None:
    assert with_capitals(phrase) == text


@given(st.text())
def test_capitals_change_no_length(line: str) -> None:
    for phrase in phrases([line]):
        assert len(with_capitals(phrase)) == len(phrase)


def test_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffOne.\r\n\r\n---\r\nTwo!\r\nThree".encode())
    assert read_phrases(path) == ["one", "two", "three"]
    assert read_phrases(path, 2) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"12 34\n!\n", "no letters"),
        (b"na\xefve", "not UTF-8"),
        (b"na\0", "binary"),
    ],
    ids=["missing", "empty", "no letters", "latin-1", "binary"],
)
def test_text_that_cannot_be_typed_is_told_in_one_line(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=rf"text\.txt: .*{problem}.*; ") as raised:
        read_phrases(path)
    assert len(str(raised.value).splitlines()) == 1


def test_folder_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="folder"):
        read_phrases(tmp_path)


# Keys, counted by hand.


def test_suggester_is_asked_before_every_key_and_sees_the_true_text() -> None:
    script = Script({})
    simulation = simulate(script, ["so i", "am"])
    assert script.asked == ["", "S", "So", "So ", "", "A"]
    assert simulation.words.tolist() == [0, 0, 0, 1, 2, 2]
    assert simulation.typed.tolist() == [0, 1, 2, 0, 0, 1]


def test_word_taken_costs_one_key_with_its_space() -> None:
    # "the " is taken at once: 1. "cat" is taken after "c": 2. Together 3 of 7.
    script = Script({"": ["the"], "The c": ["cat"]})
    assert keys(simulate(script, ["the cat"]), 1) == 3
    assert savings(simulate(script, ["the cat"]), 1) == pytest.approx(1 - 3 / 7)


def test_word_not_offered_costs_each_letter_and_its_space() -> None:
    assert keys(simulate(Script({}), ["the cat"]), 5) == 7
    assert savings(simulate(Script({}), ["the cat"]), 5) == 0


def test_last_letter_taken_saves_the_space_but_not_at_the_end_of_a_phrase() -> None:
    script = Script({"Th": ["the"], "The ca": ["cat"]})
    assert keys(simulate(script, ["the cat"]), 1) == 3 + 3


def test_whole_word_taken_before_its_space_costs_as_much_as_the_space() -> None:
    simulation = simulate(Script({"The": ["the"], "The cat": ["cat"]}), ["the cat"])
    assert simulation.ranks.tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert keys(simulation, 1) == 7


def test_word_that_begins_a_quotation_may_be_suggested_without_its_apostrophe_once_that_is_typed() -> None:
    script = Script(
        {"It ": ["all"], "It '": ["well", "all"], "It 'a": ["'all"], "It 'all ": ["em"], "It 'all '": ["'em"]}
    )
    simulation = simulate(script, ["it 'all 'em"])
    assert simulation.ranks.tolist() == [0, 0, 0, 0, 2, 1, 0, 0, 0, 1, 0]
    assert [keys(simulation, suggestions) for suggestions in (1, 2)] == [3 + 3 + 2, 3 + 2 + 2]


def test_word_counts_only_among_the_suggestions_that_are_read() -> None:
    # Third before "t", first after it: with one suggestion read 2 keys, with three 1.
    script = Script({"": ["a", "b", "the"], "T": ["THE"]})
    simulation = simulate(script, ["the"])
    assert simulation.ranks.tolist() == [3, 1, 0]
    assert [keys(simulation, suggestions) for suggestions in (1, 2, 3, 5)] == [2, 2, 1, 1]


def test_line_ends_are_not_counted_and_phrases_start_afresh() -> None:
    script = Script({"": ["the"]})
    simulation = simulate(script, ["the", "the", "cat"])
    assert simulation.characters == 9
    assert keys(simulation, 1) == 1 + 1 + 3


@given(texts, st.lists(words, min_size=1, max_size=8))
def test_keys_are_those_that_a_typist_presses(typed: list[str], known: list[str]) -> None:
    suggester = WordList(known)
    simulation = simulate(suggester, typed)
    counts = [keys(simulation, suggestions) for suggestions in (1, 3, 5)]
    assert counts == [sum(pressed(suggester, phrase, k) for phrase in typed) for k in (1, 3, 5)]
    assert counts == sorted(counts, reverse=True)
    assert simulation.characters == sum(map(len, typed))
    assert sum(phrase.count(" ") + 1 for phrase in typed) <= counts[-1]
    assert counts[0] <= simulation.characters


@given(texts, st.lists(words, min_size=1, max_size=8))
def test_answers_are_those_before_each_character_of_each_phrase(typed: list[str], known: list[str]) -> None:
    suggester = WordList(known)
    simulation = simulate(suggester, typed)
    expected: list[tuple[int, int, int, float]] = []
    first = 0
    for phrase in typed:
        for cursor in range(len(phrase)):
            before = phrase[:cursor].split(" ")
            target = phrase.split(" ")[len(before) - 1]
            offers = suggester.suggest(with_capitals(phrase)[:cursor], 5)
            offered = [offer.word for offer in offers]
            rank = offered.index(target) + 1 if target in offered else 0
            expected.append((first + len(before) - 1, len(before[-1]), rank, 0.5 if offers else math.nan))
        first += phrase.count(" ") + 1
    places, letters, ranks, probabilities = zip(*expected, strict=True)
    assert simulation.words.tolist() == list(places)
    assert simulation.typed.tolist() == list(letters)
    assert simulation.ranks.tolist() == list(ranks)
    np.testing.assert_array_equal(simulation.probabilities, probabilities)
    assert not np.isnan(simulation.milliseconds).any()


@given(texts, st.lists(words, min_size=1, max_size=8))
def test_fast_simulation_and_ranks_known_before_save_the_same(typed: list[str], known: list[str]) -> None:
    full = simulate(WordList(known), typed)
    fast = simulate(WordList(known), typed, fast=True)
    replayed = Simulation.of(typed, full.ranks.tolist())
    for suggestions in (1, 2, 3, 5):
        assert savings(full, suggestions) == savings(fast, suggestions) == savings(replayed, suggestions)


def test_fast_simulation_stops_asking_at_the_first_rank_and_skips_spaces() -> None:
    script = Script({"Th": ["there"], "There is": ["is"]})
    simulation = simulate(script, ["there is a"], fast=True)
    assert script.asked == ["", "T", "Th", "There ", "There i", "There is "]
    assert simulation.ranks.tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    assert np.flatnonzero(np.isnan(simulation.milliseconds)).tolist() == [3, 4, 5, 8]


@pytest.mark.parametrize("count", [2, 5, 7])
def test_ranks_of_another_text_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} ranks for 6 keys"):
        Simulation.of(["the a", "i"], [0] * count)


# Other measures.


def simulation_of(answers: Sequence[tuple[int, float]]) -> Simulation:
    """Return the simulation of one long word with these ranks and probabilities of the first suggestion."""
    ranks, probabilities = zip(*answers, strict=True)
    return Simulation.of(["x" * len(answers)], ranks, probabilities)


def test_reciprocal_rank_is_the_mean_over_the_words_that_are_long_enough() -> None:
    simulation = Simulation.of(["the a", "cat"], [2, 1, 1, 1, 4, 0, 5, 1])  # the fourth stands before the space
    assert mean_reciprocal_ranks(simulation, 1) == [
        (3, pytest.approx((1 / 2 + 1 / 4 + 0) / 3)),
        (2, pytest.approx((1 + 1 / 5) / 2)),
    ]
    count, mean = mean_reciprocal_ranks(simulation, 3)[3]
    assert count == 0
    assert math.isnan(mean)


def test_precision_is_of_those_shown_and_coverage_of_all() -> None:
    simulation = simulation_of([(1, 0.9), (2, 0.6), (1, 0.5), (0, 0.2), (0, math.nan)])
    assert above_threshold(simulation, 0.5) == AboveThreshold(0.5, pytest.approx(2 / 3), pytest.approx(3 / 5))
    assert above_threshold(simulation, 0.0).coverage == pytest.approx(4 / 5)
    nothing = above_threshold(simulation, 0.95)
    assert nothing.coverage == 0
    assert math.isnan(nothing.precision)


def test_complete_word_before_its_space_is_right_and_covered() -> None:
    # Before the two spaces a complete word is right, a longer one wrong; after "cat" nothing is typed.
    script = Script({"My": [Offer("my", 0.95)], "My fat": [Offer("father", 0.75)], "My fat cat": [Offer("cat", 0.95)]})
    simulation = simulate(script, ["my fat cat"])
    assert above_threshold(simulation, 0.5) == AboveThreshold(0.5, pytest.approx(1 / 2), pytest.approx(2 / 10))
    assert above_threshold(simulation, 0.9) == AboveThreshold(0.9, 1.0, pytest.approx(1 / 10))
    bins = calibration(simulation)
    assert [each.count for each in bins] == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    assert (bins[7], bins[9]) == (Bin(0.75, 0.0, 1), Bin(0.95, 1.0, 1))
    assert calibration_error(bins) == pytest.approx((0.75 + 0.05) / 2)


def test_predictor_that_knows_the_word_to_be_whole_offers_nothing_and_is_right() -> None:
    predictor = Predictor(CHECKPOINT, LEXICON, members="lexicon")
    assert simulate(predictor, ["my name"]).ranks[2] == 0
    evaluation = evaluate(predictor, ["my name"], 0.9)
    # Which words begin, nobody knows; each key after their first letters is foreseen, and so is the space.
    assert evaluation.ghost.precision == 1
    assert evaluation.ghost.coverage == pytest.approx(5 / 7)


def test_first_suggestion_is_the_best_guess_also_where_that_is_that_the_word_is_whole() -> None:
    predictor = Predictor(CHECKPOINT, LEXICON, floor=1e-6)
    typed = ["my name", "don't i try a triangle", "myx i"]
    guesses: list[tuple[float, bool]] = []
    for phrase in typed:
        text = with_capitals(phrase)
        for cursor in range(len(text)):
            start = text.rfind(" ", 0, cursor) + 1
            target = text[start:].split(" ")[0]
            prediction = predictor.predict(text[:cursor])
            choices = {word.word: word.probability for word in prediction.words}
            if cursor > start:
                choices[text[start:cursor]] = prediction.whole
            best = max(choices, key=lambda word: choices[word])
            guesses.append((choices[best], best.casefold() == target.casefold()))
    evaluation = evaluate(predictor, typed, 0.2)
    assert len(guesses) == evaluation.queries
    for each in evaluation.first:
        shown = [right for probability, right in guesses if probability >= each.threshold]
        assert each.coverage == pytest.approx(len(shown) / len(guesses))
        assert each.precision == pytest.approx(sum(shown) / len(shown))
    for i, each in enumerate(evaluation.calibration):
        within = [(p, right) for p, right in guesses if min(int(10 * p), 9) == i]
        assert each.count == len(within)
        assert not within or each.accuracy == pytest.approx(sum(right for _, right in within) / len(within))


def test_calibration_error_is_weighted_by_the_size_of_the_bins() -> None:
    # Two in [0.2, 0.3): mean 0.25, one of them right; one of probability 1 and wrong, in the last bin.
    bins = calibration(simulation_of([(1, 0.22), (3, 0.28), (0, 1.0), (0, math.nan)]))
    assert bins[2] == Bin(pytest.approx(0.25), pytest.approx(0.5), 2)
    assert bins[9] == Bin(1.0, 0.0, 1)
    assert [each.count for each in bins] == [0, 0, 2, 0, 0, 0, 0, 0, 0, 1]
    assert calibration_error(bins) == pytest.approx((2 * 0.25 + 1 * 1.0) / 3)
    assert math.isnan(calibration_error(calibration(simulation_of([(0, math.nan)]))))


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), min_size=1))
def test_measures_are_shares(answers: list[tuple[int, float]]) -> None:
    simulation = simulation_of(answers)
    bins = calibration(simulation)
    assert sum(each.count for each in bins) == len(answers)
    assert 0 <= calibration_error(bins) <= 1
    coverages = [above_threshold(simulation, threshold / 10).coverage for threshold in range(11)]
    assert coverages[0] == 1
    assert coverages == sorted(coverages, reverse=True)


def test_bits_are_binary_logarithms() -> None:
    assert bits_per_character(np.log([0.5, 0.25, 0.125, 0.25])) == pytest.approx(2.0)


# The report.

EVALUATION = Evaluation(
    phrases=2,
    words=1234,
    characters=7000,
    queries=7000,
    bits_per_character=math.inf,
    accuracy_top_1=0.5,
    accuracy_top_3=0.75,
    savings={1: 0.25, 3: 0.375, 5: 0.44},
    reciprocal_ranks=((1234, 0.125), (1000, 0.25), (0, math.nan)),
    first=(AboveThreshold(0.1, 0.5, 0.75), AboveThreshold(0.9, math.nan, 0.0)),
    ghost=AboveThreshold(0.2, 0.625, 0.5),
    calibration=(Bin(0.3, 0.4, 10), Bin(math.nan, math.nan, 0)),
    calibration_error=0.1,
    median_milliseconds=0.5,
    slow_milliseconds=4.25,
    exact=1.0,
)


def printed(evaluation: Evaluation, **options: object) -> str:
    console = Console(file=io.StringIO(), **{"width": 80} | options)  # type: ignore[arg-type]
    console.print(evaluation_report(evaluation, "small on text.txt"))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_report_fits_a_narrow_terminal_and_a_pipe() -> None:
    plain = printed(EVALUATION)
    assert "\x1b" not in plain
    for width in (80, 160):
        assert max(map(len, printed(EVALUATION, width=width).rstrip().splitlines())) <= width
    rows = {" ".join(line.split()) for line in plain.splitlines()}
    assert "bits per character ∞" in rows
    assert any(row.startswith("3 37.5 % ━") for row in rows)
    assert "1 / rank 0.125 0.250 -" in rows
    assert "0.2 62.5 % 50.0 % ghost text of the prompt" in rows
    assert "0.9 - 0.0 %" in rows
    assert "right, by probability" in plain


def test_no_color_leaves_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[32m" in printed(EVALUATION, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed(EVALUATION, force_terminal=True, color_system="standard")


def test_json_has_null_for_what_is_no_number() -> None:
    fields = json.loads(json.dumps(EVALUATION.to_json(), allow_nan=False))
    assert fields["bits_per_character"] is None
    assert fields["savings"] == {"1": 0.25, "3": 0.375, "5": 0.44}
    assert fields["reciprocal_ranks"][2] == {"typed": 2, "words": 0, "mean": None}
    assert fields["ghost"] == {"threshold": 0.2, "precision": 0.625, "coverage": 0.5}


def test_picture_is_svg_and_replaces_a_former_one(tmp_path: Path) -> None:
    picture = tmp_path / "report.svg"
    picture.write_text("former")
    refuse_unwritable(picture, "--svg", ".svg")
    write_picture(evaluation_report(EVALUATION, "small on text.txt"), "evaluate", picture, "--svg")
    assert ElementTree.fromstring(picture.read_text(encoding="utf-8")).tag.endswith("svg")
    assert "Keystroke" in picture.read_text(encoding="utf-8")


def test_place_for_no_picture_is_refused(tmp_path: Path) -> None:
    for path, problem in [
        (tmp_path, "not a file"),
        (tmp_path / "none" / "x.svg", "no folder"),
        (tmp_path / "x.png", "does not end in .svg"),
    ]:
        with pytest.raises(SettingsError, match=f"{problem}.* --svg"):
            refuse_unwritable(path, "--svg", ".svg")


# The whole, with a real checkpoint. These need `Predictor.score`.


def test_predictor_is_evaluated_phrase_by_phrase() -> None:
    predictor = Predictor(CHECKPOINT, LEXICON)
    read: list[str] = []

    def reading() -> Iterator[str]:
        for phrase in ["my name", "don't i try a triangle"]:
            read.append(phrase)
            yield phrase

    evaluation = evaluate(predictor, reading(), 0.2)
    assert len(read) == evaluation.phrases == 2
    assert (evaluation.words, evaluation.characters) == (7, 29)
    assert evaluation.queries == 29
    assert 0 < evaluation.savings[1] <= evaluation.savings[3] <= evaluation.savings[5] < 1
    assert evaluation.savings[5] == savings(simulate(predictor, ["my name", "don't i try a triangle"]), 5)
    assert 0 < evaluation.bits_per_character < 10
    assert 0 < evaluation.accuracy_top_1 <= evaluation.accuracy_top_3 <= 1
    assert 0 < evaluation.median_milliseconds <= evaluation.slow_milliseconds
    assert evaluation.exact == 1
    assert evaluation.ghost.threshold == 0.2
    assert evaluation.ghost == next(each for each in evaluation.first if each.threshold == 0.2)

    scores = [predictor.score(text) for text in ["My name", "Don't I try a triangle"]]
    assert sum(len(log_probabilities) for log_probabilities, _ in scores) == 29 + 2
    bits = -sum(log_probabilities.sum() for log_probabilities, _ in scores) / math.log(2)
    assert evaluation.bits_per_character == pytest.approx(bits / 31)
    assert evaluation.accuracy_top_1 == pytest.approx(sum((ranks == 0).sum() for _, ranks in scores) / 31)
    assert evaluation.accuracy_top_3 == pytest.approx(sum((ranks <= 2).sum() for _, ranks in scores) / 31)


def test_every_phrase_is_scored_once_as_it_is_typed() -> None:
    scored: list[str] = []

    class Listening(Predictor):
        def score(self, line: str) -> tuple[np.ndarray, np.ndarray]:
            scored.append(line)
            return super().score(line)

    evaluate(Listening(CHECKPOINT, LEXICON), ["my name", "i don't"], 0.2)
    assert scored == ["My name", "I don't"]


# The command, as a process. These need `Predictor.score` too.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a checkpoint, a text, and files that are none."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_checkpoint(folder / "checkpoints" / "small", CHECKPOINT, LEXICON)
    (folder / "text.txt").write_text("My name.\nI don't try a triangle!\n***\nMy, my…\n")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "numbers.txt").write_text("12\n")
    (folder / "latin.txt").write_bytes(b"na\xefve")
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autocomplete", "evaluate", *arguments, "--checkpoint", "small"]
    environment = os.environ | {"COLUMNS": "80", "PYTHONWARNINGS": "error"} | environment
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment)


def test_command_prints_one_object(folder: Path) -> None:
    completed = run(folder, "text.txt", "--json")
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    answer = json.loads(completed.stdout)
    assert (answer["text"], answer["checkpoint"], answer["members"]) == ("text.txt", "small", "mixture")
    assert (answer["phrases"], answer["words"], answer["characters"]) == (3, 9, 34)
    assert list(answer["savings"]) == ["1", "3", "5"]
    assert json.loads(run(folder, "text.txt", "--json", "--limit", "1").stdout)["characters"] == 7
    assert json.loads(run(folder, "text.txt", "--json", "--members", "lexicon").stdout)["bits_per_character"] is None


def test_command_prints_a_report_and_draws_it(folder: Path) -> None:
    completed = run(folder, "text.txt", "--svg", "report.svg")
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    assert "small (mixture) on text.txt" in completed.stdout
    assert "\x1b" not in completed.stdout
    assert ElementTree.parse(folder / "report.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["none.txt"], ["none.txt: ", "No such file"]),
        (["checkpoints"], ["checkpoints: ", "folder"]),
        (["empty.txt"], ["empty.txt: ", "empty"]),
        (["numbers.txt"], ["numbers.txt: ", "no letters"]),
        (["latin.txt"], ["latin.txt: ", "UTF-8"]),
        (["text.txt", "--limit", "0"], ["--limit"]),
        (["text.txt", "--svg", "checkpoints"], ["checkpoints: ", "not a file"]),
        (["text.txt", "--svg", "none/x.svg"], ["none/x.svg: ", "no folder"]),
    ],
    ids=" ".join,
)
def test_mistake_is_told_in_one_line(folder: Path, arguments: list[str], parts: list[str]) -> None:
    completed = run(folder, *arguments)
    assert completed.returncode == 2
    assert completed.stdout == ""
    assert len(completed.stderr.splitlines()) == 1, completed.stderr
    assert completed.stderr.startswith("autocomplete: ")
    for part in parts:
        assert part in completed.stderr
