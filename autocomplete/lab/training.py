"""
Small networks trained while one looks on: words learned to the letter, and several networks trained alike to be compared.

The networks, the optimizer and its step are those of every training; so are the learning rates, but for `train_on_batch`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingSettings

__all__ = [
    "draw_words",
    "isolated_torch",
    "paced",
    "sample_words",
    "train_alike",
    "train_on_batch",
    "train_on_words",
    "word_rows",
]

_IGNORED = -100  # the target that torch's cross-entropy leaves out
_BATCH = 64  # words of a step
_SETTINGS = TrainingSettings(warmup=20)  # for runs of a few hundred steps

Rows = tuple[Tensor, Tensor]  # inputs and targets, each (words, time) ids
Name = TypeVar("Name", bound=str)
Lesson = TypeVar("Lesson")


@contextmanager
def isolated_torch() -> Iterator[None]:
    """Let torch use one thread, as small networks are slower on two, and random numbers that begin anew."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield
    finally:
        torch.set_num_threads(threads)


def word_rows(words: Sequence[str], vocabulary: Vocabulary, filler: int = _IGNORED) -> Rows:
    """
    Return inputs and targets: of `name`, the boundary, n, a, m, e; and n, a, m, e, the boundary.

    :param filler: the target where shorter words are filled up with boundaries. By default, it counts for nothing.
    """
    rows = [torch.tensor([BOUNDARY, *vocabulary.encode(word), BOUNDARY]) for word in words]
    inputs = pad_sequence([row[:-1] for row in rows], batch_first=True, padding_value=BOUNDARY)
    return inputs, pad_sequence([row[1:] for row in rows], batch_first=True, padding_value=filler)


def draw_words(rows: Rows, weights: NDArray[np.float64]) -> Iterator[Rows]:
    """Yield batches of words without end, drawn in proportion to their weights, (words,); each as wide as its longest word."""
    generator = np.random.default_rng(0)
    while True:
        drawn = torch.from_numpy(generator.choice(len(weights), _BATCH, p=weights / weights.sum()))
        inputs, targets = rows[0][drawn], rows[1][drawn]
        width = int((targets != _IGNORED).sum(dim=1).max())
        yield inputs[:, :width], targets[:, :width]


def _word_loss(model: nn.Module, batch: Rows) -> Tensor:
    inputs, targets = batch
    return functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def train_alike(
    networks: Mapping[Name, nn.Module],
    batches: Iterable[Any],
    steps: int,
    loss: Callable[[Name, Any], Tensor] | None = None,
) -> Iterator[dict[Name, float]]:
    """
    Train networks on the same batches; yield after each step the loss of each, in bits per character.

    :param loss: gives the loss of a network, by its name, on a batch, in nats; by default on a batch of words.
    """
    optimizers = {name: new_optimizer(network, _SETTINGS.weight_decay) for name, network in networks.items()}
    for step, batch in zip(range(steps), batches, strict=False):
        rate = _SETTINGS.rate(_SETTINGS.word_rate, step, step / steps)
        bits = {}
        for name, network in networks.items():
            found = _word_loss(network, batch) if loss is None else loss(name, batch)
            training_step(network, optimizers[name], found, rate, _SETTINGS.clip)
            bits[name] = float(found.detach()) / math.log(2)
        yield bits


def paced(lessons: Iterable[Lesson], shown: Container[int], seconds: float) -> Iterator[tuple[int, Lesson]]:
    """
    Yield some lessons with their numbers, from 1 on; end early where they take too long.

    :param shown: numbers of the lessons to yield.
    :param seconds: time for all lessons, after which one more is yielded. What the caller does with them does not count.
    """
    began = time.monotonic()
    for number, lesson in enumerate(lessons, start=1):
        if number in shown:
            seconds -= time.monotonic() - began
            yield number, lesson
            if seconds < 0:
                return
            began = time.monotonic()


def train_on_batch(model: CharRNN, batch: Rows, steps: int) -> Iterator[float]:
    """Train a network on one batch again and again; yield the loss, in nats per symbol, that each step began with."""
    optimizer = new_optimizer(model, weight_decay=0.0)
    for _ in range(steps):
        loss = _word_loss(model, batch)
        training_step(model, optimizer, loss, _SETTINGS.word_rate, _SETTINGS.clip)
        yield loss.item()


def train_on_words(
    configuration: Configuration, words: Sequence[str], vocabulary: Vocabulary, steps: int
) -> tuple[CharRNN, Rows]:
    """Return a network that has learned words and the boundaries that fill them up, and its batch; the same each time."""
    torch.manual_seed(0)
    model, batch = CharRNN(configuration), word_rows(words, vocabulary, filler=BOUNDARY)
    for _ in train_on_batch(model, batch, steps):
        pass
    return model, batch


def sample_words(model: CharRNN, vocabulary: Vocabulary, count: int, seed: int) -> list[str]:
    """Return words drawn from a network's own probabilities."""
    return [vocabulary.decode(ids) for ids in model.sample(count, torch.Generator().manual_seed(seed))]
