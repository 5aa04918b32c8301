"""
A class-based softmax: the words that a network does not know share the probability of its unknown symbol.

It is a two-level softmax with a narrower second level, like the tail of the adaptive softmax (Grave et al., "Efficient softmax
approximation for GPUs", 2017). A word's share depends on its frequency and on the network's projected output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import Array
from autocomplete.storage.byte_matrix import ByteMatrix, unpacked

__all__ = ["PREFIX", "ClassSoftmax"]

PREFIX = "tail."  # of the names of its tensors among those of a network


class ClassSoftmax:
    """
    The second level.

    :param unigrams: (lexicon,) word frequencies.
    :param rows: (n,) lexicon ids of the words that the network knows.
    :param tensors: packed or not: `words`, (n,) lexicon ids; `numbers`, (k, n) int8 embeddings of these words; `weight`,
        (k, embedding), and `bias`, (k,), the projection of the network's outputs. Other words have their frequency only.
    :raises LookupError, ValueError: if the tensors do not fit together.
    """

    def __init__(self, unigrams: NDArray[np.float32], rows: NDArray[Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        is_other = np.ones(len(unigrams), dtype=bool)
        is_other[rows] = False
        self.words = np.flatnonzero(is_other)
        others = unigrams[self.words].astype(np.float32)
        self._shares: Array = (others / max(float(others.sum()), 1e-12)).astype(np.float32)[None]
        self._numbers: Array | None = None
        if not tensors:
            return
        weight = unpacked(tensors)["weight"]
        self._weight: Array = (weight.floats() if isinstance(weight, ByteMatrix) else weight).astype(np.float32)
        self._bias: Array = tensors["bias"].astype(np.float32)
        words, numbers = tensors["words"], tensors["numbers"]
        if not (numbers.shape == (*self._bias.shape, len(words)) and self._weight.shape[:1] == self._bias.shape):
            raise ValueError("its class-based softmax has arrays of sizes that do not belong together")
        if words.min(initial=0) < 0 or words.max(initial=0) >= len(unigrams):
            raise ValueError("its class-based softmax has ids of no words")
        every: Array = np.zeros((len(numbers), len(unigrams)), dtype=np.float32)
        every[:, words] = numbers
        self._numbers = np.ascontiguousarray(every[:, self.words])  # contiguous: three times as fast
        self._logs: Array = np.log(np.maximum(others, np.float32(1e-30)))

    @property
    def width(self) -> int | None:
        """The number of network outputs used; None if only frequencies count."""
        return None if self._numbers is None else self._weight.shape[1]

    def shares(self, outputs: Array) -> Array:
        """Return (batch, others) the share of each of `words` given the network's outputs, (batch, embedding); rows sum to 1."""
        if self._numbers is None:
            return np.repeat(self._shares, len(outputs), axis=0)
        found: Array = ((outputs @ self._weight.T + self._bias) @ self._numbers).astype(np.float32, copy=False)
        found += self._logs
        found -= found.max(axis=1, initial=-np.inf, keepdims=True)
        np.exp(found, out=found)
        found /= np.maximum(found.sum(axis=1, keepdims=True), np.float32(1e-12))
        return found
