"""
Text in, suggestions out.

The predictor keeps the search tree of the words typed before, so one more letter costs one step of the model at most, a
letter that the last search went through costs none, nor does Backspace; after an edit in the middle of a word only
what follows is computed. With a checkpoint of words there is no context: each word on a line starts afresh.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.checkpoint import DEFAULT, Checkpoint, Configuration, find_checkpoint, read_checkpoint, read_lexicon
from autocomplete.errors import CheckpointError
from autocomplete.inference.lexicon import Lexicon
from autocomplete.inference.mixture import Mixture
from autocomplete.inference.model import CharacterLanguageModel
from autocomplete.inference.recurrent import RecurrentNetwork
from autocomplete.inference.search import ROOT, Budget, FoundWord, Search, SearchTree
from autocomplete.text.normalize import split_last_word
from autocomplete.text.vocabulary import UNKNOWN

__all__ = ["Members", "NextCharacter", "Prediction", "Predictor", "Suggestion"]

Members = Literal["mixture", "network", "lexicon"]

_TREE_MEMORY = 8_000_000  # bytes; then it is begun again, which costs one step for each letter of the word


@dataclass(frozen=True)
class NextCharacter:
    """A character that may come next, and its probability. A space stands for the end of the word."""

    character: str
    probability: float


@dataclass(frozen=True)
class Suggestion:
    """
    A whole word.

    :param word: as it will stand in the text: what was typed of it, then `insert`.
    :param insert: what accepting it inserts; empty where the word is already complete.
    :param probability: of the word, given what was typed.
    :param exact: whether the search has proved its rank.
    """

    word: str
    insert: str
    probability: float
    exact: bool


@dataclass(frozen=True)
class Prediction:
    """
    What may follow a text.

    :param next: the most probable next characters, best first.
    :param words: the most probable words, best first.
    :param exact: whether the search has proved that these are the best words; false also while it is going on.
    :param milliseconds: taken so far.
    """

    text: str
    next: tuple[NextCharacter, ...]
    words: tuple[Suggestion, ...]
    exact: bool
    milliseconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types; `exact` is said once, for all the words."""
        return {
            "text": self.text,
            "next": [{"character": n.character, "probability": round(n.probability, 6)} for n in self.next],
            "words": [{"word": w.word, "insert": w.insert, "probability": round(w.probability, 6)} for w in self.words],
            "exact": self.exact,
            "milliseconds": round(self.milliseconds, 3),
        }


class Predictor:
    """
    Predicts the rest of a line from a checkpoint. For use from one thread at a time.

    :param lexicon: surfaces with their counts; may be empty, and then the network is asked alone.
    :param members: "mixture" asks network and lexicon together, the others one of them.
    :param floor: words and characters less probable than this are not offered.
    :param budget: what one search may spend.
    :raises CheckpointError: where the lexicon is asked for and there is none.
    """

    network: Callable[[Configuration, Mapping[str, NDArray[Any]]], CharacterLanguageModel] = RecurrentNetwork

    def __init__(
        self,
        checkpoint: Checkpoint,
        lexicon: dict[str, float],
        *,
        members: Members = "mixture",
        floor: float = 1e-4,
        budget: Budget | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.floor = floor
        self.budget = budget or Budget()
        self._normalization = checkpoint.normalization
        self._vocabulary = checkpoint.vocabulary
        self._surfaces: dict[str, str] = {}
        counts: dict[str, float] = {}
        for surface, count in lexicon.items():
            key = self._normalization.key(surface)
            counts[key] = counts.get(key, 0.0) + count
            if key != surface:
                self._surfaces.setdefault(key, surface)
        self.model = self._build(members, counts)
        self._tree = SearchTree(self.model)
        self._alphabet = frozenset(character for character in self._vocabulary.characters if not character.isspace())

    @classmethod
    def load(cls, name: str = DEFAULT, *, members: Members = "mixture") -> Self:
        """
        Return the predictor of a checkpoint.

        :param name: of a checkpoint, or its folder.
        :raises CheckpointError: where it is missing or damaged.
        """
        folder = find_checkpoint(name)
        return cls(read_checkpoint(folder), read_lexicon(folder), members=members)

    def next_characters(self, text: str, count: int = 5) -> list[NextCharacter]:
        """Return the most probable next characters after a text, best first."""
        typed = self._typed(text)
        return self._next(self._node(typed), typed, count)

    def suggest(self, text: str, count: int = 5) -> list[Suggestion]:
        """Return the most probable words that the end of a text can become, best first."""
        return list(self.predict(text, count).words)

    def predict(self, text: str, count: int = 5, characters: int = 5) -> Prediction:
        """Return characters and words at once."""
        *_, last = self.stream(text, count, characters)
        return last

    def stream(
        self, text: str, count: int = 5, characters: int = 5, *, budget: Budget | None = None
    ) -> Iterator[Prediction]:
        """
        Yield a prediction as it grows: first with characters only, then with one word more at a time, at last as a whole.

        :param text: the line up to the cursor.
        :param budget: instead of the predictor's own.
        """
        started = time.perf_counter()
        typed = self._typed(text)
        node = self._node(typed)
        next_characters = tuple(self._next(node, typed, characters))
        words: list[Suggestion] = []

        def prediction(exact: bool) -> Prediction:
            milliseconds = 1000 * (time.perf_counter() - started)
            return Prediction(text, next_characters, tuple(words), exact, milliseconds)

        yield prediction(exact=False)
        search = Search(self._tree, node, count, floor=self.floor, budget=budget or self.budget)
        for found in search:
            words.append(self._suggestion(typed, found))
            if len(words) < count:
                yield prediction(exact=False)
        yield prediction(search.exact)

    def _build(self, members: Members, counts: dict[str, float]) -> CharacterLanguageModel:
        network = type(self).network(self.checkpoint.configuration, self.checkpoint.tensors)
        if members == "network" or (members == "mixture" and not counts):
            return network
        if not counts:
            raise CheckpointError("this checkpoint has no lexicon; ask its network instead")
        lexicon = Lexicon(list(counts), list(counts.values()), self._vocabulary)
        if members == "lexicon":
            return lexicon
        prior = self.checkpoint.network_prior
        return Mixture([network, lexicon], [prior, 1 - prior])

    def _typed(self, text: str) -> str:
        """Return the surface of what was typed of the last word."""
        return self._normalization.surface(split_last_word(text, self._alphabet)[1])

    def _node(self, typed: str) -> int:
        """Return the place of what was typed in the search tree."""
        if self._tree.memory > _TREE_MEMORY:
            self._tree.clear()
        node = ROOT
        for symbol in self._vocabulary.encode(self._normalization.key(typed)):
            node = self._tree.child(node, symbol)
        return node

    def _next(self, node: int, typed: str, count: int) -> list[NextCharacter]:
        probabilities = np.exp(self._tree.log_probabilities(node))
        probabilities[UNKNOWN] = 0.0
        best = np.argsort(-probabilities, kind="stable")[:count]
        return [
            NextCharacter(self._normalization.match_case(typed, self._vocabulary.character(symbol)), probability)
            for symbol, probability in zip(best.tolist(), probabilities[best].tolist(), strict=True)
            if probability >= self.floor
        ]

    def _suggestion(self, typed: str, found: FoundWord) -> Suggestion:
        suffix = self._vocabulary.decode(found.suffix)
        surface = self._surfaces.get(self._normalization.key(typed) + suffix)
        if surface is None:
            insert = self._normalization.match_case(typed, self._normalization.spell(suffix))
        else:
            insert = self._normalization.completion(typed, surface)
        return Suggestion(typed + insert, insert, found.probability, found.proved)
