"""
Which word of the lexicon comes next: word n-grams, a network of words where there is one, and a unigram cache.

Words are lexicon ids. The number of words stands for the beginning of a line or sentence, one more for any word that is not in
the lexicon; a line may give those ids of its own, from there on, so that the cache can tell them apart.
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
    """
    What is expected of the next word. The three parts sum to 1.

    :param in_vocabulary: (words,) the probability of each word of the lexicon.
    :param oov_mass: the probability that the word is out of vocabulary, and not one of `cached`.
    :param cached: the probability of each out-of-vocabulary word of the line to come again, by its id.
    """

    in_vocabulary: Array
    oov_mass: float
    cached: dict[int, float]


class NextWords:
    """
    The interpolation of the models that know words only.

    :param weights: (order, 2 or 3) the interpolation weights of the out-of-vocabulary model, the n-grams and the network, by the
        number of words that the n-grams rest on.
    :raises ValueError: where weights and models do not fit together.
    """

    def __init__(self, ngrams: NGrams, weights: NDArray[np.floating], network: WordNetwork | None = None) -> None:
        if weights.shape != (ngrams.order, 2 if network is None else 3):
            raise ValueError(f"it has weights for {weights.shape}")
        self.ngrams, self.network, self._weights = ngrams, network, weights

    @property
    def components(self) -> tuple[str, ...]:
        """The names of the models that are interpolated."""
        return ("ngrams",) if self.network is None else ("ngrams", "words")

    def distribution(self, ids: Sequence[int], states: States | None, component: str | None = None) -> Expected:
        """
        Return what is expected after some words.

        :param ids: of the line so far, a beginning among them before the first word of each sentence.
        :param states: of the network after these words, a batch of one; None without a network.
        :param component: the only model to ask; all by default, each by its weight.
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
            result += np.float32(self._weights[length, 2]) * self.network.probabilities(states)[0]
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
