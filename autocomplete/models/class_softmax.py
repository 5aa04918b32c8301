"""
The words that a network of words does not know, each with its share of the network's unknown symbol.

The lexicon has several times as many words as a network can afford. How probable it is that one of the others comes, the network
tells; which one, its frequency and a few whole numbers tell that say how the word is used. They are multiplied by a projection of
the network's own outputs: a softmax in two levels, of which the second is narrower than the first, as the tail of the adaptive
softmax (Grave et al., "Efficient softmax approximation for GPUs", 2017). After "very", *glad* and *gladly* are then told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import Array
from autocomplete.storage.byte_matrix import ByteMatrix, unpacked

__all__ = ["PREFIX", "Tail"]

PREFIX = "tail."  # of the names of its tensors among those of a network


class Tail:
    """
    What divides the unknown symbol of a network of words.

    :param unigrams: (lexicon,) how frequent each word is.
    :param rows: the numbers of the words that the network knows.
    :param tensors: packed or not: `words`, (n,) numbers of words; `numbers`, (k, n) int8 of them; `weight` and `bias`,
        (k, embedding) and (k,), which make of the network's outputs what those are multiplied by. Without these tensors, and for
        words that are not among them, unigrams are all that counts.
    :raises LookupError, ValueError: where they do not fit together.
    """

    def __init__(self, unigrams: NDArray[np.float32], rows: NDArray[Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        is_other = np.ones(len(unigrams), dtype=bool)
        is_other[rows] = False
        self.words = np.flatnonzero(is_other)
        others = unigrams[self.words].astype(np.float32)
        self._shares: Array = others / max(float(others.sum()), 1e-12)
        self._numbers: Array | None = None
        if not tensors:
            return
        weight = unpacked(tensors)["weight"]
        self._weight: Array = (weight.floats() if isinstance(weight, ByteMatrix) else weight).astype(np.float32)
        self._bias: Array = tensors["bias"].astype(np.float32)
        words, numbers = tensors["words"], tensors["numbers"]
        if not (numbers.shape == (*self._bias.shape, len(words)) and self._weight.shape[:1] == self._bias.shape):
            raise ValueError("its tail has arrays of sizes that do not belong together")
        if words.min(initial=0) < 0 or words.max(initial=0) >= len(unigrams):
            raise ValueError("its tail has numbers of no words")
        every: Array = np.zeros((len(numbers), len(unigrams)), dtype=np.float32)
        every[:, words] = numbers
        self._numbers = np.ascontiguousarray(every[:, self.words])  # so that the product takes a third of the time
        self._logs: Array = np.log(np.maximum(others, np.float32(1e-30)))

    @property
    def width(self) -> int | None:
        """How many outputs of the network are read; None where they do not matter."""
        return None if self._numbers is None else self._weight.shape[1]

    def shares(self, outputs: Array) -> Array:
        """Return (others,) the share of each of `words` for outputs of the network, (embedding,); they sum to one."""
        if self._numbers is None:
            return self._shares
        query: Array = self._weight @ outputs + self._bias
        found: Array = query @ self._numbers
        found += self._logs
        found -= found.max(initial=-np.inf)
        np.exp(found, out=found)
        found /= max(float(found.sum()), 1e-12)
        return found
