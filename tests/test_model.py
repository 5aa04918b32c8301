from __future__ import annotations

import numpy as np
import pytest
import torch

from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.training.batching.prefixes import PrefixBatch, Words
from autocomplete.training.networks.recurrent import CharRNN

CELLS: list[Cell] = ["rnn", "gru", "lstm"]
WORDS = ["name", "trial", "triangle", "tri", "a", "t"]
VOCABULARY = Vocabulary.from_words(WORDS)


def network(cell: Cell, layers: int, dropout: float = 0.0) -> CharRNN:
    torch.manual_seed(0)
    return CharRNN(Configuration(len(VOCABULARY), cell, layers, hidden=12, embedding=5), dropout)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_parameters_have_the_shapes_that_the_configuration_gives(cell: Cell, layers: int) -> None:
    model = network(cell, layers)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert shapes == model.configuration.shapes()
    assert sum(parameter.numel() for parameter in model.parameters()) == model.configuration.parameters


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_a_batch_of_prefixes_gives_what_each_word_alone_gives(cell: Cell, layers: int) -> None:
    model = network(cell, layers).eval()
    words = Words(WORDS, VOCABULARY)
    trie = words.trie(np.arange(len(words)), np.ones(len(words)))
    logits = model.over_prefixes(PrefixBatch.from_trie(trie))
    rows, edges = trie.character_words, trie.character_edges
    for row, place in enumerate(words.order):
        inputs = torch.tensor([[BOUNDARY, *VOCABULARY.encode(WORDS[place])]])
        of_word = torch.from_numpy(trie.sources[edges[rows == row]])
        torch.testing.assert_close(logits[of_word], model(inputs)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_batch_of_prefixes_has_the_gradient_of_its_words(cell: Cell) -> None:
    words = Words(WORDS, VOCABULARY)
    weights = np.arange(1.0, len(words) + 1)
    batch = PrefixBatch.from_trie(words.trie(np.arange(len(words)), weights))
    model = network(cell, 2)
    shared = -(model.over_prefixes(batch).log_softmax(-1)[batch.sources, batch.targets] @ batch.weights)
    shared.backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    model.zero_grad()
    alone = torch.zeros(())
    for place, weight in zip(words.order, weights, strict=True):
        ids = VOCABULARY.encode(WORDS[place])
        log_probabilities = model(torch.tensor([[BOUNDARY, *ids]]))[0].log_softmax(-1)
        alone = alone - weight * log_probabilities[torch.arange(len(ids) + 1), torch.tensor([*ids, BOUNDARY])].sum()
    alone.backward()
    torch.testing.assert_close(shared, alone, rtol=1e-5, atol=1e-5)
    for gradient, parameter in zip(gradients, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_words_begin_from_a_state_of_zeros(cell: Cell) -> None:
    model = network(cell, 2).eval()
    inputs = torch.tensor([[BOUNDARY, *VOCABULARY.encode("tri")]])
    zeros = torch.zeros(2, 1, 12)
    outputs, _ = model.recurrent(model.embedding(inputs), (zeros, zeros) if cell == "lstm" else zeros)
    torch.testing.assert_close(model(inputs), model.decoder(outputs))


def test_dropout_is_for_training_only() -> None:
    model = network("lstm", 2, dropout=0.5)
    inputs = torch.tensor([[BOUNDARY, *VOCABULARY.encode("tri")]])
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_lstm_remembers_at_first_and_recurrent_weights_are_orthogonal() -> None:
    parameters = dict(network("lstm", 1).recurrent.named_parameters())
    biases = parameters["bias_ih_l0"] + parameters["bias_hh_l0"]
    assert biases.tolist() == [0.0] * 12 + [1.0] * 12 + [0.0] * 24  # torch's order: i, f, g, o
    for gate in torch.split(parameters["weight_hh_l0"].detach(), 12):
        torch.testing.assert_close(gate @ gate.T, torch.eye(12), rtol=0, atol=1e-5)


def test_samples_are_words_of_the_alphabet_and_repeat_with_their_seed() -> None:
    model = network("gru", 1)
    samples = model.sample(20, torch.Generator().manual_seed(1), longest=6)
    assert samples == model.sample(20, torch.Generator().manual_seed(1), longest=6)
    assert samples != model.sample(20, torch.Generator().manual_seed(2), longest=6)
    assert len(samples) == 20
    assert all(len(word) <= 6 and BOUNDARY not in word for word in samples)
