"""
Next-word probabilities of the lexicon: word n-grams, a word network if there is one, and a unigram cache.

Words are lexicon ids. The number of words is the id of a sentence boundary, and one more that of any other out-of-vocabulary
word. A line may use higher ids, so that the cache can tell these words apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.cache import unigram_cache
from autocomplete.models.protocol import Array, States
from autocomplete.models.word_network import WordNetwork
from autocomplete.models.word_ngrams import NGrams

__all__ = ["Expected", "NextWords"]


class Expected(NamedTuple):
    """Probabilities of the next word. The three parts sum to 1."""

    in_vocabulary: Array  # (words,) of each word of the lexicon
    oov_mass: float  # of all other words that are not cached
    cached: dict[int, float]  # of each out-of-vocabulary word of the line, by id


class NextWords:
    """
    The interpolation of the word models.

    :param weights: (order, 2 or 3) interpolation weights of the out-of-vocabulary model, the n-grams and the network, by the
        length of the context that the n-grams know.
    :raises ValueError: if weights and models do not fit together.
    """

    def __init__(self, ngrams: NGrams, weights: NDArray[np.floating], network: WordNetwork | None = None) -> None:
        if weights.shape != (ngrams.order, 2 if network is None else 3):
            raise ValueError(f"it has weights for {weights.shape}")
        self.ngrams, self.network, self._weights = ngrams, network, weights
        self.components = ("ngrams",) if network is None else ("ngrams", "words")  # the interpolated models

    def distribution(self, ids: Sequence[int], states: States | None, component: str | None = None) -> Expected:
        """
        Return the probabilities of the next word.

        :param ids: the line so far, with a boundary before the first word of each sentence.
        :param states: states of the network after these words, a batch of one; None without a network.
        :param component: the only model to ask; by default all are interpolated.
        """
        words, other = self.ngrams.start, self.ngrams.other
        if component == "words":
            assert self.network is not None and states is not None
            return Expected(self.network.probabilities(states)[0], 0.0, {})
        context = [min(word, other) for word in ids[-self.ngrams.order + 1 :]]
        if component == "ngrams":
            return Expected(self.ngrams.distribution(context)[0], 0.0, {})
        result, length = self.ngrams.distribution(context, self._weights[:, 1].tolist())
        if self.network is not None and states is not None:
            by_network = self.network.probabilities(states)[0]
            by_network *= np.float32(self._weights[length, 2])
            result += by_network
        line = [word for word in ids if word != words]
        cache = unigram_cache(line, [float(self.ngrams.unigrams[word]) if word < words else 0.0 for word in line])
        cache.pop(other, None)
        scale = 1 / (1 + sum(cache.values()))
        result *= scale
        for word, mass in cache.items():
            if word < words:
                result[word] += scale * mass
        cached = {word: scale * mass for word, mass in cache.items() if word > other}
        return Expected(result, scale * float(self._weights[length, 0]), cached)
