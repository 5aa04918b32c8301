"""
Several networks trained alike on words: the same words in the same order, the same steps, the same optimizer.

For networks that are compared, and that read whole sequences: `CharRNN` and those of `windows`. The words stand in rows that end
in padding, which counts for nothing; `batches` is for one recurrent network that has to be trained fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from autocomplete.lab.windows import WindowNetwork
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingSettings

__all__ = ["answers", "influence", "one_thread", "train_alike", "word_rows"]

_PADDING = -100  # what torch's cross entropy leaves out
_SETTINGS = TrainingSettings(warmup=20)  # runs of a few hundred steps


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, as the small networks of a demonstration are slower on two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def word_rows(words: Sequence[str], vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """
    Return inputs and targets, both (words, longest + 1): the boundary and the letters, the letters and the boundary.

    After that, inputs are boundaries and targets padding.
    """
    longest = max(map(len, words))
    inputs = torch.full((len(words), longest + 1), BOUNDARY)
    targets = torch.full((len(words), longest + 1), _PADDING)
    for row, word in enumerate(words):
        ids = torch.tensor(vocabulary.encode(word))
        inputs[row, 1 : len(word) + 1] = ids
        targets[row, : len(word)] = ids
        targets[row, len(word)] = BOUNDARY
    return inputs, targets


def train_alike(
    networks: Mapping[str, nn.Module],
    rows: tuple[Tensor, Tensor],
    weights: NDArray[np.float64],
    *,
    steps: int,
    batch: int = 64,
    rate: float = 0.01,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """
    Train networks and yield after each step the loss of each, in bits per character.

    :param rows: as `word_rows` returns them.
    :param weights: (words,) positive; words are drawn in proportion.
    :param batch: words drawn for a step.
    :param rate: the highest learning rate; it rises and falls as in every training.
    """
    generator = np.random.default_rng(seed)
    optimizers = {name: new_optimizer(network, _SETTINGS.weight_decay) for name, network in networks.items()}
    for step in range(steps):
        drawn = torch.from_numpy(generator.choice(len(weights), batch, p=weights / weights.sum()))
        inputs, targets = rows[0][drawn], rows[1][drawn]
        width = int((targets != _PADDING).sum(dim=1).max())
        losses = {}
        for name, network in networks.items():
            loss = functional.cross_entropy(network(inputs[:, :width]).flatten(0, 1), targets[:, :width].flatten())
            training_step(network, optimizers[name], loss, _SETTINGS.rate(rate, step, step / steps), _SETTINGS.clip)
            losses[name] = float(loss.detach()) / math.log(2)
        yield losses


@torch.no_grad()
def answers(network: nn.Module, beginnings: Sequence[str], vocabulary: Vocabulary) -> NDArray[np.float32]:
    """
    Return (beginnings, vocabulary) the probability of each next symbol after some beginnings of words.

    Each is read by itself, and a network with a window is given that window only: the same product of matrices of the same
    shape, so that it gives the same answer to the last bit wherever it sees the same.
    """
    rows = []
    for beginning in beginnings:
        inputs = torch.tensor([[BOUNDARY, *vocabulary.encode(beginning)]])  # (1, length + 1)
        if isinstance(network, WindowNetwork):
            window = functional.pad(inputs, (network.seen, 0), value=BOUNDARY)[:, -network.seen :]
            logits = network.continue_from(window[:, :-1], window[:, -1:])[0]
        else:
            logits = network(inputs)
        rows.append(logits[0, -1].softmax(dim=-1))
    probabilities: NDArray[np.float32] = torch.stack(rows).numpy()
    return probabilities


@torch.no_grad()
def influence(
    network: nn.Module, beginnings: Sequence[str], letters: str, vocabulary: Vocabulary, seed: int = 0
) -> NDArray[np.float64]:
    """
    Measure how much an answer moves when one letter is replaced by another, by how far back that letter stands.

    :param beginnings: of words, all of one length.
    :param letters: two at least, that one is replaced by, drawn at random.
    :returns: (length,) for the last letter first: half the sum of what the probabilities differ by (total variation distance),
        the mean over the beginnings. What a network cannot see moves nothing: exactly 0.
    """
    generator = np.random.default_rng(seed)
    inputs, _ = word_rows(beginnings, vocabulary)  # (beginnings, length + 1)
    others = np.array(vocabulary.encode(letters))
    before = network(inputs)[:, -1].softmax(dim=-1)  # (beginnings, vocabulary)
    moved = []
    for place in range(inputs.shape[1] - 1, 0, -1):
        drawn = generator.integers(len(others), size=len(inputs))
        same = others[drawn] == inputs[:, place].numpy()
        changed = inputs.clone()
        changed[:, place] = torch.from_numpy(others[np.where(same, drawn - 1, drawn)])  # another one in either case
        # A batch of the same shape, row for row, in which nothing differs but what has been replaced.
        apart = (network(changed)[:, -1].softmax(dim=-1) - before).abs().sum(dim=1)  # (beginnings,)
        moved.append(float(apart.double().mean()) / 2)
    return np.array(moved)
