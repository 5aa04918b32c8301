"""
The models of the next word of a line, and their mixture.

A checkpoint of words has one model: the mixture of its network and its lexicon. A checkpoint of text has one for each line: word
n-grams and a word network predict the words of the lexicon, a unigram cache those of the line, and all others are spelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import CheckpointError
from autocomplete.inference.line import Context, Line, LineReader
from autocomplete.models.endings import Endings
from autocomplete.models.hidden_words import HiddenWords
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.mixture import Mixture
from autocomplete.models.next_words import NextWords
from autocomplete.models.open_vocabulary import OpenVocabulary
from autocomplete.models.out_of_vocabulary import Network, out_of_vocabulary_model
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.rare_words import RareWords
from autocomplete.models.search_tree import SearchTree
from autocomplete.models.within_word import WithinWord
from autocomplete.models.word_network import WordNetwork
from autocomplete.models.word_ngrams import NGrams
from autocomplete.storage.checkpoint import Checkpoint
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.words import closing_chance

__all__ = ["Members", "WordModels"]

Members = Literal["mixture", "network", "lexicon", "ngrams", "words"]
# Tensors and metadata, as `read_context` returns them.
ContextFile = tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]

_WORD_MEMBERS: tuple[Members, ...] = ("lexicon", "ngrams", "words")
_FEW = 4  # cached lexicons of the out-of-vocabulary words of a line
_OOV_MEMORY = 6_000_000  # greatest size in bytes of the tree of out-of-vocabulary words, which all lines share


class WordModels:
    """
    The models of the next word in a checkpoint, all together or one of them.

    :param counts: the counts of the lexicon by key; if empty, the network is asked alone.
    :param context: the word models of a checkpoint of text.
    :param members: the model to ask, or the mixture of all.
    :param hidden: keys that are never offered.
    :raises CheckpointError: if the checkpoint has no such model, or its files do not fit together.

    :ivar reader: reads lines for these models.
    :ivar endings: predicts which symbol ends a word of text; None with a checkpoint of words.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: Network,
        counts: Mapping[str, float],
        context: ContextFile | None,
        members: Members,
        hidden: Iterable[str],
    ) -> None:
        self._network, self._vocabulary, self._prior = network, checkpoint.vocabulary, checkpoint.network_prior
        self.hidden = HiddenWords(hidden, self._vocabulary)
        self._lexicon = Lexicon(list(counts), list(counts.values()), self._vocabulary) if counts else None
        self._next_words: NextWords | None = None
        self.endings: Endings | None = None
        self._oov: SearchTree | None = None
        # A small lexicon takes half a millisecond.
        self._few = lru_cache(_FEW)(lambda words: Lexicon(list(words), [1.0] * len(words), self._vocabulary))
        in_context = checkpoint.unit == "text"
        if in_context:
            self.endings = Endings(network, self._vocabulary)
            if context is not None and self._lexicon is not None:
                self._read(*context, self._lexicon)
        if members not in self.members:
            if members == "lexicon":
                raise CheckpointError("this checkpoint has no lexicon; ask its network instead")
            raise CheckpointError(f"this checkpoint has no member {members}; it has {', '.join(self.members)}")
        self._members = members
        self.reader = LineReader(
            self._vocabulary,
            checkpoint.alphabet,
            network if in_context else None,
            () if self._lexicon is None else self._lexicon.words,
            None if self._next_words is None else self._next_words.network,
        )

    def _read(self, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any], lexicon: Lexicon) -> None:
        """Create the word models of a checkpoint of text."""
        try:
            ngrams = NGrams.from_tensors(named(tensors, "ngrams."))
            if ngrams.start != len(lexicon.words):
                raise ValueError(f"it has {ngrams.start} words, its lexicon {len(lexicon.words)}")
            network = None
            if of_network := named(tensors, "network."):
                network = WordNetwork(Configuration(**metadata["configuration"]), of_network, ngrams.unigrams)
            self._next_words = NextWords(ngrams, tensors["weights"], network)
            if rare := named(tensors, "rare."):
                spelled = tensors["spelled"]
                if len(spelled) != len(lexicon.words):
                    raise ValueError(f"it spells {len(spelled)} words, its lexicon has {len(lexicon.words)}")
                rare_words = RareWords.from_tensors(**rare)
                model = out_of_vocabulary_model(self._network, self._vocabulary, lexicon, spelled, rare_words)
                self._oov = SearchTree(model, hidden=self.hidden)
                self._offered = self.hidden.offered(lexicon.words)
        except (LookupError, TypeError, ValueError) as error:
            misfit = f"its context.safetensors does not fit the rest of it ({error})"
            raise CheckpointError(f"{misfit}; train it again, or copy it again") from None

    @property
    def members(self) -> tuple[Members, ...]:
        """The models that this checkpoint has, and their mixture."""
        words: tuple[Members, ...] = () if self._lexicon is None else ("lexicon",)
        if self._next_words is not None:
            words = tuple(name for name in _WORD_MEMBERS if name in (*words, *self._next_words.components))
        return ("mixture", "network", *words)

    def after(self, context: Context) -> CharacterLanguageModel:
        """Return the model of the word after a context."""
        network, lexicon = self._network, self._lexicon
        if self.endings is None:
            if self._members == "network" or lexicon is None:
                return network
            return lexicon if self._members == "lexicon" else self._mixed(network, lexicon)
        word = WithinWord(network, context.character_states, self._vocabulary)
        if self._members == "network" or lexicon is None:
            return word
        begins = min(float(word.word_begins()[0]), 1.0)
        if self._members == "lexicon":
            return lexicon.weighed(lexicon.counts, begins)
        if self._next_words is None:
            return self._mixed(word, lexicon.weighed(lexicon.counts, begins))
        component = None if self._members == "mixture" else self._members
        expected = self._next_words.distribution(context.ids, context.word_states, component)
        known = lexicon.weighed(expected.in_vocabulary, begins)
        share = expected.oov_mass
        if component is not None:
            return known
        if self._oov is None:
            return Mixture([word, known], [share, 1 - share])
        cached = {context.key(word): mass for word, mass in expected.cached.items()}
        cached = {key: mass for key, mass in cached.items() if key not in self.hidden}
        if not cached:
            return OpenVocabulary(self._oov, known, share, begins, self._offered)
        few = self._few(frozenset(cached))
        repeated = few.weighed(np.array([cached[key] for key in few.words]), begins)
        return OpenVocabulary(self._oov, known, share, begins, self._offered, repeated, sum(cached.values()))

    def sentence_ends(self, line: Line) -> float | None:
        """Return the word network's probability that a sentence ends after a line; None without such a network."""
        if self._members != "mixture" or self._next_words is None or self._next_words.network is None:
            return None
        states = line.word_states
        assert states is not None
        return self._next_words.network.sentence_ends(states)

    def closing_chance(self, line: Line, length: int) -> float:
        """Return the probability that an apostrophe closes a quotation after `length` letters of a word, given that it ends."""
        if self._oov is None or not length:
            return 0.0  # without an out-of-vocabulary model, the apostrophe is a letter of the network
        *before, token = line.context.tokens
        return closing_chance([*before, token + line.typed[:length]])

    def _mixed(self, network: CharacterLanguageModel, lexicon: Lexicon) -> Mixture:
        return Mixture([network, lexicon], [self._prior, 1 - self._prior])

    def evict_if_large(self) -> bool:
        """Clear the tree of out-of-vocabulary words if it is too large; return whether models of `after` are now void."""
        if self._oov is None or self._oov.memory <= _OOV_MEMORY:
            return False
        self._oov.clear()
        return True
