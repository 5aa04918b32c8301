"""How probable each word is to come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import CheckpointError
from autocomplete.models.cache import repetitions
from autocomplete.models.class_softmax import PREFIX, Tail
from autocomplete.models.protocol import Array
from autocomplete.models.rare_words import RareWords
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.states import StatesAlong, recent
from autocomplete.models.word_ngrams import NGrams
from autocomplete.storage.byte_matrix import unpacked
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.normalization import Normalization
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.text.words import running_words

__all__ = ["Expected", "NextWords"]

_REMEMBERED = 4096  # words whose numbers need not be looked up again


_LINES = 8  # that need not be taken apart again


_MISFIT = "its context.safetensors does not fit the rest of it"


_REMEDY = "train it again, or copy it again"


class Expected(NamedTuple):
    """
    What is expected of the word after a line. The three make up 1.

    :param known: (words,) how probable each word of the lexicon is.
    :param unknown: how probable it is that the word is none of these: the share of what spells.
    :param repeated: how probable each word is that the lexicon lacks, but the line has, by key, for having stood there.
    """

    known: Array
    unknown: float
    repeated: dict[str, float]


class _Word(NamedTuple):
    """A word of a line: as it is written, its key, its number, and whether it begins a sentence."""

    surface: str
    key: str
    number: int
    begins: bool


class NextWords:
    """
    How probable each word is to come next: word n-grams and, where there is one, a network of words, and what stands on the line.

    :param words: the lexicon's, in the order of their ids.
    :param tensors: as the checkpoint has them.
    :raises CheckpointError: where they do not fit the lexicon.
    """

    def __init__(
        self,
        words: Sequence[str],
        tensors: Mapping[str, NDArray[Any]],
        metadata: Mapping[str, Any],
        vocabulary: Vocabulary,
        normalization: Normalization,
    ) -> None:
        self._normalization = normalization
        self._count = len(words)
        # Of a network of characters that has learned to spell words that the lexicon lacks: some of them, and the natural log
        # probability that it gives to each word of the lexicon, (words,).
        self.rare: RareWords | None = None
        self.spelled: NDArray[Any] = np.zeros(0)
        self._number = lru_cache(_REMEMBERED)(partial(vocabulary.find, words))  # a dictionary of all would take 5 MB
        self._words = lru_cache(_LINES)(self._read)
        symbols = (np.flatnonzero(mask).tolist() for mask in vocabulary.word_symbols())
        self._begin, self._inside = (frozenset(vocabulary.decode(each)) for each in symbols)  # of a word
        self._network: RecurrentNetwork | None = None
        try:
            self._ngrams = NGrams.from_tensors(named(tensors, "ngrams."))
            self._weights = tensors["weights"]
            if rare := named(tensors, "rare."):
                self.spelled = tensors["spelled"]
                self.rare = RareWords.from_tensors(**rare)
            network = named(tensors, "network.")
            fits = self._ngrams.start == len(words)
            fits &= self._weights.shape == (self._ngrams.order, 3 if network else 2)
            fits &= len(self.spelled) == (len(words) if rare else 0)
            if network:
                self._rows = network.pop("rows")
                configuration = Configuration(**metadata["configuration"])
                self._tail = Tail(self._ngrams.unigrams, self._rows, named(network, PREFIX))
                weights = unpacked({name: array for name, array in network.items() if not name.startswith(PREFIX)})
                fits &= self._tail.width in (None, configuration.embedding)
                fits &= {name: weight.shape for name, weight in weights.items()} == configuration.shapes()
                fits &= len(self._rows) + 2 == configuration.vocabulary
                self._network = RecurrentNetwork(configuration, weights)
        except (LookupError, TypeError, ValueError) as error:
            raise CheckpointError(f"{_MISFIT} ({error}); {_REMEDY}") from None
        if not fits:
            raise CheckpointError(f"{_MISFIT}; {_REMEDY}")
        self._expected: tuple[list[int], Array, Array] | None = None  # what the network was asked last, and its answer
        if self._network is not None:
            self._own = np.full(len(words) + 2, UNKNOWN, dtype=np.int32)  # what the network calls a word
            self._own[self._rows] = np.arange(len(self._rows)) + 2
            self._own[len(words)] = BOUNDARY
            self._states = StatesAlong(self._network)

    @property
    def members(self) -> tuple[str, ...]:
        """The names of what predicts here."""
        return ("ngrams",) if self._network is None else ("ngrams", "words")

    def _read(self, text: str) -> list[_Word]:
        """Return the words of a line, and one that follows, to tell whether it begins a sentence."""
        words = []
        for surface, begins in running_words(recent(text) + "x"):
            number = self._number(key := self._normalization.key(surface))
            words.append(_Word(surface, key, self._ngrams.other if number is None else number, begins))
        return words

    def numbers(self, text: str) -> list[int]:
        """Return the words of a line as numbers, with that of a beginning before the first word of each sentence."""
        start = self._ngrams.start
        numbers = [number for word in self._words(text) for number in ([start] if word.begins else []) + [word.number]]
        return numbers[:-1]

    def distribution(self, text: str, member: str | None = None) -> Expected:
        """
        Return what is expected after a line.

        :param member: the only one to ask; by default all, each by its weight.
        """
        context = self.numbers(text)
        if member == "words":
            result = np.zeros(self._count, dtype=np.float32)
            self._add_network(context, 1.0, result)
            return Expected(result, 0.0, {})
        ngrams = context[-self._ngrams.order + 1 :]
        if member == "ngrams":
            return Expected(self._ngrams.distribution(ngrams)[0], 0.0, {})
        result, length = self._ngrams.distribution(ngrams, self._weights[:, 1].tolist())
        if self._network is not None:
            self._add_network(context, float(self._weights[length, 2]), result)
        return self._with_repetitions(text, result, float(self._weights[length, 0]))

    def _with_repetitions(self, text: str, known: Array, unknown: float) -> Expected:
        """Return what is expected when the words of the line are taken into account, too; `known` is changed."""
        words = self._words(text)[:-1]
        unigrams, count = self._ngrams.unigrams, self._count
        frequencies = [float(unigrams[word.number]) if word.number < count else 0.0 for word in words]
        found = repetitions([word.key for word in words], frequencies)
        numbers = {word.key: word.number for word in words}
        repeated = {key: mass for key, mass in found.items() if numbers[key] >= count and self._can_spell(key)}
        again = {numbers[key]: mass for key, mass in found.items() if numbers[key] < count}
        scale = 1 / (1 + sum(again.values()) + sum(repeated.values()))
        known *= scale
        for number, mass in again.items():
            known[number] += scale * mass
        return Expected(known, scale * unknown, {key: scale * mass for key, mass in repeated.items()})

    def _can_spell(self, key: str) -> bool:
        """Return whether a key has letters only that words have."""
        return key[0] in self._begin and self._inside.issuperset(key)

    def surfaces(self, text: str) -> dict[str, str]:
        """Return how the words of a line that the lexicon lacks are written inside of a sentence, by key."""
        return {
            word.key: word.surface
            for word in self._words(text)[:-1]
            if word.number == self._ngrams.other and not word.begins
        }

    def _add_network(self, context: Sequence[int], weight: float, result: Array) -> None:
        """Add what the network of words expects, times a weight."""
        outputs, expected = self._network_expects(context)
        expected = expected * (weight / (1 - expected[BOUNDARY]))  # given that a word comes
        result[self._tail.words] += expected[UNKNOWN] * self._tail.shares(outputs)
        result[self._rows] += expected[2:]

    def sentence_ends(self, text: str) -> float | None:
        """Return how probable the network of words takes it that a sentence ends with a text; None where there is no network."""
        return None if self._network is None else float(self._network_expects(self.numbers(text + " "))[1][BOUNDARY])

    def _network_expects(self, context: Sequence[int]) -> tuple[Array, Array]:
        """
        Return the outputs of the network of words, (embedding,), and how probable each symbol is next, (vocabulary,).

        It is asked for them twice: where a word may end, and where it has.
        """
        assert self._network is not None
        own = self._own_symbols(context)
        if self._expected is None or own != self._expected[0]:
            outputs = self._network.projected(self._states.after(own))
            self._expected = own, outputs[0], self._network.probabilities_of(outputs)[0]
        return self._expected[1:]

    def _own_symbols(self, context: Sequence[int]) -> list[int]:
        """Return words as the network calls them, without the boundary that it has read when it starts."""
        own: list[int] = self._own[np.array(context)].tolist()
        return own[1:] if own[0] == BOUNDARY else own
