"""
Which models foresee the next word of a line, and how they are put together.

A checkpoint of words has one model for all words: its network and its lexicon, mixed. One of text has another for each line:
words of the lexicon are as probable as word n-grams and a network of words expect them there, all others are spelled, and
those that the line itself has are known beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import CheckpointError
from autocomplete.models.endings import Endings
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.mixture import Mixture
from autocomplete.models.next_words import NextWords
from autocomplete.models.open_vocabulary import OpenVocabulary
from autocomplete.models.out_of_vocabulary import Network, unknown_words
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.search_tree import SearchTree, hidden_words
from autocomplete.models.states import TextLine
from autocomplete.models.within_word import WithinWord
from autocomplete.storage.checkpoint import Checkpoint

__all__ = ["Members", "WordModels"]

Members = Literal["mixture", "network", "lexicon", "ngrams", "words"]

_WORD_MEMBERS: tuple[Members, ...] = ("lexicon", "ngrams", "words")
_FEW = 4  # sets of words of a line that need not be put in order again
_LEAST = 1e-30  # probability, of a word of the lexicon as it is spelled; with none at all it would be no word
_UNKNOWN_MEMORY = 6_000_000  # bytes, of the tree of words in no lexicon, which all lines share; then it is begun again


class WordModels:
    """
    The models of the next word that a checkpoint has, all together or one of them.

    :param counts: of the words of its lexicon, by key; may be empty, and then the network is asked alone.
    :param context: what a checkpoint of text knows of words in context, as `read_context` gives it.
    :param hidden: keys that are never offered.
    :raises CheckpointError: where the checkpoint has no such member.

    :ivar hidden: the keys that are never offered, for a search.
    :ivar never: the same as a set.
    :ivar endings: what tells apart the symbols that end a word of text; None with a checkpoint of words, which has no context.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: Network,
        counts: Mapping[str, float],
        context: tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]] | None,
        members: Members,
        hidden: Iterable[str],
    ) -> None:
        self._network, self._vocabulary, self._prior = network, checkpoint.vocabulary, checkpoint.network_prior
        self.never = frozenset(hidden)
        self.hidden = hidden_words(map(self._vocabulary.encode, self.never))
        self._lexicon = Lexicon(list(counts), list(counts.values()), self._vocabulary) if counts else None
        self._line: TextLine | None = None
        self._next_words: NextWords | None = None
        self.endings: Endings | None = None
        self._unknown: SearchTree | None = None  # of words in no lexicon
        # To put a few words in order takes half a millisecond.
        self._few = lru_cache(_FEW)(lambda words: Lexicon(list(words), [1.0] * len(words), self._vocabulary))
        if checkpoint.unit == "text":
            self._line = TextLine(network, self._vocabulary, checkpoint.normalization)
            if context is not None and self._lexicon is not None:
                self._next_words = NextWords(self._lexicon.words, *context, self._vocabulary, checkpoint.normalization)
                self._unknown = self._tree_of_unknown(self._next_words, self._lexicon)
                self._offered = np.array([word not in self.never for word in self._lexicon.words])
        self._members = self._check(members)
        if self._line is not None:
            next_words = self._next_words if members == "mixture" else None
            parts = network, self._line, self._vocabulary, next_words
            self.endings = Endings(*parts, letters_by_words=self._unknown is not None)

    def _tree_of_unknown(self, next_words: NextWords, lexicon: Lexicon) -> SearchTree | None:
        """Return the search tree of the words that the lexicon lacks, where the checkpoint has learned to spell them."""
        if next_words.rare is None:
            return None
        masses = np.maximum(np.exp(next_words.spelled.astype(np.float32)), _LEAST)
        spelled = lexicon.weighed(masses, 1.0)
        model = unknown_words(self._network, self._vocabulary, spelled, float(masses.sum()), next_words.rare)
        return SearchTree(model, hidden=self.hidden)

    @property
    def members(self) -> tuple[Members, ...]:
        """What can be asked: the members that this checkpoint has, and the mixture of them."""
        words: tuple[Members, ...] = () if self._lexicon is None else ("lexicon",)
        if self._next_words is not None:
            words = tuple(name for name in _WORD_MEMBERS if name in (*words, *self._next_words.members))
        return ("mixture", "network", *words)

    def _check(self, members: Members) -> Members:
        if members in self.members:
            return members
        if members == "lexicon":
            raise CheckpointError("this checkpoint has no lexicon; ask its network instead")
        raise CheckpointError(f"this checkpoint has no member {members}; it has {', '.join(self.members)}")

    def after(self, before: str) -> CharacterLanguageModel:
        """Return the model of the word after a line."""
        network, lexicon = self._network, self._lexicon
        if self._line is None:
            if self._members == "network" or lexicon is None:
                return network
            return lexicon if self._members == "lexicon" else self._mixed(network, lexicon)
        word = WithinWord(network, self._line.state(before), self._vocabulary)
        if self._members == "network" or lexicon is None:
            return word
        begins = min(word.word_begins(), 1.0)
        if self._members == "lexicon":
            return lexicon.weighed(lexicon.counts, begins)
        if self._next_words is None:
            return self._mixed(word, lexicon.weighed(lexicon.counts, begins))
        if self._members != "mixture":
            return lexicon.weighed(self._next_words.distribution(before, self._members).known, begins)
        expected = self._next_words.distribution(before)
        known = lexicon.weighed(expected.known, begins)
        share = expected.unknown
        if self._unknown is None:
            return Mixture([word, known], [share, 1 - share])
        again = {word: mass for word, mass in expected.repeated.items() if word not in self.never}
        if not again:
            return OpenVocabulary(self._unknown, known, share, begins, self._offered)
        few = self._few(frozenset(again))
        repeated = few.weighed(np.array([again[word] for word in few.words]), begins)
        return OpenVocabulary(self._unknown, known, share, begins, self._offered, repeated, sum(again.values()))

    def surfaces(self, before: str) -> dict[str, str]:
        """Return how the words of a line that the lexicon lacks are written, by key."""
        return {} if self._next_words is None else self._next_words.surfaces(before)

    def _mixed(self, network: CharacterLanguageModel, lexicon: Lexicon) -> Mixture:
        return Mixture([network, lexicon], [self._prior, 1 - self._prior])

    def begin_again(self) -> bool:
        """Forget the words in no lexicon once they take too much memory, and return whether: what `after` gave is void then."""
        if self._unknown is None or self._unknown.memory <= _UNKNOWN_MEMORY:
            return False
        self._unknown.clear()
        return True
