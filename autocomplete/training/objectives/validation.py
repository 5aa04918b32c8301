"""
The words that a run is judged by: some that it learns from, as they are typed, and some that it never sees.

A network that learns a list by heart gets better at the words of the list and, in the end, worse at all others. What
counts is the next word that someone types, and how often that is a new one is known: `unseen_rate`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.corpus import entropy
from autocomplete.training.batching.prefixes import Words, WordSampler
from autocomplete.training.measure import measure, tune_prior, unseen_rate
from autocomplete.training.networks.recurrent import CharRNN

__all__ = ["Validation", "hold_out"]

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
