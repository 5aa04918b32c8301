"""
Train the class-based softmax of a network of words, from word vectors that were learned from more text.

Words that the network does not know are rare, but their vectors tell how they are used. A small network maps each vector to a few
numbers, a projection maps the outputs of the finished network of words to as many, and their product tells the words apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from autocomplete.corpus.encoded import Ids
from autocomplete.models.class_softmax import PREFIX, ClassSoftmax
from autocomplete.models.protocol import along, gather
from autocomplete.models.word_network import WordNetwork
from autocomplete.storage.byte_matrix import dequantize, quantize
from autocomplete.storage.tensor_files import named
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.words.word_network import Network

__all__ = ["learn_tail"]

_WIDTH = 32  # numbers of a word; with 48, they take a sixth more room, and a rare word hardly fewer bits
_HIDDEN = 256  # units of the network that makes them
_DROPOUT = 0.1
_RATE = 0.003
_BATCH, _SAMPLED = 1024, 2048  # words of a step, and others that they are told from
_EPOCHS, _STEPS = 4, 200  # of all places, and steps at least
_PLACES = 400_000  # at which a word of the tail stands and its context is read, at most: some minutes' reading
_LEAST = 200  # of them, for anything to be learned
_READ, _ENOUGH = 24, 8  # words before it, at most; where as many are left of it, a sentence begins what is read
_PART = 10_000_000  # words of a text looked at side by side
_HELD_OUT, _MEASURED = 20, 1_000  # one place in so many, and so many at most, to see whether it was worth the while
# What numbers are rounded to, where those that they are multiplied by vary by one; and what logarithms are.
_STEP, _LOG_STEP = 0.2, 0.05


def learn_tail(
    network: Network,
    texts: Sequence[Ids],
    unigrams: NDArray[np.float32],
    vectors: NDArray[np.float32],
    known: NDArray[np.bool_],
    seed: int,
) -> dict[str, NDArray[Any]]:
    """
    Return the tensors of `ClassSoftmax` for a finished network of words; none where they are of no use.

    :param texts: words as `NumberedWords.encode` gives them.
    :param unigrams: (words,) how frequent each word is.
    :param vectors: (words, dimensions) of all words of the lexicon.
    :param known: (words,) which of them have one.
    """
    words, rows = len(unigrams), network[1]["rows"]
    by_frequency = ClassSoftmax(unigrams, rows, {})
    others = by_frequency.words
    generator = np.random.default_rng(seed)
    contexts, targets = _contexts(texts, others, words, generator)
    if len(targets) < _LEAST or not known[others].any():
        return {}
    outputs = _outputs(WordNetwork(*network, unigrams), contexts, network[0].embedding)
    places = np.zeros(words, dtype=np.int64)
    places[others] = np.arange(len(others))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        logs = torch.from_numpy(np.log(np.maximum(unigrams[others], 1e-12)))
        learner = _Learner(_standardized(vectors, known)[others], logs, outputs)
        held_out = min(len(targets) // _HELD_OUT, _MEASURED)
        right = places[targets]
        rounded = learner.learn(outputs[held_out:], torch.from_numpy(right[held_out:]), generator)
    tail = {PREFIX + "words": others.astype(np.int32)} | rounded
    measured = outputs[:held_out].numpy(), right[:held_out]
    return (
        tail
        if _nats(ClassSoftmax(unigrams, rows, named(tail, PREFIX)), *measured) < _nats(by_frequency, *measured)
        else {}
    )


def _nats(tail: ClassSoftmax, outputs: NDArray[np.float32], right: NDArray[np.int64]) -> float:
    """Return what words take, by a tail: of these places in it, (n,), after these outputs, (n, embedding)."""
    shares = tail.shares(outputs)[np.arange(len(right)), right]
    return -float(np.log(np.maximum(shares, 1e-30)).mean())


def _contexts(
    texts: Sequence[Ids], others: NDArray[np.int64], words: int, generator: np.random.Generator
) -> tuple[list[NDArray[np.int32]], NDArray[np.int64]]:
    """Return what stands before some of the other words, from the beginning of a sentence on, and these words, shuffled."""
    is_other = np.zeros(words + 2, dtype=bool)
    is_other[others] = True
    contexts: list[NDArray[np.int32]] = []
    targets: list[int] = []
    for text in texts:
        parts = range(0, len(text), _PART)
        left = _PLACES - len(targets)
        for begin in parts:
            part = text[begin : begin + _PART]
            for place in generator.permutation(np.flatnonzero(is_other[part]))[: left // len(parts)].tolist():
                before = part[max(0, place - _READ) : place]
                starts = np.flatnonzero(before == words)
                far = starts[starts < len(before) - _ENOUGH]
                first = far[-1] if len(far) else starts[0] if len(starts) else -1
                contexts.append(np.append(np.int32(words), before[first + 1 :]).astype(np.int32))
                targets.append(int(part[place]))
    order = generator.permutation(len(targets))
    return [contexts[i] for i in order.tolist()], np.array(targets, dtype=np.int64)[order]


def _outputs(network: WordNetwork, contexts: Sequence[NDArray[np.int32]], width: int) -> Tensor:
    """Return (contexts, width) the outputs of a network of words after each context, which begins with a beginning."""
    result = torch.empty(len(contexts), width)
    # A last word that is not read: the states before it are those after all others.
    read = [[*context[1:].tolist(), 0] for context in contexts]
    for rows, place, states in along(network, read):
        ended = [i for i, row in enumerate(rows) if len(read[row]) == place + 1]
        if ended:
            result[[rows[i] for i in ended]] = torch.from_numpy(network.outputs(gather(states, ended)))
    return result


def _standardized(vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> Tensor:
    """Return (words, dimensions + 1) vectors of a length of one, no dimension greater than others; at last, who has one."""
    mean, deviation = vectors[known].mean(axis=0), vectors[known].std(axis=0)
    found = np.where(known[:, None], (vectors - mean) / np.maximum(deviation, 1e-6), 0.0)
    found /= np.maximum(1.0, np.linalg.norm(found, axis=1, keepdims=True))
    return torch.from_numpy(np.column_stack([found, known]).astype(np.float32))


class _Learner(nn.Module):
    """
    The network that is trained.

    :param vectors: (words, dimensions)
    :param logs: (words,) natural logarithms of their frequencies, up to a constant.
    :param outputs: (n, outputs) of the network of words, to scale by.
    """

    def __init__(self, vectors: Tensor, logs: Tensor, outputs: Tensor) -> None:
        super().__init__()
        self._vectors, self._logs = vectors, logs
        hidden = nn.Linear(vectors.shape[1], _HIDDEN), nn.GELU(), nn.Dropout(_DROPOUT)
        last = nn.Linear(_HIDDEN, _WIDTH + 1)
        nn.init.normal_(last.weight, std=0.02)
        nn.init.zeros_(last.bias)
        self.numbers = nn.Sequential(*hidden, last)
        self._mean, self._deviation = outputs.mean(dim=0), outputs.std(dim=0).square().mean().sqrt().clamp(min=1e-6)
        self.query = nn.Linear(outputs.shape[1], _WIDTH)
        self.scale = nn.Parameter(torch.ones(()))  # of the logarithms
        self.dropout = nn.Dropout(_DROPOUT)

    def learn(self, outputs: Tensor, targets: Tensor, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Train on (n, outputs) of the network of words and (n,) places of words, and return the rounded tensors."""
        optimizer = new_optimizer(self, 0.0)
        steps = max(_STEPS, round(_EPOCHS * len(targets) / _BATCH))
        for step in range(steps):
            rate = _RATE * min(1, (step + 1) / 50) * (1 - step / steps) ** 0.7
            drawn = torch.from_numpy(generator.integers(len(targets), size=_BATCH))
            training_step(self, optimizer, self._loss(outputs[drawn], targets[drawn], generator), rate, 1.0)
        return self._rounded(outputs)

    def _loss(self, outputs: Tensor, targets: Tensor, generator: np.random.Generator) -> Tensor:
        """Return the mean cross entropy of words, in nats: among those that stand somewhere in the step, and some others."""
        own, column = torch.unique(targets, return_inverse=True)
        is_other = np.ones(len(self._logs), dtype=bool)
        is_other[own.numpy()] = False
        others = np.flatnonzero(is_other)
        sampled = generator.choice(others, min(_SAMPLED, len(others)), replace=False)
        chosen = torch.cat([own, torch.from_numpy(sampled)])
        counted = torch.zeros(len(chosen))
        if len(sampled):
            counted[len(own) :] = math.log(len(others) / len(sampled))
        numbers = self.numbers(self._vectors[chosen])
        bias = numbers[:, _WIDTH] + self.scale * self._logs[chosen] + counted
        query = self.query(self.dropout(self._scaled(outputs)))
        return functional.cross_entropy(query @ numbers[:, :_WIDTH].T + bias, column)

    def _scaled(self, outputs: Tensor) -> Tensor:
        return (outputs - self._mean) / self._deviation

    @torch.no_grad()
    def _rounded(self, outputs: Tensor) -> dict[str, NDArray[Any]]:
        """
        Return the tail in whole numbers.

        Before that, what is multiplied is turned and scaled, so that all the network's side varies by one in each direction and
        the words' side as much as it can in the first ones: then one step suits all, and the last take next to no room.
        """
        self.eval()
        numbers = self.numbers(self._vectors)
        bias = numbers[:, _WIDTH] + (self.scale - 1) * self._logs
        numbers = numbers[:, :_WIDTH]
        queries = self.query(self._scaled(outputs))
        mean = queries.mean(dim=0)
        variances, directions = torch.linalg.eigh(torch.cov(queries.T))
        deviations = variances.clamp(min=1e-8).sqrt()
        _, turned = torch.linalg.eigh(torch.cov((numbers @ directions * deviations).T))
        words_side = directions * deviations @ turned
        network_side = directions / deviations @ turned
        bias = bias + numbers @ mean
        bias -= bias.mean()
        whole = torch.column_stack([(numbers @ words_side) / _STEP, bias / _LOG_STEP]).round().clamp(-127, 127)
        weight = torch.zeros(_WIDTH + 1, outputs.shape[1])
        weight[:_WIDTH] = _STEP / self._deviation * (network_side.T @ self.query.weight)
        constant = torch.full((_WIDTH + 1,), _LOG_STEP)
        constant[:_WIDTH] = _STEP * ((self.query.bias - mean) @ network_side) - weight[:_WIDTH] @ self._mean
        tail = {"numbers": whole.T.to(torch.int8), "weight": weight.half(), "bias": constant.half()}
        return dequantize(quantize({PREFIX + name: tensor.numpy() for name, tensor in tail.items()}))
