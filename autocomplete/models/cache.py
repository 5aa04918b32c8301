"""
A unigram cache (Kuhn and De Mori, 1990, "A Cache-Based Natural Language Model for Speech Recognition").

Each word of the line gets a share of the probability, a larger one where the words before it recur, too. The constants are tuned
on Reddit comments and on held-out lines of the English corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["unigram_cache"]

_AGAIN, _RARE = 0.004, 1e-4  # mass of any word of the line, and the word frequency that halves it
_AFTER_ONE, _COMMON = 0.15, 0.003  # mass after the same word, and the frequency of that word that halves it
_AFTER_TWO = 0.3  # mass after the same two words

Word = TypeVar("Word")


def unigram_cache(words: Sequence[Word], frequencies: Sequence[float]) -> dict[Word, float]:
    """
    Return the mass of each word of the line to come again, where all other predictions have a mass of 1.

    :param frequencies: (words,) relative frequency of each word in general.
    """
    found: dict[Word, float] = {}
    if not words:
        return found
    after_one = _AFTER_ONE * _COMMON / (_COMMON + frequencies[-1])
    for i, (word, frequency) in enumerate(zip(words, frequencies, strict=True)):
        mass = _AGAIN * _RARE / (_RARE + frequency)
        if i > 0 and words[i - 1] == words[-1]:
            mass += _AFTER_TWO if i > 1 and words[i - 2] == words[-2] else after_one
        found[word] = found.get(word, 0.0) + mass
    return found
