"""The words that a network of words does not know: their shares, how those are learned, and the vectors from which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import autocomplete
from hypothesis import given
from hypothesis import strategies as st
from oracles import word_log_probabilities
from test_context import (
    CHECKPOINT,
    CONTEXT,
    KEYS,
    ROWS,
    estimate_of,
    lines,
    next_words,
    torch_of,
)
from test_context import LEXICON as CONTEXT_LEXICON
from test_context import TEXT as CONTEXT_TEXT
from test_resume import run, until
from test_text_training import SMALL, corpus_of

from autocomplete.corpus.word_vectors import WordVectors
from autocomplete.errors import CheckpointError, CorpusError
from autocomplete.inference.predictor import Predictor
from autocomplete.models.class_softmax import PREFIX, ClassSoftmax
from autocomplete.models.word_network import WordNetwork
from autocomplete.storage.byte_matrix import dequantize, packed, quantize
from autocomplete.storage.checkpoint import read_context
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.settings import TrainingInputs
from autocomplete.training.trainer import train
from autocomplete.training.words.class_softmax import _Learner, learn_tail

# Shares.


def random_tail(others: np.ndarray, embedding: int, width: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the tensors of a tail."""
    generator = np.random.default_rng(seed)
    return {
        "words": others.astype(np.int32),
        "numbers": generator.integers(-5, 6, (width, len(others))).astype(np.int8),
        "weight": generator.normal(0, 0.3, (width, embedding)).astype(np.float16),
        "bias": generator.normal(0, 0.3, width).astype(np.float16),
    }


@given(st.integers(0, 999), st.integers(1, 12), st.integers(0, 12))
def test_shares_are_a_softmax_of_frequency_and_product(seed: int, words: int, known: int) -> None:
    """Each word by itself, in double precision; some words have no numbers, and then their frequency is all there is."""
    generator = np.random.default_rng(seed)
    unigrams = generator.dirichlet(np.ones(words)).astype(np.float32) + np.float32(1e-6)
    rows = generator.permutation(words)[: min(known, words - 1)]
    others = np.setdiff1d(np.arange(words), rows)
    numbered = generator.permutation(others)[: generator.integers(0, len(others) + 1)]
    tensors = random_tail(numbered, 4, seed=seed)
    outputs = generator.normal(size=4).astype(np.float32)
    tail = ClassSoftmax(unigrams, rows, tensors)
    assert tail.words.tolist() == others.tolist()
    assert tail.width == 4
    query = tensors["weight"].astype(np.float64) @ outputs + tensors["bias"]
    scores = []
    for word in others.tolist():
        place = np.flatnonzero(tensors["words"] == word)
        score = float(tensors["numbers"][:, place[0]] @ query) if len(place) else 0.0
        scores.append(float(unigrams[word]) * math.exp(score))
    np.testing.assert_allclose(tail.shares(outputs[None])[0], np.array(scores) / sum(scores), rtol=1e-3, atol=1e-9)


def test_without_numbers_shares_are_those_of_unigrams() -> None:
    tail = ClassSoftmax(np.array([0.5, 0.2, 0.3], np.float32), np.array([0]), {})
    assert tail.words.tolist() == [1, 2]
    assert tail.width is None
    np.testing.assert_allclose(tail.shares(np.zeros((1, 7), np.float32))[0], [0.4, 0.6], rtol=1e-6)


def test_packed_weights_are_those_that_they_were_rounded_to() -> None:
    unigrams, rows = np.full(6, 1 / 6, np.float32), np.array([2])
    tensors = random_tail(np.array([0, 1, 3, 4, 5]), 4)
    outputs = np.arange(4, dtype=np.float32)
    every = quantize(tensors)
    assert packed(every)["numbers"].tolist() == tensors["numbers"].tolist()  # they are whole already
    expected = ClassSoftmax(unigrams, rows, dequantize(every)).shares(outputs[None])
    np.testing.assert_array_equal(ClassSoftmax(unigrams, rows, packed(every)).shares(outputs[None]), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"words": np.array([0, 1], np.int32)},
        {"words": np.array([0, 1, 9], np.int32)},
        {"words": np.array([0, 1, -1], np.int32)},
        {"bias": np.zeros(4, np.float16)},
        {"weight": np.zeros((2, 4), np.float16)},
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, np.ndarray]) -> None:
    tensors = random_tail(np.array([0, 1, 3]), 4)
    with pytest.raises(ValueError, match="its class-based softmax has"):
        ClassSoftmax(np.full(5, 0.2, np.float32), np.array([2, 4]), {**tensors, **change})


# Beside a network.

OTHERS = np.setdiff1d(np.arange(len(KEYS)), ROWS)
SIZES = Configuration(**CONTEXT[1]["configuration"])
TAILED = {f"network.{PREFIX}{name}": array for name, array in random_tail(OTHERS, SIZES.embedding).items()}


def by_word_network(tensors: Mapping[str, np.ndarray], numbers: Sequence[int]) -> np.ndarray:
    """Return what a network of words expects after the ids of a line, which begin with a beginning if the line does."""
    network = WordNetwork(SIZES, named(tensors, "network."), tensors["ngrams.unigrams"])
    states = network.start()
    for number in numbers[numbers[0] == len(KEYS) :]:
        states = network.step(states, [number])
    return network.probabilities(states)[0]


@given(lines)
def test_unknown_symbol_is_divided_as_the_outputs_in_torch_say(text: str) -> None:
    numbers = next_words().numbers(text)
    own = {number: place for place, number in enumerate(ROWS.tolist(), start=2)} | {len(KEYS): BOUNDARY}
    symbols = [own.get(number, UNKNOWN) for number in numbers]
    model = torch_of(SIZES, {name: array for name, array in named(CONTEXT[0], "network.").items() if name != "rows"})
    with torch.no_grad():
        read = torch.tensor([symbols if symbols[0] == BOUNDARY else [BOUNDARY, *symbols]])
        answer = model(read)[0, -1].softmax(dim=-1).double().numpy()
        outputs = model.projected(None, read)[0][0, -1].numpy()
    tail = ClassSoftmax(CONTEXT[0]["ngrams.unigrams"], ROWS, named(named(TAILED, "network."), PREFIX))
    expected = np.zeros(len(KEYS))
    expected[ROWS] = answer[2:]
    expected[OTHERS] = answer[UNKNOWN] * tail.shares(outputs[None])[0]
    found = by_word_network({**CONTEXT[0], **TAILED}, numbers)
    np.testing.assert_allclose(found, expected / (1 - answer[BOUNDARY]), rtol=1e-3, atol=1e-6)


def test_next_word_is_as_probable_as_torch_finds_it() -> None:
    tensors = {**CONTEXT[0], **TAILED}
    text = "there sat a cat on a monday"
    numbers = [len(KEYS), *map(KEYS.index, text.split())]
    assert {numbers[i] for i in range(1, len(numbers))} & set(OTHERS.tolist())
    found = word_log_probabilities(SIZES, named(tensors, "network."), [numbers], estimate_of(CONTEXT_TEXT))
    others_of_unigrams = next_words()
    differ = False
    for place, word in enumerate(text.split()):
        before = " ".join([*text.split()[:place], ""])
        expected = by_word_network(tensors, numbers[: place + 1])[KEYS.index(word)]
        assert found[place] == pytest.approx(math.log(expected), abs=1e-3)
        differ |= abs(expected - others_of_unigrams.distribution(before, "words")[0][KEYS.index(word)]) > 1e-3
    assert differ


@pytest.mark.parametrize("name", [f"network.{PREFIX}{name}" for name in ("words", "numbers", "weight", "bias")])
def test_tail_that_lacks_a_part_is_refused(name: str) -> None:
    tensors = {other: array for other, array in {**CONTEXT[0], **TAILED}.items() if other != name}
    with pytest.raises(CheckpointError, match="does not fit the rest of it"):
        Predictor(CHECKPOINT, CONTEXT_LEXICON, (tensors, CONTEXT[1]))


def test_tail_of_a_network_of_another_size_is_refused() -> None:
    other = {f"network.{PREFIX}{name}": array for name, array in random_tail(OTHERS, SIZES.embedding + 1).items()}
    with pytest.raises(CheckpointError, match="does not fit"):
        Predictor(CHECKPOINT, CONTEXT_LEXICON, ({**CONTEXT[0], **other}, CONTEXT[1]))


# Learning.

LEXICON, KNOWN = 60, 4  # words, of which the network knows the first


def untrained() -> tuple[Configuration, dict[str, np.ndarray]]:
    """Return a network of words with random weights, which tells contexts apart all the same."""
    torch.manual_seed(3)
    configuration = Configuration(KNOWN + 2, "lstm", 1, 24, 12, tied=True)
    tensors = {name: tensor.numpy() for name, tensor in CharRNN(configuration).state_dict().items()}
    return configuration, dequantize(quantize(tensors)) | {"rows": np.arange(KNOWN, dtype=np.int32)}


def two_kinds(seed: int, *, told_apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """
    Return a text, in which after 0 comes a word of one kind and after 1 one of another, and vectors that tell the kind of each.

    Of either kind, half of the words never stand in the text.
    """
    generator = np.random.default_rng(seed)
    kinds = np.arange(LEXICON) % 2
    vectors = generator.normal(0, 0.5, (LEXICON, 5)).astype(np.float32)
    vectors[:, 0] += np.where(kinds == 1, 2.0, -2.0)
    text = []
    for _ in range(3_000):
        first = int(generator.integers(2))
        kind = first if told_apart else int(generator.integers(2))
        text += [LEXICON, first, int(generator.choice(np.arange(KNOWN + kind, LEXICON // 2, 2)))]
    return np.array(text, np.int32), vectors


def test_words_that_no_text_has_are_told_apart_by_their_vectors(one_thread: None) -> None:
    network = untrained()
    text, vectors = two_kinds(0, told_apart=True)
    unigrams = np.full(LEXICON, 1 / LEXICON, np.float32)
    tensors = learn_tail(network, [text], unigrams, vectors, np.ones(LEXICON, bool), seed=0)
    assert tensors[f"{PREFIX}numbers"].dtype == np.int8
    tail = ClassSoftmax(unigrams, network[1]["rows"], named(tensors, PREFIX))
    model = torch_of(network[0], {name: array for name, array in network[1].items() if name != "rows"}).float()
    unseen = tail.words >= LEXICON // 2
    for first in (0, 1):
        with torch.no_grad():
            outputs = model.projected(None, torch.tensor([[BOUNDARY, first + 2]]))[0][0, -1].numpy()
        shares = tail.shares(outputs[None])[0]
        right = tail.words % 2 == first
        assert shares[right].sum() > 0.9
        assert shares[right & unseen].sum() > 5 * shares[~right & unseen].sum()


def test_rounded_numbers_give_the_shares_that_were_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tenth of the step, all is nearly as it was before it was turned, scaled and rounded."""
    monkeypatch.setattr("autocomplete.training.words.class_softmax._STEP", 0.02)
    monkeypatch.setattr("autocomplete.training.words.class_softmax._LOG_STEP", 0.005)
    torch.manual_seed(1)
    outputs = 3 + 2 * torch.randn(500, 7) @ torch.randn(7, 7)
    logs = torch.randn(20).log_softmax(dim=0)
    learner = _Learner(torch.randn(20, 5), logs, outputs).eval()
    with torch.no_grad():
        learner.scale.fill_(0.9)
        learner.numbers[-1].weight.mul_(3)
        learner.numbers[-1].bias.normal_(std=0.1)
        numbers = learner.numbers(learner._vectors)
        query = learner.query((outputs - outputs.mean(dim=0)) / outputs.std(dim=0).square().mean().sqrt())
        expected = (query @ numbers[:, :-1].T + numbers[:, -1] + 0.9 * logs).softmax(dim=-1).numpy()
    assert expected.std(axis=0).max() > 0.01
    tail = ClassSoftmax(
        np.append(logs.exp().numpy(), np.float32(1)), np.array([20]), _tensors(learner._rounded(outputs), 20)
    )
    found = tail.shares(outputs.numpy())
    np.testing.assert_allclose(found, expected, atol=0.01, rtol=0.1)


def _tensors(rounded: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    return {"words": np.arange(count)} | named(rounded, PREFIX)


def test_it_is_the_same_each_time(one_thread: None) -> None:
    text, vectors = two_kinds(0, told_apart=True)
    arguments = [text], np.full(LEXICON, 1 / LEXICON, np.float32), vectors, np.ones(LEXICON, bool)
    first, again = (learn_tail(untrained(), *arguments, seed=4) for _ in range(2))
    assert first.keys() == again.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])


def test_what_does_not_help_is_not_kept(one_thread: None) -> None:
    """Neither words that come by chance, nor too few of them, nor vectors of other words."""
    counted, vectors = two_kinds(1, told_apart=False)
    unigrams = (np.bincount(counted, minlength=LEXICON + 1)[:LEXICON] + 1e-3).astype(np.float32)
    every = np.ones(LEXICON, bool)
    unigrams /= unigrams.sum()
    assert learn_tail(untrained(), [counted], unigrams, np.zeros_like(vectors) + vectors[:1], every, seed=0) == {}
    text, vectors = two_kinds(0, told_apart=True)
    assert learn_tail(untrained(), [text[:300]], unigrams, vectors, every, seed=0) == {}
    assert learn_tail(untrained(), [text], unigrams, vectors, ~every, seed=0) == {}


# Vectors.

words = st.lists(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6), min_size=1, max_size=8, unique=True
)


@given(words, st.integers(2, 4), st.booleans(), st.data())
def test_file_of_vectors_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], size: int, header: bool, data: st.DataObject
) -> None:
    row = st.lists(st.floats(-9, 9, width=32), min_size=size, max_size=size)
    numbers = data.draw(st.lists(row, min_size=len(names), max_size=len(names)))
    path = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    rows = [" ".join([name, *map(repr, row)]) for name, row in zip(names, numbers, strict=True)]
    path.write_text("\n".join([f"{len(names)} {size}"] * header + rows) + "\n", encoding="utf-8")
    read = WordVectors.read(path)
    assert read.words == tuple(names)
    np.testing.assert_array_equal(read.numbers, np.array(numbers, dtype=np.float32))
    vectors, known = read.of(["no such word", *reversed(names)])
    assert known.tolist() == [False, *[True] * len(names)]
    np.testing.assert_array_equal(vectors[1:], read.numbers[::-1])
    assert not vectors[0].any()


def test_first_vector_of_a_word_counts(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("a 1 2\nb 3 4\na 5 6\n", encoding="utf-8")
    vectors, _ = WordVectors.read(tmp_path / "v.txt").of(["a"])
    assert vectors.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a 1 2\nb 3\n", "line 2 is not a word and 2 numbers"),
        (b"a 1 2\nb 3 x\n", "line 2 is not a word and 2 numbers"),
        (b"a 1 2\n\nb 3 4\n", "line 2 is not"),
        (b"a 1 nan\n", "line 1 is not a word and its numbers"),
        (b"the cat sat\n", "line 1 is not a word and its numbers"),
        (b"a 1 2\n\xff 1 2\n", "line 2 is not"),
        (b"", "has no words"),
        (b"2 5\n", "has no words"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(CorpusError, match=problem) as told:
        WordVectors.read(tmp_path / "v.txt")
    assert str(told.value).startswith(f"{tmp_path / 'v.txt'}: ")
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["missing", "."])
def test_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        WordVectors.read(tmp_path / name)


# Trainings.

FEW_WORDS = replace(SMALL, word_hidden=8, word_embedding=6, word_vocabulary=100, precision="fp32")


def named_words(letter: str, count: int) -> list[str]:
    """Return words that begin with a letter."""
    return [letter + first + second for first in "aeiou" for second in "bcdfghklmnprstvwxz"][:count]


def text_of_kinds(count: int) -> str:
    """Return lines of two words: after one that begins with `m` comes one with `s`, after `n` one with `t`, all of these rare."""
    generator = np.random.default_rng(0)
    lines = []
    for _ in range(count):
        first, second = ("m", "s") if generator.random() < 0.5 else ("n", "t")
        lines.append(f"{generator.choice(named_words(first, 50))} {generator.choice(named_words(second, 70))}\n")
    return "".join(lines)


def vectors_of(folder: Path, seed: int = 0) -> WordVectors:
    """Return vectors for words of that text, by which those are alike that begin alike."""
    generator = np.random.default_rng(seed)
    by_letter = {letter: generator.normal(size=6).round(3) for letter in "mnst"}
    path = folder / f"vectors{seed}.txt"
    rows = [[word, *map(str, vector)] for letter, vector in by_letter.items() for word in named_words(letter, 70)]
    path.write_text("".join(" ".join(row) + "\n" for row in rows), encoding="utf-8")
    return WordVectors.read(path)


def test_training_learns_from_vectors_where_it_ends(tmp_path: Path, one_thread: None) -> None:
    """The checkpoint has what was learned; with other vectors, or none, a run does not go on."""
    corpus = corpus_of(tmp_path, text=text_of_kinds(2_000))
    run(corpus, tmp_path / "whole", replace(FEW_WORDS, steps=60), vectors=vectors_of(tmp_path))
    tensors, _ = read_context(tmp_path / "whole") or ({}, {})
    tail = named(tensors, f"network.{PREFIX}")
    assert len(tail["words"]) > 3
    assert tail["numbers"].shape == (len(tail["bias"]), len(tail["words"]))
    until(
        train(
            TrainingInputs(
                corpus, tmp_path / "parts", replace(FEW_WORDS, steps=60), vectors=vectors_of(tmp_path), save_every=0
            )
        ),
        9,
    )
    with pytest.raises(CheckpointError, match="began with other word vectors; give the same --word-vectors, or none"):
        next(train(TrainingInputs(corpus, tmp_path / "parts", SMALL, resume=True)))
    # A training that uses the network as it is keeps what it had learned so, word by word.
    run(corpus, tmp_path / "later", replace(SMALL, steps=5, precision="fp32"), source=tmp_path / "whole")
    later = named((read_context(tmp_path / "later") or ({}, {}))[0], f"network.{PREFIX}")
    assert later.keys() == tail.keys()
    for name in ("numbers", "weight", "bias"):
        np.testing.assert_array_equal(later[name], tail[name])


def test_command_trains_with_them_and_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    vectors_of(tmp_path)
    (tmp_path / "text.txt").write_text(text_of_kinds(2_000), encoding="utf-8")
    (tmp_path / "list.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    short = ("--hidden", "8", "--steps", "5", "--word-vocabulary", "100", "--word-vectors")
    done = autocomplete("train", "text.txt", "--word-hidden", "8", *short, "vectors0.txt", folder=tmp_path)
    assert done.returncode == 0
    assert f"network.{PREFIX}words" in (read_context(tmp_path / "checkpoints/text") or ({}, {}))[0]
    for arguments, problem in [
        (("text.txt", *short, "vectors0.txt", "--name", "a"), "is for the network of words; give --word-hidden, too"),
        (("list.txt", "--word-hidden", "8", *short, "vectors0.txt", "--name", "b"), "the corpus is a list of words"),
        (("text.txt", "--word-hidden", "8", *short, "text.txt", "--name", "c"), "is not a word and its numbers"),
        (("text.txt", "--search", "2", "--word-vectors", "vectors0.txt", "--name", "d"), "--search goes without"),
    ]:
        refused = autocomplete("train", *arguments, folder=tmp_path)
        assert refused.returncode == 2
        assert problem in refused.stderr
        assert not (tmp_path / "checkpoints" / arguments[-1]).exists()
