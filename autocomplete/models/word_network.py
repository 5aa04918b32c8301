"""
A recurrent network over the words of a lexicon.

It has symbols for the most frequent words only; a class-based softmax divides the probability of its unknown symbol among the
others. Words are lexicon ids, the number of words stands for a sentence boundary, and higher ids for out-of-vocabulary words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.class_softmax import PREFIX, ClassSoftmax
from autocomplete.models.protocol import Array, States, Symbols
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.byte_matrix import unpacked
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["WordNetwork", "symbol_table"]


class WordNetwork:
    """
    The word network. A state is that of `RecurrentNetwork`.

    :param tensors: the weights, packed or not; `rows`, (n,) lexicon ids of the words that have symbols; and the tensors of
        `ClassSoftmax`, whose names begin with `class_softmax.PREFIX`.
    :param unigrams: (words,) word frequencies.
    :raises LookupError, TypeError, ValueError: if these do not fit together.
    """

    def __init__(
        self, configuration: Configuration, tensors: Mapping[str, NDArray[Any]], unigrams: NDArray[np.float32]
    ) -> None:
        weights = unpacked({n: array for n, array in tensors.items() if n != "rows" and not n.startswith(PREFIX)})
        self._rows, self._words = tensors["rows"], len(unigrams)
        self._rest = ClassSoftmax(unigrams, self._rows, named(tensors, PREFIX))
        fits = {name: weight.shape for name, weight in weights.items()} == configuration.shapes()
        fits &= len(self._rows) + 2 == configuration.vocabulary
        if not (fits and self._rest.width in (None, configuration.embedding)):
            raise ValueError(f"its network of words is none of {asdict(configuration)}")
        self._network = RecurrentNetwork(configuration, weights)
        self._symbols = symbol_table(self._rows, self._words)
        self._answered: tuple[States, Array, Array] | None = None  # the last states, outputs and probabilities

    def start(self) -> States:
        """Return the state at the beginning of a line."""
        return self._network.start()

    def step(self, states: States, symbols: Symbols) -> States:
        """Return the states after one more word each, given (batch,) lexicon ids."""
        return self._network.step(states, self._symbols[np.minimum(symbols, self._words + 1)])

    def outputs(self, states: States) -> Array:
        """Return (batch, embedding) what the decoder multiplies the word embeddings by."""
        return self._network.projected(states)

    def probabilities(self, states: States) -> Array:
        """Return (batch, words) the probability of each word of the lexicon, given that a word comes."""
        outputs, expected = self._expected(states)
        comes = 1 - expected[:, BOUNDARY, None]
        result = np.empty(
            (len(expected), self._words), dtype=np.float32
        )  # its own words and the rest are all there are
        result[:, self._rows] = expected[:, 2:] / comes
        result[:, self._rest.words] = expected[:, UNKNOWN, None] / comes * self._rest.shares(outputs)
        return result

    def sentence_ends(self, states: States) -> float:
        """Return the probability that the sentence ends, given a batch of one."""
        return float(self._expected(states)[1][0, BOUNDARY])

    def _expected(self, states: States) -> tuple[Array, Array]:
        """Return the outputs and the probability of each symbol, cached for the last states."""
        if self._answered is None or self._answered[0] is not states:
            outputs = self.outputs(states)
            self._answered = states, outputs, self._network.probabilities_of(outputs)
        return self._answered[1:]


def symbol_table(rows: NDArray[Any], words: int) -> NDArray[np.int32]:
    """Return (words + 2,) the network's symbol for each lexicon id: that of a word, the boundary, or unknown."""
    table = np.full(words + 2, UNKNOWN, dtype=np.int32)
    table[rows] = np.arange(len(rows)) + 2
    table[words] = BOUNDARY
    return table
