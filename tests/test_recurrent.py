"""The cells in numpy against the same network in torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_checkpoint

from autocomplete.models.protocol import States, gather
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from autocomplete.storage.configuration import Cell
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.networks.recurrent import CharRNN

CELLS: list[Cell] = ["rnn", "gru", "lstm"]
ALPHABET = ["abcdefghijklmnopqrstuvwxyz"]


def in_numpy(checkpoint: Checkpoint) -> RecurrentNetwork:
    return RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)


@torch.no_grad()
def in_torch(checkpoint: Checkpoint, words: np.ndarray) -> np.ndarray:
    """Return (batch, time + 1, vocabulary) log-probabilities before each symbol of the words and after the last."""
    model = CharRNN(checkpoint.configuration).eval()
    model.load_state_dict(
        {name: torch.from_numpy(tensor.astype(np.float32)) for name, tensor in checkpoint.tensors.items()}
    )
    inputs = np.concatenate([np.full((len(words), 1), BOUNDARY), words], axis=1)
    return model(torch.from_numpy(inputs)).log_softmax(dim=-1).numpy()


def walk(network: RecurrentNetwork, words: np.ndarray) -> np.ndarray:
    """Return the same, stepping through all words at once."""
    states = gather(network.start(), [0] * len(words))
    answers = [network.log_probabilities(states)]
    for symbols in words.T:
        states = network.step(states, symbols)
        answers.append(network.log_probabilities(states))
    return np.stack(answers, axis=1)


def random_words(checkpoint: Checkpoint, batch: int, time: int = 20) -> np.ndarray:
    return np.random.default_rng(7).integers(0, checkpoint.configuration.vocabulary, (batch, time))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 7])
def test_numpy_gives_the_log_probabilities_of_torch(cell: Cell, layers: int, batch: int) -> None:
    checkpoint = random_checkpoint(ALPHABET, cell, layers, hidden=24, seed=layers)
    words = random_words(checkpoint, batch)
    np.testing.assert_allclose(walk(in_numpy(checkpoint), words), in_torch(checkpoint, words), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_so_it_does_after_rounding_to_fp16_and_a_visit_to_the_disk(tmp_path: Path, cell: Cell, layers: int) -> None:
    checkpoint = random_checkpoint(ALPHABET, cell, layers, hidden=24)
    rounded = replace(checkpoint, tensors={name: t.astype(np.float16) for name, t in checkpoint.tensors.items()})
    write_checkpoint(tmp_path / "mine", rounded, {})
    words = random_words(checkpoint, 5)
    after = walk(in_numpy(read_checkpoint(tmp_path / "mine")), words)
    np.testing.assert_allclose(after, in_torch(rounded, words), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_rows_of_a_batch_do_not_touch_each_other(cell: Cell) -> None:
    checkpoint = random_checkpoint(ALPHABET, cell, 2)
    network = in_numpy(checkpoint)
    words = random_words(checkpoint, 9)
    together = walk(network, words)
    for row in range(len(words)):
        np.testing.assert_allclose(walk(network, words[row : row + 1])[0], together[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_probabilities_sum_to_one(cell: Cell) -> None:
    checkpoint = random_checkpoint(ALPHABET, cell, 1, seed=3)
    answers = walk(in_numpy(checkpoint), random_words(checkpoint, 4))
    np.testing.assert_allclose(np.exp(answers).sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_leaves_the_states_before_it_as_they_were(cell: Cell) -> None:
    network = in_numpy(random_checkpoint(ALPHABET, cell, 2))
    before: States = network.start()
    kept = tuple(array.copy() for array in before)
    first = network.log_probabilities(network.step(before, [3]))
    network.step(before, [4])
    for array, copy in zip(before, kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(network.log_probabilities(network.step(before, [3])), first)


@pytest.mark.parametrize("cell", CELLS)
def test_states_that_are_driven_far_stay_finite(cell: Cell) -> None:
    checkpoint = random_checkpoint(ALPHABET, cell, 1)
    large = replace(checkpoint, tensors={name: 100 * tensor for name, tensor in checkpoint.tensors.items()})
    assert np.isfinite(walk(in_numpy(large), random_words(large, 4, time=50))).all()
