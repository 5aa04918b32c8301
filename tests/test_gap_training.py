"""Trainings that learn to fill gaps: what is drawn for a step, and real runs of a second or less each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import autocomplete, interrupted_training
from hypothesis import given
from hypothesis import strategies as st

from autocomplete.cli.main import main
from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.errors import SettingsError
from autocomplete.inference.filling import Filler
from autocomplete.storage.checkpoint import CONTEXT, RESUME, read_checkpoint, read_lexicon
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.batching.gaps import GapBatch, Rows, Windows, hide_runs, rows_by_length, word_ends
from autocomplete.training.events import Finished, Progress
from autocomplete.training.networks.bidirectional import BidirectionalRNN
from autocomplete.training.objectives.gaps import GapLesson, gap_loss, measure_gaps
from autocomplete.training.processes import Processes
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

Make = Callable[[str | bytes], Corpus]

SMALL = TrainingSettings(
    bidirectional=True, hidden=16, embedding=8, draws=32, batch=4, bptt=24, steps=60, warmup=5, held_out=0.0,
    learning_rate=0.02, precision="fp32", patience=99,
)  # fmt: skip
LIST = "name\t50\ntriangle\t30\nmy\t20\ntrial\t9\nMonday\t7\ntried\t3\nnames\t2\nmany\t1\nangle\t1\nlane\t1\n"
TEXT = "the name of the king\nthe end of the day\nthe rest of the night\n" * 10

pytestmark = pytest.mark.usefixtures("one_thread")


def run(corpus: Corpus, folder: Path, settings: TrainingSettings = SMALL, **options) -> Finished:
    *_, finished = train(TrainingInputs(corpus, folder, settings, **options))
    assert isinstance(finished, Finished)
    return finished


def weights(folder: Path) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in read_checkpoint(folder).tensors.items()}


# What is read, and what is asked for

rows_of_letters = st.lists(st.lists(st.sampled_from([0, 2, 3, 4]), min_size=8, max_size=8), min_size=1, max_size=3)
INSIDE = np.array([False, False, False, True, True])  # 0 a boundary, 1 unknown, 2 a space


@given(rows_of_letters)
def test_a_word_has_ended_at_the_first_symbol_that_is_no_letter(rows: list[list[int]]) -> None:
    symbols = np.array(rows)
    expected = np.zeros_like(symbols)
    for row, ids in enumerate(rows):
        for place in range(1, len(ids)):
            if INSIDE[ids[place]] or INSIDE[ids[place - 1]]:
                following = [at for at in range(place, len(ids)) if not INSIDE[ids[at]]]
                expected[row, place] = following[0] if following else 0
    np.testing.assert_array_equal(word_ends(symbols, INSIDE), expected)


def test_a_tenth_of_the_letters_is_hidden_in_runs_and_nothing_else() -> None:
    symbols = np.random.default_rng(0).integers(2, 5, (200, 100))
    hidden = hide_runs(symbols, INSIDE, np.random.default_rng(1))
    changed = hidden != symbols
    assert (hidden[changed] == UNKNOWN).all()
    assert INSIDE[symbols[changed]].all()
    assert 0.05 < changed[INSIDE[symbols]].mean() < 0.15
    letters = np.full((200, 100), 3)
    hidden = hide_runs(letters, INSIDE, np.random.default_rng(1)) == UNKNOWN
    assert hidden[:, 1:][hidden[:, :-1]].mean() > 0.5  # after a hidden letter mostly another


def test_half_of_the_windows_begin_where_a_line_begins_and_the_others_end_where_one_ends() -> None:
    ids = np.random.default_rng(0).choice([0, 2, 3, 4], 5_000, p=[0.1, 0.2, 0.35, 0.35])
    rows = Windows(ids, 40, 60, np.random.default_rng(0)).draw()
    assert rows.symbols.shape == (40, 60)
    assert (rows.symbols[::2, 0] == BOUNDARY).mean() > 0.8  # but for windows at the end of the text
    assert (rows.symbols[1::2, -1] == BOUNDARY).mean() > 0.8
    text = ids.tobytes()
    assert all(row.astype(ids.dtype).tobytes() in text for row in rows.symbols)


@pytest.mark.parametrize("length", [3, 10, 50])
def test_short_texts_are_read_whole(length: int) -> None:
    ids = np.full(length, 3)
    assert Windows(ids, 2, 60, np.random.default_rng(0)).draw().symbols.shape == (2, length)


def test_words_of_one_length_are_rows_with_a_boundary_at_each_end() -> None:
    ids, starts = np.array([3, 4, 4, 3, 3, 3]), np.array([0, 2, 3])
    parts = list(rows_by_length(ids, starts, np.array([2, 3, 6]), np.array([1.0, 2.0, 3.0])))
    assert [part.symbols.tolist() for part in parts] == [[[0, 4, 0]], [[0, 3, 4, 0]], [[0, 3, 3, 3, 0]]]
    assert [part.weights.tolist() for part in parts] == [[2.0], [1.0], [3.0]]


def test_loss_is_the_mean_over_gaps_of_letters_and_words_each_asked_for_by_itself() -> None:
    torch.manual_seed(0)
    model = BidirectionalRNN(replace(SMALL, hidden=8).configuration(5))
    row = [0, 3, 4, 2, 3, 2, 0]  # ab a
    batch = GapBatch.of(Rows(np.array([row, row[::-1]]), np.ones(2)), INSIDE)
    losses = []
    with torch.no_grad():
        for ids in (row, row[::-1]):
            forward, backward = model.read(torch.tensor([ids]))
            ends = word_ends(np.array([ids]), INSIDE)[0]
            asked = [(place, place + 1, "letter") for place in range(1, len(ids) - 1)]
            asked += [(place, int(end), "word") for place, end in enumerate(ends) if end]
            for place, right, kind in asked:
                logits = model.answer(forward[0, place - 1], backward[0, right], kind)
                losses.append(-logits.log_softmax(dim=-1)[ids[place]])
        assert gap_loss(model, batch, "fp32").item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
        measured = measure_gaps(model, [Rows(np.array([row, row[::-1]]), np.ones(2))], INSIDE)
    total = sum(kind["bits_per_character"] * kind["asked"] for kind in measured.values()) * np.log(2)
    assert total == pytest.approx(torch.stack(losses).sum().item(), rel=1e-5)


def test_processes_read_different_rows_that_together_are_those_of_one(make_corpus: Make) -> None:
    corpus = make_corpus(TEXT)

    def rows(rank: int, count: int, batch: int) -> np.ndarray:
        processes = Processes(rank, count, torch.device("cpu"))
        settings = replace(SMALL, batch=batch)
        lesson = GapLesson(corpus, settings, np.random.default_rng(0), processes=processes)
        return lesson._windows[0].draw().symbols

    together = np.concatenate([rows(0, 2, 4), rows(1, 2, 4)])
    np.testing.assert_array_equal(together, rows(0, 1, 8))


# Runs


def test_a_list_is_learned_and_its_gaps_are_filled(make_corpus: Make, tmp_path: Path) -> None:
    finished = run(make_corpus(LIST), tmp_path / "mine", replace(SMALL, steps=80))
    filler = Filler.load(str(tmp_path / "mine"))
    for line, filled in [
        ("na_e", "name"),
        ("tri_ngle", "triangle"),
        ("tria_", "trial"),
        ("M_nday", "Monday"),
        ("tr__ngle", "triangle"),
    ]:
        assert filler.fill(line).fills[0].line == filled
    assert filler.fill("[ ]").fills[0].texts == ("name",)
    for kind in ("training", "held_out"):
        figures = finished.figures[kind]
        assert 0.5 < figures["accuracy_top_1"] <= figures["accuracy_top_3"] <= 1
    assert not (tmp_path / "mine" / RESUME).exists()


def test_a_text_is_learned_and_its_missing_words_are_found(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(TEXT)
    settings = replace(SMALL, hidden=32, batch=16, steps=300, held_out=0.1)
    finished = run(corpus, tmp_path / "mine", settings)
    filler = Filler.load(str(tmp_path / "mine"))
    for word, last in [
        ("name", "king"),
        ("end", "day"),
        ("rest", "night"),
    ]:  # what stands left is the same for all three
        assert filler.fill(f"the [ ] of the {last}").fills[0].texts == (word,)
        assert filler.fill(f"the {word} of the [ ]").fills[0].texts == (last,)
    assert filler.fill("the [ ] of t_e king", 1).fills[0].texts == ("name", "h")
    assert finished.figures["held_out_lines"] == 3
    assert finished.figures["held_out_word_gaps"]["asked"] > 0
    assert not (tmp_path / "mine" / CONTEXT).exists()
    assert set(read_lexicon(tmp_path / "mine")) == set(corpus.words)


@pytest.mark.parametrize("content", [LIST, TEXT])
@pytest.mark.parametrize("step", [1, 25])
def test_resumed_run_ends_with_the_weights_of_one_never_interrupted(
    make_corpus: Make, tmp_path: Path, content: str, step: int
) -> None:
    corpus, settings = make_corpus(content), replace(SMALL, steps=40, dropout=0.1, held_out=0.1)
    run(corpus, tmp_path / "whole", settings)
    asked = iter(range(1, 1_000))
    stopped = run(corpus, tmp_path / "parts", settings, should_stop=lambda: next(asked) == step)
    assert (stopped.reason, stopped.steps) == ("interrupted", step)
    assert read_checkpoint(tmp_path / "parts").configuration.bidirectional  # the best so far
    finished = run(corpus, tmp_path / "parts", resume=True)
    assert (finished.reason, finished.steps) == ("done", 40)
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")


def test_background_is_read_beside_the_text(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(TEXT)
    (tmp_path / "other.txt").write_text("a queen in the day\n" * 20)
    other = read_corpus([tmp_path / "other.txt"]).text
    losses = []
    for background in (None, other):
        events = list(
            train(TrainingInputs(corpus, tmp_path / str(len(losses)), replace(SMALL, steps=20), background=background))
        )
        losses.append([event.bits_per_character for event in events if isinstance(event, Progress)])
    assert losses[0] != losses[1]


def test_a_network_of_words_is_refused() -> None:
    with pytest.raises(SettingsError, match="word hidden"):
        replace(SMALL, word_hidden=8)


# The commands


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with words.txt, and a checkpoint that fills gaps and one that reads forward, trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "words.txt").write_text(LIST)
    sizes = ["--hidden", "12", "--embedding", "8", "--steps", "20"]
    for name, extra in [("gaps", ["--bidirectional"]), ("forward", [])]:
        completed = autocomplete("train", "words.txt", *extra, *sizes, "--name", name, folder=folder)
        assert completed.returncode == 0, completed.stderr
        (folder / f"{name}.out").write_text(completed.stdout + completed.stderr)
    return folder


def test_training_says_what_it_learns_and_how_to_try_it(trained: Path) -> None:
    output = (trained / "gaps.out").read_text()
    assert "1 x 12 LSTM both ways" in output
    assert "missing letter right" in output
    assert "letter right, word missing" in output
    assert "autocomplete fill --checkpoint gaps" in output
    assert "autocomplete type" not in output


def test_an_interrupted_training_goes_on(trained: Path) -> None:
    arguments = ["words.txt", "--bidirectional", "--hidden", "12", "--steps", "9000", "--name", "long"]
    status, errors = interrupted_training(*arguments, folder=trained)
    assert status == 130
    assert "go on with: autocomplete train words.txt --name long --resume" in errors
    assert (trained / "checkpoints" / "long" / RESUME).exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["train", "words.txt", "--bidirectional", "--from", "forward", "--name", "x"], ["--from", "--bidirectional"]),
        (["train", "words.txt", "--bidirectional", "--search", "2", "--name", "x"], ["--search", "--bidirectional"]),
        (["train", "words.txt", "--from", "gaps", "--name", "x"], ["both sides", "--from"]),
        (["suggest", "na", "--checkpoint", "gaps"], ["both sides", "autocomplete fill"]),
        (["evaluate", "words.txt", "--checkpoint", "gaps"], ["both sides", "autocomplete fill"]),
        (["fill", "na_e", "--checkpoint", "forward"], ["forward", "--bidirectional"]),
        (["fill", "name", "--checkpoint", "gaps"], ["no gap", "na_e"]),
        (["fill", "na_e", "--checkpoint", "gaps", "--top", "0"], ["--top is 0"]),
        (["fill", "na_e", "--checkpoint", "nowhere"], ["no such checkpoint"]),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    parts: list[str],
) -> None:
    monkeypatch.chdir(trained)
    with pytest.raises(SystemExit) as left:
        main(arguments)
    output, errors = capsys.readouterr()
    assert left.value.code == 2
    assert output == ""
    assert len(errors.splitlines()) == 1, errors
    for part in parts:
        assert part in errors
    assert not (trained / "checkpoints" / "x").exists()


def test_inspect_and_the_list_of_checkpoints_tell_the_two_apart(trained: Path) -> None:
    shown = autocomplete("inspect", "gaps", folder=trained).stdout
    for part in ("lstm 1 forward", "lstm 1 backward", "join, letter", "join, word", "24 → 24"):
        assert part in shown
    assert '"bidirectional": true' in autocomplete("inspect", "gaps", "--json", folder=trained).stdout
    assert "1 x 12 LSTM both ways" in autocomplete("checkpoints", folder=trained).stdout
