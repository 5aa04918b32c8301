"""
What a run is judged by: a held-out text, or words, some that it learns from, as they are typed, and some that it never sees.

A network that learns a list by heart gets better at the words of the list and, in the end, worse at all others. What
counts is the next word that someone types, and how often that is a new one is known: `unseen_rate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autocomplete.corpus.corpus import entropy
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.batching.prefixes import Words, WordSampler
from autocomplete.training.batching.streams import StreamNetwork
from autocomplete.training.measure import measure, tune_prior, unseen_rate
from autocomplete.training.networks.recurrent import CharRNN

__all__ = ["Validation", "bits_per_word", "hold_out", "measure_text", "prediction_figures", "ranks"]

_TO_MEASURE = 16  # streams that a held-out text is measured in
_SAMPLE = 2_048  # words drawn once, by count, to stand for those that are learned; measuring all would take too long
_FEW = 100  # held-out words; fewer tell little, and count for less in proportion
_MOST_UNSEEN = 0.1  # for the prior: whoever trains on a list means to type its words, even if it has each of them once


def hold_out(
    counts: NDArray[np.float64], share: float, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Return the places of the words to learn and of the words to hold out, both ascending.

    The frequent words that make up half of the corpus are always learned: a network that has to guess them is of no use.
    A list too short to spare a word is validated on its own words.

    :param counts: (words,)
    :param share: of the rarer words, to be held out.
    """
    by_count = np.argsort(-counts, kind="stable")
    common = int(np.searchsorted(np.cumsum(counts[by_count]), counts.sum() / 2)) + 1
    rarer = by_count[common:]
    held_out = np.sort(generator.permutation(rarer)[: int(share * len(rarer))])
    every = np.arange(len(counts))
    return (np.setdiff1d(every, held_out), held_out) if len(held_out) else (every, every)


class Validation:
    """
    Measures a network on words that were learned and words that were held out.

    :param counts: (words,) of all words, in the order of `words`.
    """

    def __init__(
        self,
        words: Words,
        counts: NDArray[np.float64],
        seen: NDArray[np.int64],
        held_out: NDArray[np.int64],
        generator: np.random.Generator,
    ) -> None:
        self._words, self._counts, self._seen, self.held_out = words, counts, seen, held_out
        rows, self.sample_weights = WordSampler(counts[seen], 1.0, _SAMPLE, generator).draw()
        self.sample = seen[rows]
        unseen = max(unseen_rate(counts), float(counts[held_out].sum() / counts.sum()))
        self.unseen = unseen * len(held_out) / (len(held_out) + _FEW)

    def bits(self, model: CharRNN) -> tuple[float, float]:
        """Return the bits per character of the next word typed, by which runs are compared, and of a word never seen."""
        held_out = measure(model, self._words, self.held_out).figures(self._counts[self.held_out])["bits_per_character"]
        learned = measure(model, self._words, self.sample).figures(self.sample_weights)["bits_per_character"]
        return (1 - self.unseen) * learned + self.unseen * held_out, held_out

    def figures(self, model: CharRNN) -> dict[str, Any]:
        """Return all that is told of a finished network, and the prior that it should have beside the lexicon."""
        every = measure(model, self._words, np.arange(len(self._words)))
        counts, seen, held_out = self._counts, self._seen, self.held_out

        # Words as they are typed: new ones at their rate. A lexicon of the learned ones alone does not know those.
        unseen = min(self.unseen, _MOST_UNSEEN)
        learned = counts[seen] / counts[seen].sum()
        typed, partial = np.zeros(len(counts)), np.full(len(counts), -np.inf)
        typed[seen], partial[seen] = (1 - unseen) * learned, np.log(learned)
        typed[held_out] += unseen * counts[held_out] / counts[held_out].sum()
        prior = tune_prior(every.log_probabilities, partial, typed)

        lexicon = np.log(counts / counts.sum())
        mixture = np.logaddexp(math.log(prior) + every.log_probabilities, math.log1p(-prior) + lexicon)
        return {
            "training": every.take(seen).figures(counts[seen]),
            "held_out": every.take(held_out).figures(counts[held_out]),
            "all": every.figures(counts),
            "entropy": entropy(counts),
            "training_entropy": entropy(counts[seen]),
            "mixture_bits_per_word": -float(counts @ mixture) / float(counts.sum()) / math.log(2),
            "held_out_words": len(counts) - len(seen),
            "unseen_rate": self.unseen,
            "network_prior": prior,
        }


def _predictions(model: StreamNetwork, rows: NDArray[Any], time: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits (n, vocabulary) and targets (n,) of rows that are read side by side, so many symbols of each at once."""
    symbols, state = torch.from_numpy(rows.astype(np.int64)).to(model.device), None
    for start in range(0, symbols.shape[1] - 1, time):
        window = symbols[:, start : start + time + 1]
        logits, state = model.continue_from(state, window[:, :-1])
        yield logits.flatten(0, 1).float(), window[:, 1:].flatten()


@torch.no_grad()
def measure_text(model: StreamNetwork, ids: NDArray[Any], time: int = 256, rows: int = _TO_MEASURE) -> dict[str, float]:
    """
    Measure the network on a text (n,), in its own precision: bits per symbol, and how often it foresaw the next.

    :param rows: streams at most that the text is read in.
    """
    model.train(False)
    batch = max(1, min(rows, len(ids) // time))
    length = len(ids) // batch
    sums = np.zeros(4)
    for logits, targets in _predictions(model, ids[: batch * length].reshape(batch, length), time):
        rank = ranks(logits, targets)
        loss = functional.cross_entropy(logits, targets, reduction="sum")
        sums += [float(loss), len(targets), int((rank < 1).sum()), int((rank < 3).sum())]
    model.train()
    return prediction_figures(*sums.tolist())


@torch.no_grad()
def bits_per_word(model: CharRNN, ids: NDArray[Any], time: int = 32, rows: int = _TO_MEASURE) -> float:
    """
    Return the bits that a word of some lines takes, each line read with nothing before it, as it is typed.

    :param ids: (n,) words as symbols, with BOUNDARY before each line; what is unknown is not counted.
    :param rows: lines that are read side by side.
    """
    model.train(False)
    lines = np.split(ids, np.flatnonzero(ids == BOUNDARY))[1:]
    lines.sort(key=len)
    nats, words = 0.0, 0
    for first in range(0, len(lines), rows):
        some = lines[first : first + rows]
        padded = np.full((len(some), len(some[-1]) + 1), BOUNDARY)
        for row, line in zip(padded, some, strict=True):
            row[: len(line)] = line
        for logits, targets in _predictions(model, padded, time):
            counted = targets > UNKNOWN
            nats += float(functional.cross_entropy(logits[counted], targets[counted], reduction="sum"))
            words += int(counted.sum())
    model.train()
    return nats / max(words, 1) / math.log(2)


def ranks(logits: Tensor, targets: Tensor) -> Tensor:
    """Return how many symbols the network thought more probable than each target, (n,)."""
    return (logits > logits.gather(1, targets[:, None])).sum(dim=1)


def prediction_figures(nats: float, count: float, top_1: float, top_3: float) -> dict[str, float]:
    """Return the averages over so many symbols: bits, and how often the right one was first or among the best three."""
    count = max(count, 1e-9)
    return {
        "bits_per_character": nats / count / math.log(2),
        "accuracy_top_1": top_1 / count,
        "accuracy_top_3": top_3 / count,
    }
