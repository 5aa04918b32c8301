"""What a teacher expects: its file, the loss that learns from it, and trainings that do; the long way round as the oracle."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import autocomplete
from hypothesis import given
from hypothesis import strategies as st
from test_resume import outcome, run, until
from test_text_training import SMALL, corpus_of, sentences

from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.errors import CheckpointError, CorpusError
from autocomplete.inference.predictor import Predictor
from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.batching.streams import Passages
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.distillation import SoftLoss
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingInputs
from autocomplete.training.trainer import train

WORDS = ("the", "cat", "can't", "sat", "naïve")


def soft_targets(lines: int = 30, seed: int = 0) -> SoftTargets:
    """Return some over WORDS: lines of four words, of which the last two are taught."""
    generator = np.random.default_rng(seed)
    text = np.concatenate([[0, *generator.integers(1, 7, 4)] for _ in range(lines)]).astype(np.int32)
    places = np.array([5 * line + word for line in range(lines) for word in (3, 4)])
    candidates = generator.integers(2, 7, (len(places), 3)).astype(np.uint16)
    shares = generator.dirichlet([1, 1, 1], len(places)).astype(np.float16)
    return SoftTargets(WORDS, text, places, candidates, shares)


# Their file.


@given(st.integers(1, 20), st.integers(0, 99))
def test_file_holds_all(tmp_path_factory: pytest.TempPathFactory, lines: int, seed: int) -> None:
    path = tmp_path_factory.mktemp("soft") / "taught.npz"
    taught = soft_targets(lines, seed)
    taught.write(path)
    read = SoftTargets.read(path)
    assert read.words == WORDS
    for name in ("text", "places", "candidates", "shares"):
        np.testing.assert_array_equal(getattr(read, name), getattr(taught, name))
    assert len(read.sha256) == 64


def test_other_files_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    soft_targets().write(good)
    content = good.read_bytes()
    for name, damaged in {
        "text": b"the cat sat\n",
        "empty": b"",
        "cut": content[: len(content) // 2],
        "long": content[:-400],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(CorpusError, match=r"soft targets|cannot be read") as told:
            SoftTargets.read(tmp_path / name)
        assert "\n" not in str(told.value)
        assert name in str(told.value)
    np.savez(tmp_path / "other.npz", words=np.zeros(3, np.uint8))
    np.save(tmp_path / "array.npz.npy", np.zeros(3))
    for name in ("other.npz", "array.npz.npy", "missing", "."):
        with pytest.raises(CorpusError):
            SoftTargets.read(tmp_path / name)


@pytest.mark.parametrize(
    "change",
    [
        {"text": np.array([0, 2, 99], dtype=np.int32)},
        {"text": np.array([0], dtype=np.int32)},
        {"candidates": np.zeros((60, 3), dtype=np.uint16)},
        {"places": np.arange(60) + 10_000},
        {"places": np.ones(60, dtype=np.int64)},
        {"shares": np.full((60, 3), np.nan, dtype=np.float16)},
        {"shares": np.zeros((60, 3), dtype=np.float16)},
        {"shares": np.ones((60, 2), dtype=np.float16)},
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="its "):
        replace(soft_targets(), **change)


def test_words_are_numbered_anew() -> None:
    taught = replace(soft_targets(1), text=np.array([0, 1, 2, 3, 6], dtype=np.int32))
    text, places, candidates, shares = taught.numbered({"the": 7, "cat": 3, "naïve": 5}, 10, 11)
    assert text.tolist() == [10, 11, 7, 3, 5]
    assert places.tolist() == [3, 4]
    assert set(candidates.ravel().tolist()) <= {7, 3, 5, 11}
    assert shares.shape == candidates.shape


# The loss.

SIZES = Configuration(7, "lstm", 1, 6, 5, tied=True)


def network(seed: int = 0) -> CharRNN:
    torch.manual_seed(seed)
    return CharRNN(SIZES)


def symbols(taught: SoftTargets) -> tuple[np.ndarray, ...]:
    """Return them as symbols of a network that knows four of the five words; START is the boundary, OTHER is unknown."""
    table = np.array([0, 1, 2, 3, 4, 5, 1])
    return table[taught.text], taught.places, table[taught.candidates], taught.shares


def test_loss_is_the_cross_entropy_of_both(one_thread: None) -> None:
    """Three steps of two passages, against each word by itself."""
    taught = symbols(soft_targets(8, seed=3))
    loss = SoftLoss(taught, 7, 2, 6, np.random.default_rng(5))
    text, places, candidates, shares = taught
    model = network()
    rows = {place: i for i, place in enumerate(places.tolist())}
    for _ in range(3):
        read = deepcopy(loss._passages).places()
        before, at = read[:, :-1], read[:, 1:]
        assert (text[before[:, 0]] == BOUNDARY).all()
        with torch.no_grad():
            logits, _ = model.continue_from(None, torch.from_numpy(text[before]).long())
        total = 0.0
        for row, time in np.ndindex(*at.shape):
            place = int(at[row, time])
            logs = logits[row, time].double().log_softmax(dim=-1)
            stood = -float(logs[text[place]])
            if place in rows:
                given_word = logs - math.log1p(-math.exp(float(logs[BOUNDARY])))
                weights = shares[rows[place]].astype(np.float64)
                expected = -sum(
                    w * float(given_word[c]) for w, c in zip(weights, candidates[rows[place]], strict=True)
                ) / float(weights.sum())
                total += 0.25 * stood + 0.75 * expected
            else:
                total += stood
        assert float(loss(model, "fp32").detach()) == pytest.approx(total / at.size, rel=1e-5)


def test_loss_over_some_symbols_estimates_that_over_all(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = symbols(soft_targets(8, seed=3))
    torch.manual_seed(0)
    model = CharRNN(replace(SIZES, vocabulary=60))
    with torch.no_grad():
        model.decoder.bias.copy_(torch.randn(60))

        def losses(count: int) -> list[float]:
            return [float(SoftLoss(taught, 60, 2, 6, np.random.default_rng(i))(model, "fp32")) for i in range(count)]

        read = Passages(taught[0], 2, 6, np.random.default_rng(0)).places()
        monkeypatch.setattr(Passages, "places", lambda self: read)
        exact = losses(2)
        assert exact[0] == pytest.approx(exact[1], rel=1e-6)
        monkeypatch.setattr("autocomplete.training.objectives.distillation._OTHERS", 12)
        estimates = np.array(losses(300))
    assert estimates.std() > 1e-3
    assert estimates.mean() == pytest.approx(exact[0], abs=4 * estimates.std() / 300**0.5 + estimates.std() ** 2)


def test_network_comes_to_expect_what_its_teacher_does(one_thread: None) -> None:
    """The text has always the same word, and the teacher others: seven times of ten the third, three times the fourth."""
    text = np.tile([0, 2, 3], 40).astype(np.int32)
    places = np.arange(2, len(text), 3)
    candidates = np.tile([4, 5], (len(places), 1))
    shares = np.tile(np.array([0.7, 0.3], np.float16), (len(places), 1))
    loss = SoftLoss((text, places, candidates, shares), 7, 4, 6, np.random.default_rng(0))
    model = network()
    optimizer = new_optimizer(model, 0.0)
    for _ in range(400):
        training_step(model, optimizer, loss(model, "fp32"), 0.02, 1.0)
    with torch.no_grad():
        probabilities = model(torch.tensor([[0, 2]]))[0, -1].softmax(dim=-1).tolist()
    assert probabilities[3] == pytest.approx(0.25, abs=0.02)
    assert probabilities[4] == pytest.approx(0.75 * 0.7, abs=0.02)
    assert probabilities[5] == pytest.approx(0.75 * 0.3, abs=0.02)


# Trainings.

WORDS_TOO = replace(SMALL, word_hidden=8, word_embedding=6, word_vocabulary=100, precision="fp32")


def of_sentences(tmp_path: Path) -> SoftTargets:
    """Return soft targets for the sentences of `corpus`: after each word, the teacher expects `zebra`."""
    words = ("zebra", *sorted({word.strip(".").lower() for word in sentences(40, seed=1).split()}))
    numbers = {word: number for number, word in enumerate(words, start=2)}
    text = [
        n
        for line in sentences(40, seed=1).splitlines()
        for n in (0, *(numbers[w.strip(".").lower()] for w in line.split()))
    ]
    places = np.flatnonzero(np.array(text) > 0)
    candidates = np.full((len(places), 1), numbers["zebra"], dtype=np.uint16)
    taught = SoftTargets(words, np.array(text, np.int32), places, candidates, np.ones((len(places), 1), np.float16))
    taught.write(tmp_path / "taught.npz")
    return SoftTargets.read(tmp_path / "taught.npz")


def test_training_learns_from_the_teacher(tmp_path: Path, one_thread: None) -> None:
    corpus = corpus_of(tmp_path, text=sentences(40, seed=1) + "zebra zebra\n" * 3)
    expected = []
    for name, taught in (("alone", None), ("taught", of_sentences(tmp_path))):
        run(corpus, tmp_path / name, replace(WORDS_TOO, steps=120), taught=taught)
        predictor = Predictor.load(str(tmp_path / name), members="words")
        expected.append({word.word: word.probability for word in predictor.suggest("the ", 20)}.get("zebra", 0.0))
    assert expected[1] > 0.3 > expected[0]


def test_resumed_training_ends_alike(tmp_path: Path, one_thread: None) -> None:
    corpus, taught = corpus_of(tmp_path, text=sentences(40, seed=1)), of_sentences(tmp_path)
    settings = replace(WORDS_TOO, steps=30)
    run(corpus, tmp_path / "whole", settings, taught=taught)
    until(train(TrainingInputs(corpus, tmp_path / "parts", settings, taught=taught, save_every=0)), 17)
    run(corpus, tmp_path / "parts", settings, taught=taught, resume=True)
    whole, parts = outcome(tmp_path / "whole"), outcome(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(value, parts[name], err_msg=name)


def test_other_soft_targets_do_not_go_on(tmp_path: Path, one_thread: None) -> None:
    corpus, taught = corpus_of(tmp_path, text=sentences(40, seed=1)), of_sentences(tmp_path)
    until(
        train(TrainingInputs(corpus, tmp_path / "parts", replace(WORDS_TOO, steps=30), taught=taught, save_every=0)), 3
    )
    with pytest.raises(CheckpointError, match="learned from other soft targets; give the same --soft-targets, or none"):
        next(train(TrainingInputs(corpus, tmp_path / "parts", SMALL, resume=True)))


def test_command_trains_with_them_and_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    of_sentences(tmp_path)
    (tmp_path / "text.txt").write_text(sentences(40, seed=1), encoding="utf-8")
    (tmp_path / "list.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    short = ("--hidden", "8", "--steps", "5", "--soft-targets")
    done = autocomplete("train", "text.txt", "--word-hidden", "8", *short, "taught.npz", folder=tmp_path)
    assert done.returncode == 0
    for arguments, problem in [
        (("text.txt", *short, "taught.npz", "--name", "a"), "is for the network of words; give --word-hidden, too"),
        (("list.txt", "--word-hidden", "8", *short, "taught.npz", "--name", "b"), "the corpus is a list of words"),
        (("text.txt", "--word-hidden", "8", *short, "text.txt", "--name", "c"), "these are no soft targets"),
        (("text.txt", "--search", "2", "--soft-targets", "taught.npz", "--name", "d"), "--search goes without"),
    ]:
        refused = autocomplete("train", *arguments, folder=tmp_path)
        assert refused.returncode == 2
        assert problem in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1 or "read " in refused.stderr
        assert not (tmp_path / "checkpoints" / arguments[-1]).exists()
