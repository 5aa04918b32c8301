"""What ends a word of running text: a blank, punctuation, the end of the line, or an apostrophe that closes a quotation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.protocol import CharacterLanguageModel, States, probabilities
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.text.words import ENDING

__all__ = ["Endings"]

# The word network is asked for the end of the sentence if the end of the word is at least this likely; its weight is for
# log-odds, tuned on validation text, Reddit comments and reviews (0.5 is best for tweets).
_LIKELY, _BY_WORDS = 0.2, 0.7


class Endings:
    """Predicts which symbol ends a word. BOUNDARY is the end of the line for `network`."""

    def __init__(self, network: CharacterLanguageModel, vocabulary: Vocabulary) -> None:
        self._predict = probabilities(network)
        begin, inside = vocabulary.word_symbols()
        self._symbols = np.flatnonzero(~inside), np.flatnonzero(~begin)  # once a word has begun, and before
        stops = [BOUNDARY, *vocabulary.encode("".join(ENDING & set(vocabulary.characters)))]
        self._stops = np.isin(self._symbols[0], stops)
        self._blank = self._symbols[0] == vocabulary.encode(" ")[0]
        self.apostrophe = vocabulary.encode("'")[0]

    def symbols(self, begun: bool) -> NDArray[np.int64]:
        """Return the symbols that are not letters of a word, depending on whether the word has begun."""
        return self._symbols[not begun]

    def shares(
        self,
        states: States,
        begun: bool,
        sentence_ends: Callable[[], float | None],
        end: float = 1.0,
        possible: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """
        Return the share of each of `symbols`, given that one of them comes.

        :param states: states of the character network, a batch of one.
        :param sentence_ends: computes the word network's probability that the sentence ends, None without such a network.
        :param end: the probability that one of the symbols comes.
        :param possible: (vocabulary,) 1 for symbols that may come, 0 for others; by default all may.
        """
        symbols = self.symbols(begun)
        shares: NDArray[np.float64] = self._predict(states)[0][symbols].astype(np.float64)
        if possible is not None:
            shares *= possible[symbols]
        shares /= shares.sum()
        if begun and end >= _LIKELY and 0 < (stops := float(shares[self._stops].sum())) < 1:
            by_words = sentence_ends()
            if by_words is not None:
                odds = (by_words / (1 - by_words)) ** _BY_WORDS * (stops / (1 - stops)) ** (1 - _BY_WORDS)
                shares *= np.where(self._stops, odds / stops, 1 / (1 - stops)) / (1 + odds)
        return shares

    def space(self, states: States, sentence_ends: Callable[[], float | None]) -> float:
        """Return the probability that a space follows a word, given that it ends; see `shares`."""
        return float(self.shares(states, True, sentence_ends)[self._blank].sum())
