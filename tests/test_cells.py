"""What the demonstration takes apart, an unrolled network and a step of a cell, against torch and the numpy of the prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from autocomplete.lab.training import sample_words, train_on_batch, train_on_words, word_rows
from autocomplete.lab.unrolled import count_parameters, unroll, walk
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.training.networks.recurrent import CharRNN

CELLS: list[Cell] = ["rnn", "gru", "lstm"]
LAYERS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
WORDS = ["name", "game", "tea"]
VOCABULARY = Vocabulary.from_words(WORDS)


def trained(cell: Cell, layers: int = 1, steps: int = 20) -> CharRNN:
    configuration = Configuration(len(VOCABULARY), cell, layers, hidden=5, embedding=4)
    return train_on_words(configuration, WORDS, VOCABULARY, steps)[0]


def in_numpy(model: CharRNN) -> RecurrentNetwork:
    return RecurrentNetwork(
        model.configuration, {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    )


@pytest.mark.parametrize(
    ("cell", "inputs", "parts", "total", "torch_total"),
    [
        ("rnn", 4, (12, 9, 3), 24, 27),
        ("rnn", 10, (30, 9, 3), 42, 45),
        ("lstm", 4, (48, 36, 12), 96, 108),
        ("gru", 4, (36, 27, 9), 72, 81),
    ],
)
def test_parameters_are_those_worked_out_by_hand(
    cell: Cell, inputs: int, parts: tuple[int, int, int], total: int, torch_total: int
) -> None:
    count = count_parameters(cell, inputs, 3)
    assert (count.input, count.recurrent, count.bias) == parts
    assert count.total == total
    assert count.torch == torch_total


@pytest.mark.parametrize("cell", CELLS)
def test_torch_has_one_bias_more_for_each_gate(cell: Cell) -> None:
    layer = LAYERS[cell](7, 5)
    count = count_parameters(cell, 7, 5)
    assert count.torch == sum(parameter.numel() for parameter in layer.parameters())
    assert count.torch - count.total == count.bias == layer.bias_hh_l0.numel()
    assert count.input == layer.weight_ih_l0.numel()
    assert count.recurrent == layer.weight_hh_l0.numel()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_unrolled_states_are_those_of_torch(cell: Cell, layers: int) -> None:
    model = trained(cell, layers)
    inputs, _ = word_rows(WORDS, VOCABULARY)
    unrolled = unroll(model, inputs)
    with torch.no_grad():
        embedded = model.embedding(inputs)
        outputs, last = model.recurrent(embedded)
        logits = model(inputs)
    assert unrolled.states.shape == (layers, len(WORDS), inputs.shape[1] + 1, 5)
    np.testing.assert_array_equal(unrolled.states[:, :, 0], 0)
    np.testing.assert_allclose(unrolled.states[-1][:, 1:], outputs, rtol=0, atol=1e-6)
    np.testing.assert_allclose(unrolled.states[:, :, -1], last[0] if cell == "lstm" else last, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(unrolled.embedded, embedded)
    np.testing.assert_allclose(unrolled.logits, logits, rtol=0, atol=1e-5)
    np.testing.assert_allclose(unrolled.probabilities, logits.softmax(-1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_unrolled_states_are_those_of_the_prompt(cell: Cell, layers: int) -> None:
    model = trained(cell, layers)
    inputs, _ = word_rows(["name"], VOCABULARY)
    unrolled = unroll(model, inputs)
    network = in_numpy(model)
    states = network.start()
    for time, symbol in enumerate(inputs[0].tolist()):
        states = states if time == 0 else network.step(states, [symbol])
        hidden = states[:: len(states) // layers]  # an LSTM has its cells between them
        np.testing.assert_allclose(np.concatenate(hidden), unrolled.states[:, 0, time + 1], rtol=0, atol=1e-5)
        np.testing.assert_allclose(network.probabilities(states)[0], unrolled.probabilities[0, time], rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_in_numbers_is_the_one_that_torch_takes(cell: Cell) -> None:
    model = trained(cell)
    inputs, _ = word_rows(["name"], VOCABULARY)
    steps = walk(model, inputs[0]).steps
    unrolled = unroll(model, inputs)
    np.testing.assert_array_equal(steps[0].before, 0)
    for time, step in enumerate(steps):
        np.testing.assert_allclose(step.after, unrolled.states[0, 0, time + 1], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(step.input, unrolled.embedded[0, time])
        if time:
            np.testing.assert_array_equal(step.before, steps[time - 1].after)


def test_the_parts_of_a_step_add_up() -> None:
    inputs, _ = word_rows(["name"], VOCABULARY)
    seen = walk(trained("rnn"), inputs[0])
    for step in seen.steps:
        np.testing.assert_allclose(seen.input_weights @ step.input, step.parts["letter"], atol=1e-6)
        np.testing.assert_allclose(seen.recurrent_weights @ step.before, step.parts["memory"], atol=1e-6)
        np.testing.assert_allclose(np.tanh(step.parts["sum"]), step.after, atol=1e-6)
    for step in walk(trained("lstm"), inputs[0]).steps:
        parts = step.parts
        kept = parts["forget"] * parts["cell before"] + parts["input"] * parts["candidate"]
        np.testing.assert_allclose(kept, parts["cell"], atol=1e-6)
        np.testing.assert_allclose(parts["output"] * np.tanh(parts["cell"]), step.after, atol=1e-6)
    for step in walk(trained("gru"), inputs[0]).steps:
        update = step.parts["update"]
        np.testing.assert_allclose(update * step.before + (1 - update) * step.parts["candidate"], step.after, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_shown_does_not_change_when_the_network_learns_on(cell: Cell) -> None:
    model = trained(cell)
    inputs, targets = word_rows(WORDS, VOCABULARY)
    before, walked = unroll(model, inputs), walk(model, inputs[0])
    kept = [before.states.copy(), before.embedded.copy(), walked.input_weights.copy(), walked.steps[-1].input.copy()]
    for _ in train_on_batch(model, (inputs, targets), 3):
        pass
    now = [before.states, before.embedded, walked.input_weights, walked.steps[-1].input]
    for array, copy in zip(now, kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert not np.array_equal(unroll(model, inputs).states, before.states)


def test_words_are_a_batch_filled_up_with_boundaries() -> None:
    inputs, targets = word_rows(["tea", "name"], VOCABULARY, filler=BOUNDARY)
    assert [VOCABULARY.decode(row) for row in inputs.tolist()] == ["tea", "name"]
    assert inputs[:, 0].tolist() == [BOUNDARY] * 2
    assert targets[0].tolist() == [*VOCABULARY.encode("tea"), BOUNDARY, BOUNDARY]
    assert targets[1].tolist() == [*VOCABULARY.encode("name"), BOUNDARY]


def test_a_word_is_learned_and_made_up() -> None:
    vocabulary = Vocabulary.from_words(["name"])
    configuration = Configuration(len(vocabulary), "rnn", 2, hidden=8, embedding=4)
    model, batch = train_on_words(configuration, ["name"], vocabulary, steps=0)
    losses = list(train_on_batch(model, batch, 300))
    assert losses[0] > 1
    assert losses[-1] < 0.05
    assert sample_words(model, vocabulary, 3, seed=0) == ["name"] * 3
