"""A text read as streams: each symbol once and in order, as if in one go; and what is measured on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from bf16 import needs_bf16
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from autocomplete.models.protocol import gather
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.byte_matrix import dequantize, quantize
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.batching.streams import Passages, SampledLoss, Streams, choose_source, stream_loss
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.validation import bits_per_word, measure_text

CELLS: list[Cell] = ["rnn", "gru", "lstm"]
SYMBOLS = 12
CONFIGURATION = Configuration(SYMBOLS, "lstm", layers=1, hidden=8, embedding=6)
TIED = replace(CONFIGURATION, tied=True)


pytestmark = pytest.mark.usefixtures("one_thread")


def network(configuration: Configuration = CONFIGURATION, seed: int = 0) -> CharRNN:
    """Return a network whose answers differ from symbol to symbol; a tied one has its matrices as a checkpoint has them."""
    torch.manual_seed(seed)
    model = CharRNN(configuration).eval()
    for name, parameter in model.named_parameters():
        if not name.startswith("recurrent"):
            torch.nn.init.normal_(parameter, std=1.5 * configuration.hidden**-0.5 if "projection" in name else 0.7)
    if configuration.tied:
        weights = {name: value.numpy() for name, value in model.state_dict().items()}
        kept = dequantize(quantize(weights))
        model.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in kept.items()})
    return model


def in_numpy(model: CharRNN) -> RecurrentNetwork:
    tensors = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    return RecurrentNetwork(model.configuration, tensors)


def text(length: int, seed: int = 0, symbols: int = SYMBOLS) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, symbols, length).astype(np.int32)


def streams_of(ids: np.ndarray, batch: int, bptt: int, seed: int = 0) -> Streams:
    return Streams(ids, batch, bptt, np.random.default_rng(seed))


def passes(streams: Streams) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Yield the steps of each pass through the text: it begins where no state is carried on."""
    steps: list[tuple[Tensor, Tensor]] = []
    while True:
        inputs, targets, state = streams.next(0.0)
        if state is None and steps:
            yield steps
            steps = []
        steps.append((inputs, targets))
        streams.keep(torch.zeros(1, len(inputs), 1))


# Each symbol once, in order.


@given(st.integers(2, 300), st.integers(1, 9), st.integers(1, 12))
def test_pass_reads_each_symbol_of_a_row_once_and_in_order(length: int, batch: int, bptt: int) -> None:
    ids = np.arange(length, dtype=np.int32)
    for number, steps in enumerate(islice(passes(streams_of(ids, batch, bptt)), 3)):
        inputs, targets = (torch.cat(parts, dim=1).numpy() for parts in zip(*steps, strict=True))
        rows = len(inputs)
        assert rows == max(1, min(batch, length // (4 * bptt)))
        assert inputs.shape[1] == targets.shape[1] == length // rows - 1
        assert all(1 <= step.shape[1] <= bptt for step, _ in steps)
        assert all(step.shape[1] == bptt for step, _ in steps[:-1])
        read = np.concatenate([inputs[:, :1], targets], axis=1)
        np.testing.assert_array_equal(read[:, :-1], inputs)
        first = int(read[0, 0])
        assert number > 0 or first == 0
        # The rows side by side are the text, turned so that it begins elsewhere; the last few symbols that fill no row are left.
        np.testing.assert_array_equal(read.ravel(), np.roll(ids, -first)[: read.size])
        assert length - read.size < rows


def test_each_pass_begins_elsewhere() -> None:
    ids = np.arange(1000, dtype=np.int32)
    firsts = [int(steps[0][0][0, 0]) for steps in islice(passes(streams_of(ids, 4, 10)), 6)]
    assert firsts[0] == 0
    assert len(set(firsts)) > 3


@pytest.mark.parametrize("length", [2, 3, 5])
def test_text_of_a_few_symbols_is_read_over_and_over(length: int) -> None:
    streams = streams_of(np.arange(length, dtype=np.int32), batch=64, bptt=64)
    for steps in islice(passes(streams), 4):
        assert len(steps) == 1
        inputs, targets = steps[0]
        assert inputs.shape == targets.shape == (1, length - 1)
        assert ((targets - inputs) % length == 1).all()


def test_hidden_inputs_are_unknown_and_targets_are_not() -> None:
    ids = np.full(10_000, 5, dtype=np.int32)
    inputs, targets, _ = streams_of(ids, 4, 500).next(0.25)
    assert set(inputs.unique().tolist()) == {UNKNOWN, 5}
    assert (inputs == UNKNOWN).float().mean() == pytest.approx(0.25, abs=0.05)
    assert (targets == 5).all()


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_state_is_carried_on_as_if_the_text_were_read_in_one_go(cell: Cell) -> None:
    model = network(replace(CONFIGURATION, cell=cell, layers=2))
    ids = text(400)
    streams = streams_of(ids, 3, 7)
    answers = []
    while True:
        inputs, _, state = streams.next(0.0)
        if state is None and answers:
            break
        logits, state = model.continue_from(state, inputs)
        streams.keep(state)
        answers.append(logits)
    rows = torch.from_numpy(ids[:399].reshape(3, 133).astype(np.int64))
    np.testing.assert_allclose(torch.cat(answers, dim=1).numpy(), model(rows[:, :-1]).numpy(), rtol=0, atol=1e-5)


def test_losses_of_a_pass_add_up_to_that_of_the_whole_text() -> None:
    model = network()
    ids = text(300)
    streams = streams_of(ids, 2, 9)
    total, count = 0.0, 0
    while count < 298:
        loss, symbols = stream_loss(model, streams, 0.0, "fp32")
        total, count = total + float(loss.detach()) * symbols, count + symbols
    assert count == 298
    rows = torch.from_numpy(ids.reshape(2, 150).astype(np.int64))
    expected = functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    assert total / count == pytest.approx(float(expected.detach()), rel=1e-5)


def test_no_gradient_goes_back_beyond_a_step() -> None:
    model = network()
    streams = streams_of(text(300), 2, 9)
    stream_loss(model, streams, 0.0, "fp32")
    *_, state = streams.next(0.0)
    assert isinstance(state, tuple)
    assert not any(part.requires_grad for part in state)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("step", [0, 1, 5, 40])
def test_streams_are_resumed_where_they_were(tmp_path: Path, cell: Cell, step: int) -> None:
    """After 40 steps, the text has been begun again elsewhere."""
    model = network(replace(CONFIGURATION, cell=cell))
    ids = text(250)
    streams = streams_of(ids, 3, 5)
    for _ in range(step):
        stream_loss(model, streams, 0.1, "fp32")
    save_file(streams.tensors(), tmp_path / "streams.safetensors")
    resumed = Streams(ids, 3, 5, generator := np.random.default_rng(99))
    resumed.load(load_file(tmp_path / "streams.safetensors"), torch.device("cpu"))
    generator.bit_generator.state = streams._generator.bit_generator.state
    for _ in range(40):
        one, other = (stream_loss(model, each, 0.1, "fp32") for each in (streams, resumed))
        assert float(one[0].detach()) == float(other[0].detach())
        assert one[1] == other[1]


# The background.


# Passages.


@given(st.integers(2, 60), st.integers(1, 5), st.integers(1, 12), st.sets(st.integers(0, 59)))
def test_passages_are_of_the_text_and_begin_where_a_line_does(
    length: int, batch: int, bptt: int, begins: set[int]
) -> None:
    ids = np.arange(length) + 2
    ids[[place for place in begins if place < length]] = BOUNDARY
    passages = Passages(ids, batch, bptt, np.random.default_rng(0))
    around = np.append(ids, ids)
    for _ in range(3):
        places = passages.places()
        assert places.shape == (batch, bptt + 1)
        np.testing.assert_array_equal((places[:, :-1] + 1) % length, places[:, 1:])
        for place in places[:, 0]:  # else none begins within reach of where it was drawn
            assert ids[place] == BOUNDARY or BOUNDARY not in around[place : place + bptt + 1]
    inputs, targets, state = passages.next()
    assert state is None
    torch.testing.assert_close(inputs[:, 1:], targets[:, :-1])
    assert set(inputs.ravel().tolist()) <= {*ids.tolist()}


def test_passages_come_from_all_over_the_text() -> None:
    ids = np.tile([BOUNDARY, 2, 3, 4], 100)
    passages = Passages(ids, 8, 3, np.random.default_rng(0))
    seen = {int(place) for _ in range(200) for place in passages.places()[:, 0]}
    assert seen == set(range(0, 400, 4))
    inputs, targets, _ = passages.next()
    assert inputs.tolist() == [[BOUNDARY, 2, 3]] * 8
    assert targets.tolist() == [[2, 3, 4]] * 8


def test_network_that_reads_passages_knows_how_lines_begin() -> None:
    """The first word of a line is told by the last one of the line before; alone, all of them are as probable."""
    generator = np.random.default_rng(0)
    kinds = generator.integers(2, 8, 400)
    ids = np.ravel([[BOUNDARY, kind, 8, following] for kind, following in zip(kinds, np.roll(kinds, -1), strict=True)])
    alone = np.ravel([[BOUNDARY, kind] for kind in range(2, 8)])
    found = {}
    for kind, source in (("streams", streams_of(ids, 4, 8)), ("passages", Passages(ids, 4, 8, generator))):
        model = network(TIED)
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        loss = SampledLoss(np.bincount(ids, minlength=SYMBOLS), 20_000, generator)
        for _ in range(300):
            optimizer.zero_grad()
            loss(model, source, "fp32").backward()
            optimizer.step()
        found[kind] = bits_per_word(model, alone)
    assert found["passages"] < math.log2(6) + 0.2 < found["streams"]


def test_background_is_read_in_half_of_the_steps_and_less_and_less_towards_the_end() -> None:
    generator = np.random.default_rng(0)
    shares = [
        sum(choose_source([0, 1], progress, generator) for _ in range(5_000)) / 5_000
        for progress in (0.0, 0.5, 0.65, 0.8, 1.0)
    ]
    assert shares == pytest.approx([0.5, 0.5, 0.425, 0.35, 0.2], abs=0.03)


def test_without_a_background_nothing_is_drawn() -> None:
    generator, same = np.random.default_rng(0), np.random.default_rng(0)
    assert choose_source(["corpus"], 0.0, generator) == "corpus"
    assert generator.random() == same.random()


# What is measured.


def measured_by_hand(model: CharRNN, rows: np.ndarray, counted: list[int]) -> dict[str, float]:
    """Step through the rows, each after a boundary, with the numpy network; only some targets count."""
    answering = in_numpy(model)
    states = gather(answering.start(), [0] * len(rows))
    nats, ranks = [], []
    for column in range(1, rows.shape[1]):
        answers = answering.log_probabilities(states)
        for answer, symbol in zip(answers, rows[:, column].tolist(), strict=True):
            if symbol in counted:
                nats.append(-float(answer[symbol]))
                ranks.append(int((answer > answer[symbol]).sum()))
        states = answering.step(states, rows[:, column])
    return {
        "bits_per_character": sum(nats) / len(nats) / math.log(2),
        "accuracy_top_1": sum(rank < 1 for rank in ranks) / len(ranks),
        "accuracy_top_3": sum(rank < 3 for rank in ranks) / len(ranks),
    }


@pytest.mark.parametrize("configuration", [CONFIGURATION, TIED], ids=["untied", "tied"])
@pytest.mark.parametrize(("rows", "length", "time"), [(1, 50, 100), (1, 50, 49), (16, 25, 10)])
def test_bits_are_those_of_the_text_step_by_step(
    configuration: Configuration, rows: int, length: int, time: int
) -> None:
    model = network(configuration)
    ids = text(rows * length).reshape(rows, length)
    ids[:, 0] = BOUNDARY
    found = measure_text(model, ids.ravel(), time=time)
    assert found == pytest.approx(measured_by_hand(model, ids, list(range(SYMBOLS))), rel=1e-4)
    assert 0 < found["accuracy_top_1"] < found["accuracy_top_3"] < 1


@pytest.mark.parametrize(("rows", "time"), [(1, 100), (3, 100), (64, 7)])
def test_bits_of_lines_are_those_of_each_with_nothing_before_it(rows: int, time: int) -> None:
    model, ids = network(TIED), text(200, symbols=SYMBOLS - 2) + 2
    ids[[0, 9, 10, 30, 31, 80, 199]] = BOUNDARY  # lines of no word and of one among them
    ids[[5, 40, 41]] = UNKNOWN
    nats, words = 0.0, 0
    for line in np.split(ids, np.flatnonzero(ids == BOUNDARY)):
        if len(line) > 1:
            counted = [symbol for symbol in line.tolist() if symbol > UNKNOWN]
            nats += len(counted) * measured_by_hand(model, line[None], list(range(2, SYMBOLS)))["bits_per_character"]
            words += len(counted)
    assert bits_per_word(model, ids, time, rows) == pytest.approx(nats / words, rel=1e-4)
    assert bits_per_word(model, np.append(ids[3:9], ids), time, rows) == pytest.approx(nats / words, rel=1e-4)


def test_text_with_nothing_to_count_has_no_bits() -> None:
    assert bits_per_word(network(TIED), np.array([BOUNDARY, UNKNOWN, BOUNDARY])) == 0
    assert bits_per_word(network(TIED), np.array([], dtype=np.int32)) == 0
    model = network()
    assert measure_text(model, text(1))["bits_per_character"] == 0


# Sampled softmax.


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=needs_bf16)])
def test_with_every_symbol_sampled_the_loss_is_the_cross_entropy(precision: str) -> None:
    model = network(TIED)
    ids = text(500)
    loss = SampledLoss(np.bincount(ids, minlength=SYMBOLS), 20_000, np.random.default_rng(0))
    sampled, full = streams_of(ids, 2, 20), streams_of(ids, 2, 20)
    for _ in range(5):
        expected, _ = stream_loss(model, full, 0.0, precision)
        found = loss(model, sampled, precision)
        assert float(found.detach()) == pytest.approx(
            float(expected.detach()), rel=1e-5 if precision == "fp32" else 0.02
        )
    found.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_sampled_loss_learns_as_the_full_one_does() -> None:
    """With a third of the symbols at a step, the steps still lead down the true loss."""
    model = network(TIED)
    ids = np.tile(np.array([0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], dtype=np.int32), 60)
    before = measure_text(model, ids)["bits_per_character"]
    loss = SampledLoss(np.bincount(ids, minlength=SYMBOLS), 5, np.random.default_rng(0))
    streams = streams_of(ids, 4, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss(model, streams, "fp32").backward()
        optimizer.step()
    assert measure_text(model, ids)["bits_per_character"] < 0.5 * before


@pytest.mark.parametrize("candidates", [[0, 3, 5], [7], list(range(SYMBOLS))])
@torch.no_grad()
def test_softmax_is_over_the_target_once_and_the_other_candidates(candidates: list[int]) -> None:
    model = network(TIED)
    inputs, targets = torch.from_numpy(text(24).astype(np.int64)).view(2, 12).split([6, 6], dim=1)
    log_chances = torch.linspace(-3, -0.1, SYMBOLS)
    found, _ = model.sampled_from(None, inputs, targets, torch.tensor(candidates), log_chances)
    scores = (model(inputs) - log_chances).flatten(0, 1).tolist()
    expected = [
        math.log(sum(math.exp(row[symbol]) for symbol in {*candidates, target})) - row[target]
        for row, target in zip(scores, targets.flatten().tolist(), strict=True)
    ]
    assert float(found) == pytest.approx(sum(expected) / len(expected), rel=1e-5)


@torch.no_grad()
def test_sampled_loss_gives_the_state_of_the_full_network() -> None:
    model = network(TIED)
    inputs = torch.from_numpy(text(24).astype(np.int64)).view(2, 12)
    _, sampled = model.sampled_from(None, inputs, inputs, torch.tensor([1, 2]), torch.zeros(SYMBOLS))
    _, full = model.continue_from(None, inputs)
    assert all(torch.equal(one, other) for one, other in zip(sampled, full, strict=True))


# The decoder that is the embedding.


@torch.no_grad()
def test_tied_decoder_compares_the_projected_outputs_with_the_embeddings() -> None:
    model = network(TIED)
    inputs = torch.from_numpy(text(30).astype(np.int64)).view(3, 10)
    outputs, _ = model.recurrent(model.embedding(inputs))
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    projected = outputs.double().numpy() @ weights["projection.weight"].T
    expected = projected @ weights["embedding.weight"].T + weights["decoder.bias"]
    np.testing.assert_allclose(model(inputs).numpy(), expected, rtol=0, atol=1e-5)
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == TIED.shapes()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("layers", "hidden"), [(1, 8), (2, 24), (1, 160)])
@torch.no_grad()
def test_tied_network_in_numpy_gives_the_log_probabilities_of_torch(cell: Cell, layers: int, hidden: int) -> None:
    model = network(Configuration(40, cell, layers, hidden, embedding=10, tied=True), seed=layers)
    words = text(5 * 20, symbols=40).reshape(5, 20)
    inputs = np.concatenate([np.full((5, 1), BOUNDARY), words], axis=1)
    expected = model(torch.from_numpy(inputs.astype(np.int64))).log_softmax(dim=-1).numpy()
    answering = in_numpy(model)
    states = gather(answering.start(), [0] * 5)
    answers = [answering.log_probabilities(states)]
    for symbols in words.T:
        states = answering.step(states, symbols)
        answers.append(answering.log_probabilities(states))
    np.testing.assert_allclose(np.stack(answers, axis=1), expected, rtol=0, atol=1e-5)
