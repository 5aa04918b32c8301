"""What a network has learned, in figures, and the weight that it deserves beside the lexicon."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.batching.prefixes import PrefixBatch, Words
from autocomplete.training.networks.recurrent import CharRNN

__all__ = ["Measurement", "measure", "tune_prior", "tune_weights", "unseen_rate"]

_LEAST = 1e-3  # weight of a model: none is ever ruled out
_PSEUDO_COUNT = 50.0  # words
_WORDS_AT_ONCE = 4096  # bounds memory: some 40,000 characters


@dataclass(frozen=True)
class Measurement:
    """What a network predicted of some words, each array (words,)."""

    log_probabilities: NDArray[np.float64]  # natural, of the word and the boundary after it
    characters: NDArray[np.float64]  # predicted, the boundary included
    top_1: NDArray[np.float64]  # characters that were the most probable one, and
    top_3: NDArray[np.float64]  # among the best three

    def take(self, rows: NDArray[np.int64]) -> Measurement:
        """Return the measurement of some of the words."""
        return Measurement(*(values[rows] for values in vars(self).values()))

    def figures(self, weights: NDArray[np.float64]) -> dict[str, float]:
        """Return the averages over words of these weights: bits per character and per word, next-letter accuracies."""
        weights = weights / weights.sum()
        bits = -float(weights @ self.log_probabilities) / math.log(2)
        characters = float(weights @ self.characters)
        return {
            "bits_per_character": bits / characters,
            "bits_per_word": bits,
            "accuracy_top_1": float(weights @ self.top_1) / characters,
            "accuracy_top_3": float(weights @ self.top_3) / characters,
        }


@torch.no_grad()
def measure(model: CharRNN, words: Words, rows: NDArray[np.int64], first: int = BOUNDARY) -> Measurement:
    """
    Measure the network on some words, in its own precision.

    :param rows: (n,) sorted places in `words`.
    :param first: the symbol that the words begin with.
    """
    model.eval()
    device = model.device
    parts = []
    for start in range(0, len(rows), _WORDS_AT_ONCE):
        part = rows[start : start + _WORDS_AT_ONCE]
        trie = words.trie(part, np.ones(len(part)))
        batch = PrefixBatch.from_trie(trie).begun_with(first).to(device)
        every = model.over_prefixes(batch).log_softmax(dim=-1)[batch.sources]  # (edges, vocabulary)
        right = every.gather(1, batch.targets[:, None])
        rank = (every > right).sum(dim=1)
        of_edges = torch.stack([right[:, 0], torch.ones_like(right[:, 0]), (rank < 1).float(), (rank < 3).float()])
        rows_of_edges = of_edges.double().cpu().numpy()
        parts.append([np.bincount(trie.character_words, weights=row[trie.character_edges]) for row in rows_of_edges])
    model.train()
    return Measurement(*np.concatenate(parts, axis=1))


def unseen_rate(counts: NDArray[np.float64]) -> float:
    """
    Return the probability that the next word typed is not in the corpus: the share of words that stand in it once (Good, 1953).

    :param counts: (words,)
    """
    return float((counts == 1).sum() / counts.sum())


def tune_prior(
    network: NDArray[np.float64], lexicon: NDArray[np.float64], weights: NDArray[np.float64], iterations: int = 200
) -> float:
    """
    Return the interpolation weight of a network beside a lexicon, by expectation maximization (Dempster, Laird and Rubin, 1977).

    :param network: (words,) natural log probability of each word under the network.
    :param lexicon: (words,) the same under the lexicon: minus infinity for held-out words.
    :param weights: (words,) how often each word is typed.
    """
    weights = weights / weights.sum()
    prior = 0.5
    for _ in range(iterations):
        ours, theirs = math.log(prior) + network, math.log1p(-prior) + lexicon
        prior = float(weights @ np.exp(ours - np.logaddexp(ours, theirs)))
        prior = min(max(prior, 1e-6), 1 - 1e-6)  # neither is ever ruled out
    return prior


def tune_weights(
    logs: NDArray[np.float64], buckets: NDArray[np.int64], count: int, iterations: int = 100
) -> NDArray[np.float64]:
    """
    Return the interpolation weights of several models for each kind of context, by expectation maximization as in `tune_prior`.

    With few words, the weights stay near those of all words.

    :param logs: (words, models) natural log probabilities; minus infinity where a model rules a word out.
    :param buckets: (words,) the kind of context of each, from 0 to below `count`.
    :returns: (count, models), each row of sum 1.
    """
    likelihoods = np.exp(logs - logs.max(axis=1, keepdims=True))

    def tuned(rows: NDArray[np.float64], start: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
        weights = start
        for _ in range(iterations):
            shares = rows * weights
            shares /= shares.sum(axis=1, keepdims=True)
            weights = shares.sum(axis=0) + strength * start
            weights = np.maximum(weights / weights.sum(), _LEAST)
            weights /= weights.sum()
        return weights

    every = tuned(likelihoods, np.full(logs.shape[1], 1 / logs.shape[1]), 1.0)
    return np.stack([tuned(likelihoods[buckets == bucket], every, _PSEUDO_COUNT) for bucket in range(count)])
