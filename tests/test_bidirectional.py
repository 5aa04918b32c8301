"""The bidirectional network: in torch, in numpy, and as a model of what stands in a gap."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_checkpoint

from autocomplete.errors import CheckpointError
from autocomplete.inference.predictor import Predictor
from autocomplete.inference.search import Budget, Search
from autocomplete.models.bidirectional import BidirectionalNetwork
from autocomplete.models.gaps import GapOfLetters, GapOfWord
from autocomplete.models.known_words import KnownWords
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.models.within_word import WithinWord
from autocomplete.storage.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from autocomplete.storage.configuration import Cell
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.networks.bidirectional import BidirectionalRNN

CELLS: list[Cell] = ["rnn", "gru", "lstm"]
ALPHABET = ["abcdefghij '"]


def checkpoint_of(cell: Cell = "lstm", layers: int = 1, words: list[str] = ALPHABET) -> Checkpoint:
    return random_checkpoint(words, cell, layers, hidden=12, bidirectional=True)


def in_torch(checkpoint: Checkpoint) -> BidirectionalRNN:
    model = BidirectionalRNN(checkpoint.configuration).eval()
    model.load_state_dict({n: torch.from_numpy(t.astype(np.float32)) for n, t in checkpoint.tensors.items()})
    return model


def in_numpy(checkpoint: Checkpoint) -> BidirectionalNetwork:
    return BidirectionalNetwork(checkpoint.configuration, checkpoint.tensors)


def symbols(checkpoint: Checkpoint, time: int, seed: int = 1) -> list[int]:
    return np.random.default_rng(seed).integers(2, checkpoint.configuration.vocabulary, time).tolist()


@torch.no_grad()
def asked(model: BidirectionalRNN, left: list[int], right: list[int], kind: str) -> np.ndarray:
    """Return (vocabulary,) log probabilities between two sides, by torch; what stands between them is never read."""
    forward = model.read(torch.tensor([[BOUNDARY, *left]]))[0][0, -1]
    backward = model.read(torch.tensor([[*right, BOUNDARY]]))[1][0, 0]
    return model.answer(forward, backward, kind).log_softmax(dim=-1).numpy()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_place_of_a_line_is_answered_from_its_two_sides_alone(cell: Cell, layers: int) -> None:
    """One pass over a whole line gives what its two sides give by themselves: the letter between them does not matter."""
    checkpoint = checkpoint_of(cell, layers)
    model, line = in_torch(checkpoint), symbols(checkpoint, 9)
    with torch.no_grad():
        forward, backward = model.read(torch.tensor([[BOUNDARY, *line, BOUNDARY]]))
        for kind in ("letter", "word"):
            whole = model.answer(forward[0, :-2], backward[0, 2:], kind).log_softmax(dim=-1).numpy()
            for place in range(len(line)):
                apart = asked(model, line[:place], line[place + 1 :], kind)
                np.testing.assert_allclose(whole[place], apart, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("rounded", [False, True])
def test_numpy_gives_the_log_probabilities_of_torch(tmp_path: Path, cell: Cell, layers: int, rounded: bool) -> None:
    checkpoint = checkpoint_of(cell, layers)
    if rounded:
        halves = {name: tensor.astype(np.float16) for name, tensor in checkpoint.tensors.items()}
        write_checkpoint(tmp_path / "mine", replace(checkpoint, tensors=halves), {})
        checkpoint = read_checkpoint(tmp_path / "mine")
    network, model = in_numpy(checkpoint), in_torch(checkpoint)
    for left, right in [
        ([], []),
        (symbols(checkpoint, 5), []),
        (symbols(checkpoint, 3), symbols(checkpoint, 7, seed=2)),
    ]:
        states = network.forward.top(network.left(left)), network.backward.top(network.right(right))
        for kind in ("letter", "word"):
            found = network.log_probabilities(*states, kind)[0]
            np.testing.assert_allclose(found, asked(model, left, right, kind), rtol=0, atol=1e-5)
            assert np.exp(found).sum() == pytest.approx(1, abs=1e-5)


def test_each_side_changes_the_answer() -> None:
    checkpoint = checkpoint_of()
    model, left, right = in_torch(checkpoint), symbols(checkpoint, 4), symbols(checkpoint, 4, seed=2)
    answer = asked(model, left, right, "letter")
    assert np.abs(answer - asked(model, left[::-1], right, "letter")).max() > 1e-3
    assert np.abs(answer - asked(model, left, right[::-1], "letter")).max() > 1e-3
    assert np.abs(answer - asked(model, left, right, "word")).max() > 1e-3


def test_letters_in_a_row_are_a_proper_distribution_and_the_search_finds_the_best_of_all() -> None:
    """The oracle is every spelling, each letter asked for by torch between those before it and unknown ones after it."""
    checkpoint = checkpoint_of()
    model, network = in_torch(checkpoint), in_numpy(checkpoint)
    left, right = symbols(checkpoint, 2), symbols(checkpoint, 3, seed=2)
    letters = checkpoint.vocabulary.word_symbols()[1]
    chosen = np.flatnonzero(letters).tolist()
    probabilities = {}
    for spelling in product(chosen, repeat=3):
        log_probability = 0.0
        for place, symbol in enumerate(spelling):
            missing = [UNKNOWN] * (2 - place)
            logs = asked(model, left + list(spelling[:place]), missing + right, "letter")
            log_probability += logs[symbol] - np.logaddexp.reduce(logs[chosen])
        probabilities[spelling] = np.exp(log_probability)
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-4)
    search = Search(SearchTree(GapOfLetters(network, left, right, 3, letters)), ROOT, 20, budget=Budget(10_000))
    found = [(word.suffix, word.probability) for word in search]
    assert search.exact
    best = sorted(probabilities.items(), key=lambda item: -item[1])[:20]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in best], rtol=1e-4)
    assert {word for word, _ in found} == {word for word, _ in best}


def test_known_words_in_a_gap_are_found_best_first_with_the_probability_of_their_spelling() -> None:
    checkpoint = checkpoint_of()
    model, network, vocabulary = in_torch(checkpoint), in_numpy(checkpoint), checkpoint.vocabulary
    words = ["a", "ab", "abba", "bad", "cab", "dab", "face", "hedge", "jig", "aid"]
    left, right = vocabulary.encode("a bad "), vocabulary.encode(" cafe")
    inside, begin = vocabulary.word_symbols()[1], vocabulary.word_symbols()[0]
    expected = {}
    for word in words:
        log_probability, ids = 0.0, vocabulary.encode(word)
        for place, symbol in enumerate(ids):
            logs = asked(model, left + ids[:place], right, "word")
            log_probability += logs[symbol]
        ends = 1 - np.exp(asked(model, left + ids, right, "word"))[inside].sum()
        expected[word] = np.exp(log_probability) * ends
    assert begin.sum() == inside.sum() - 1  # the apostrophe begins none
    gap = GapOfWord(network, left, right)
    lexicon = Lexicon(words, [1.0] * len(words), vocabulary)
    known = KnownWords(WithinWord(gap, gap.start(), vocabulary), lexicon)
    search = Search(SearchTree(known), ROOT, len(words))
    found = {vocabulary.decode(word.suffix): word.probability for word in search}
    assert list(found) == sorted(expected, key=lambda word: -expected[word])
    for word, probability in found.items():
        assert probability == pytest.approx(expected[word], rel=1e-3)


def test_checkpoint_says_that_it_reads_both_ways(tmp_path: Path) -> None:
    checkpoint = checkpoint_of(layers=2)
    write_checkpoint(tmp_path / "mine", checkpoint, {})
    read = read_checkpoint(tmp_path / "mine")
    assert read.configuration.bidirectional
    assert read.configuration.parameters == sum(tensor.size for tensor in checkpoint.tensors.values())
    assert read.configuration.parameters == sum(read.configuration.layer_parameters().values())
    assert set(read.configuration.shapes()) == set(in_torch(checkpoint).state_dict())


def test_checkpoint_that_reads_both_ways_predicts_nothing_that_comes_next() -> None:
    with pytest.raises(CheckpointError, match="autocomplete fill"):
        Predictor(checkpoint_of(), {})
