"""Lines with gaps: how they are read, and how they are filled, with a small trained network and with the command."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from command_line import COMMAND, ENVIRONMENT, autocomplete
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.corpus.corpus import read_corpus
from autocomplete.errors import CheckpointError, SettingsError
from autocomplete.inference.blanks import Blank, read_blanks
from autocomplete.inference.filling import Filler, Filling, joined
from autocomplete.reports.tables import filling_table
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

TEXT = "the name of the king\nthe end of the day\nthe rest of the night\nMy cat and I\n" * 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint `mine` that fills gaps."""
    place = tmp_path_factory.mktemp("filling")
    (place / "text.txt").write_text(TEXT)
    settings = TrainingSettings(
        bidirectional=True,
        hidden=32,
        embedding=8,
        batch=16,
        bptt=24,
        steps=300,
        warmup=5,
        learning_rate=0.02,
        precision="fp32",
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in train(TrainingInputs(read_corpus([place / "text.txt"]), place / "checkpoints" / "mine", settings)):
        pass
    torch.set_num_threads(threads)
    return place


@pytest.fixture(scope="module")
def filler(folder: Path) -> Filler:
    return Filler.load(str(folder / "checkpoints" / "mine"))


# What is read


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("na_e", ["na", Blank(1), "e"]),
        ("__", [Blank(2)]),
        ("the [ ] of  the king ", ["the ", Blank(0), " of the king"]),
        ("[] [  ]", [Blank(0), " ", Blank(0)]),
        ("a_b [ ], c__", ["a", Blank(1), "b ", Blank(0), ", c", Blank(2)]),
        ("“[ ]”", ["“", Blank(0), "”"]),
    ],
)
def test_gaps_are_told_from_what_stands_there(line: str, parts: list[str | Blank]) -> None:
    assert read_blanks(line) == parts


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("name", "no gap in 'name'; write _ for a missing letter"),
        ("", "no gap in ''"),
        ("a[ ]b", "put a space between"),
        ("[ ]_", "put a space between"),
        ("_ " * 9, "are too many; leave out some, 8 are allowed"),
        ("_" * 13, "13 letters are missing in a row"),
        ("na_e " * 300, "1,499 characters"),
    ],
)
def test_lines_that_cannot_be_filled_are_refused(line: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        read_blanks(line)


@given(st.text(alphabet="ab_ []'é", max_size=30))
def test_any_line_is_read_or_refused_in_one_line(line: str) -> None:
    try:
        parts = read_blanks(line)
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert joined(parts, ()) == " ".join(line.split()).replace("[]", "[ ]")
        assert sum(isinstance(part, Blank) for part in parts) > 0


# How they are filled


@pytest.mark.parametrize(
    ("line", "filled"),
    [
        ("the na_e of the king", "the name of the king"),
        ("the n__e of the king", "the name of the king"),
        ("the [ ] of the king", "the name of the king"),
        ("the [ ] of the day", "the end of the day"),  # the left side is that of the line above
        ("the rest of the [ ]", "the rest of the night"),
        ("the [ ] of the n_ght", "the rest of the night"),
        ("the r_st of the [ ]", "the rest of the night"),
        ("the [ ] of the [ ]g", None),
        ("THE NA_E of the king", "THE NAME of the king"),
        ("[ ] cat and I", "my cat and I"),
        ("My cat and [ ]", "My cat and I"),
    ],
)
def test_both_sides_tell_what_is_missing(filler: Filler, line: str, filled: str | None) -> None:
    if filled is None:
        with pytest.raises(SettingsError):
            filler.fill(line)
        return
    filling = filler.fill(line, 3)
    assert filling.fills[0].line == filled
    probabilities = [fill.probability for fill in filling.fills]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1 + 1e-5
    assert filling.exact == (line.count("_") + line.count("[") - ("__" in line) == 1)


def test_all_letters_of_one_gap_share_one(filler: Filler) -> None:
    letters = filler.fill("na_e", 100)
    assert sum(fill.probability for fill in letters.fills) == pytest.approx(1, abs=1e-4)
    assert len({fill.texts for fill in letters.fills}) == len(letters.fills)


def test_several_gaps_have_the_product_of_what_each_has_given_those_before(filler: Filler) -> None:
    parts = read_blanks("the [ ] of the n_ght")
    best = filler.fill("the [ ] of the n_ght", 1).fills[0]
    first = dict(filler.candidates(*filler.sides(parts), 10)[0])[best.texts[0]]
    second = dict(filler.candidates(*filler.sides(parts, best.texts[:1]), 10)[0])[best.texts[1]]
    assert best.probability == pytest.approx(first * second, rel=1e-4)


def test_words_that_are_hidden_are_offered_only_where_that_is_wanted(filler: Filler, folder: Path) -> None:
    other = Filler(filler.checkpoint, {"name": 1.0, "end": 1.0}, hidden=["name"])
    assert [fill.texts for fill in other.fill("the [ ] of the king").fills] == [("end",)]


def test_without_a_lexicon_words_are_spelled_freely(filler: Filler) -> None:
    assert Filler(filler.checkpoint, {}).fill("the [ ] of the king").fills[0].texts == ("name",)


def test_unknown_characters_beside_a_gap_do_no_harm(filler: Filler) -> None:
    assert len(filler.fill("日本 [ ] of the 王").fills) == 5


# The command


def test_fillings_are_printed_and_lines_of_standard_input_are_answered(folder: Path) -> None:
    shown = autocomplete("fill", "the na_e of the king", "--checkpoint", "mine", "--top", "2", folder=folder)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == "the na_e of the king"
    assert lines[1].split() == ["probability", "gap", "line"]
    probability, *rest = lines[2].split()
    assert rest == ["m", "the", "name", "of", "the", "king"]
    assert all(line[15:18].strip() in ("gap", "m") or line[18:20] == "  " for line in lines[1:])
    assert 0 < float(probability) <= 1
    assert len(lines) == 4
    given = "the [ ] of the day\nthe r_st of the [ ]\n"
    answers = autocomplete("fill", "--json", "--checkpoint", "mine", folder=folder, input=given).stdout.splitlines()
    first, second = map(json.loads, answers)
    assert first["fills"][0]["gaps"] == ["end"]
    assert first["exact"] is True
    assert second["fills"][0]["line"] == "the rest of the night"
    assert len(second["fills"]) == 5
    assert 0 < second["fills"][0]["probability"] <= 1


def test_lines_of_standard_input_without_a_gap_are_told_and_the_others_answered(folder: Path) -> None:
    answered = autocomplete("fill", "--checkpoint", "mine", folder=folder, input="no gap\nthe r_st of the night\n\n")
    assert answered.returncode == 2
    assert answered.stdout.splitlines()[0] == "the r_st of the night"
    told = answered.stderr.splitlines()
    assert len(told) == 2
    assert told[0].startswith("autocomplete: line 1: no gap in 'no gap'; write _ for a missing letter")
    assert told[1].startswith("autocomplete: line 3: no gap in ''")


def test_each_gap_has_a_column_below_its_head(filler: Filler) -> None:
    text, head, *rows = filling_table(filler.fill("the [ ] of the n_ght", 3)).splitlines()
    assert text == "the [ ] of the n_ght"
    assert head.split("  ")[1:3] == ["probability", "gap 1"]
    for row, fill in zip(rows, filler.fill("the [ ] of the n_ght", 3).fills, strict=True):
        first, second, line = (row[head.index(name) :] for name in ("gap 1", "gap 2", "line"))
        assert (first.split()[0], second.split()[0]) == fill.texts
        assert line == fill.line
    assert filling_table(Filling("[ ]", (), exact=True)).splitlines()[1:] == ["  no word that is known fits"]


@pytest.mark.parametrize(
    ("command", "typed", "hint"),
    [
        (["fill", "--checkpoint", "mine"], "the na_e of the king", "_ for a missing letter"),
        (["suggest"], "my na", "a line;"),
    ],
)
def test_somebody_at_a_terminal_is_told_what_is_waited_for(
    folder: Path, command: list[str], typed: str, hint: str
) -> None:
    here, there = os.openpty()
    with subprocess.Popen(
        [*COMMAND, *command], cwd=folder, env=ENVIRONMENT, text=True,
        stdin=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        told = process.stderr.readline()
        assert hint in told
        assert "Ctrl-D ends" in told
        os.write(here, f"{typed}\n\x04".encode())
        output, errors = process.communicate(timeout=60)
    os.close(here)
    os.close(there)
    assert process.returncode == 0
    assert errors == ""
    assert output.splitlines()[0] == typed
    assert "name" in output
    piped = autocomplete(*command, folder=folder, input=typed + "\n")
    assert (piped.stdout, piped.stderr) == (output, "")


def test_forward_checkpoint_is_refused() -> None:
    with pytest.raises(CheckpointError, match="reads forward only"):
        Filler.load("english")
