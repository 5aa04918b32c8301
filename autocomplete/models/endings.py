"""What ends a word of running text: a blank, a mark, the end of the line, or an apostrophe that closes a quotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocomplete.models.next_words import NextWords
from autocomplete.models.protocol import CharacterLanguageModel, probabilities
from autocomplete.models.states import TextLine
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary
from autocomplete.text.words import ENDING, closing_chance

__all__ = ["Endings"]

# From which probability of a word's end on the network of words is asked whether a sentence ends there, and its weight in that,
# of odds: 0.7 is the best on validation text, Reddit comments and reviews, 0.5 on tweets.
_LIKELY, _BY_WORDS = 0.2, 0.7


class Endings:
    """
    Tells apart the symbols that are no letters of a word.

    :param network: of characters, in which BOUNDARY is the line's end.
    :param line: its states.
    :param next_words: asked whether a sentence ends, if given.
    :param letters_by_words: whether all letters of a word come from models of words, so that an apostrophe which closes a
        quotation is not among them.
    """

    def __init__(
        self,
        network: CharacterLanguageModel,
        line: TextLine,
        vocabulary: Vocabulary,
        next_words: NextWords | None,
        *,
        letters_by_words: bool,
    ) -> None:
        self._predict, self._line, self._next_words = probabilities(network), line, next_words
        self._letters_by_words = letters_by_words
        begin, inside = vocabulary.word_symbols()
        self._symbols = np.flatnonzero(~inside), np.flatnonzero(~begin)  # by whether no letter has been typed
        stops = [BOUNDARY, *vocabulary.encode("".join(ENDING & set(vocabulary.characters)))]
        self._stops = np.isin(self._symbols[0], stops)
        self._blank = self._symbols[0] == vocabulary.encode(" ")[0]
        self.apostrophe = vocabulary.encode("'")[0]

    def symbols(self, typed: str) -> NDArray[np.int64]:
        """Return those that are no letters of a word, of which so much has been typed."""
        return self._symbols[not typed]

    def shares(
        self, before: str, typed: str, end: float = 1.0, possible: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """
        Return the share of each of `symbols`, given that one of them comes.

        The network of characters tells them apart. But whether a sentence ends, the network of words knows better.

        :param before: the line before the word.
        :param end: how probable it is that one of them comes.
        :param possible: (vocabulary,) 1 for what can come at all, 0 for the rest; without it, all can.
        """
        symbols = self.symbols(typed)
        shares: NDArray[np.float64] = self._predict(self._line.state(before + typed))[0][symbols].astype(np.float64)
        if possible is not None:
            shares *= possible[symbols]
        shares /= shares.sum()
        if typed and end >= _LIKELY and self._next_words is not None:
            by_words = self._next_words.sentence_ends(before + typed)
            if by_words is not None and 0 < (stops := float(shares[self._stops].sum())) < 1:
                odds = (by_words / (1 - by_words)) ** _BY_WORDS * (stops / (1 - stops)) ** (1 - _BY_WORDS)
                shares *= np.where(self._stops, odds / stops, 1 / (1 - stops)) / (1 + odds)
        return shares

    def space(self, before: str, typed: str) -> float:
        """Return the probability that a space follows a word, given that it ends."""
        return float(self.shares(before, typed)[self._blank].sum())

    def closes(self, before: str, typed: str) -> float:
        """Return how probable it is that an apostrophe follows a word that ends here and closes a quotation."""
        return closing_chance(before + typed) if typed and self._letters_by_words else 0.0
