"""
A few words learned to the letter: what the demonstration shows, with the network and the step of every training.

Nothing is held out here: to see one word being learned is the point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.optimization import new_optimizer, training_step

__all__ = ["learn", "make_up", "new_network", "spelling_batch"]

_RATE, _CLIP = 0.01, 1.0  # the highest learning rate and the clipping of `autocomplete train` on words


def new_network(configuration: Configuration, seed: int = 0) -> CharRNN:
    """Return an untrained network, the same for the same seed."""
    torch.manual_seed(seed)
    return CharRNN(configuration)


def spelling_batch(words: Sequence[str], vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """
    Return what is read and what is to be answered at each step: for `name`, the boundary, n, a, m, e; and n, a, m, e, boundary.

    :returns: inputs and targets, each (batch, time) ids; shorter words are filled up with boundaries.
    """
    ids = [[BOUNDARY, *vocabulary.encode(word), BOUNDARY] for word in words]
    longest = max(map(len, ids))
    rows = torch.tensor([row + [BOUNDARY] * (longest - len(row)) for row in ids])
    return rows[:, :-1], rows[:, 1:]


def learn(model: CharRNN, inputs: Tensor, targets: Tensor, steps: int) -> Iterator[float]:
    """
    Train a network on one batch again and again; yield the loss, in nats per symbol, that each step began with.

    :param inputs: (batch, time) ids.
    :param targets: (batch, time) ids.
    """
    optimizer = new_optimizer(model, weight_decay=0.0)
    for _ in range(steps):
        loss = functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        training_step(model, optimizer, loss, _RATE, _CLIP)
        yield loss.item()


def make_up(model: CharRNN, vocabulary: Vocabulary, count: int, seed: int) -> list[str]:
    """Return words drawn from a network's own probabilities."""
    return [vocabulary.decode(ids) for ids in model.sample(count, torch.Generator().manual_seed(seed))]
