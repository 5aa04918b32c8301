"""
Text in, suggestions out.

The predictor keeps the search tree of the words typed before, so one more letter costs one step of the model at most, a
letter that the last search went through costs none, nor does Backspace; after an edit in the middle of a word only
what follows is computed. A checkpoint of text predicts each word from the line before it; with a checkpoint of words there
is no context, and each word on a line starts afresh.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import CheckpointError
from autocomplete.inference.gap import Gap
from autocomplete.inference.open_search import search_below
from autocomplete.inference.prediction import NextCharacter, Prediction, Suggestion
from autocomplete.inference.search import Budget, FoundWord
from autocomplete.inference.word_models import Members, WordModels
from autocomplete.models.out_of_vocabulary import Network
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.storage.checkpoint import CONTEXT, Checkpoint, read_context, read_with_lexicon
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.lookup import DEFAULT, find_checkpoint
from autocomplete.text.blocklist import explicit_words
from autocomplete.text.normalization import APOSTROPHES, split_last_word
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["Members", "NextCharacter", "Prediction", "Predictor", "Suggestion"]

_TREES = 4  # words whose search trees are kept: Backspace often goes back, and a ghost may run on over some
_CANDIDATES = 12  # words that are tried in a gap
_LONGEST_WORD = 100  # letters; what is longer is no word but a key or a picture in letters that was pasted
_LEAST = 1e-30  # probability, to divide by
# Probability that a word goes on, at least, for the floor: for less, to look for words in no list takes long.
_GOES_ON = 0.1
_TREE_MEMORY = 8_000_000  # bytes; then it is begun again, which costs one step for each letter of the word


class Predictor:
    """
    Predicts the rest of a line from a checkpoint. For use from one thread at a time.

    :param lexicon: surfaces with their counts; may be empty, and then the network is asked alone.
    :param context: what a checkpoint of text knows of words in context, as `read_context` gives it.
    :param members: "mixture" asks all that the checkpoint has together, the others one of them.
    :param hidden: words that are never offered.
    :param floor: words and characters less probable than this are not offered; words given that one goes on, where
        that is not less probable than 0.1, and words of the lexicon beside those in no list down to a hundredth of it.
    :param budget: what one search may spend.
    :raises CheckpointError: where the lexicon is asked for and there is none, and for a checkpoint that reads from both sides.
    """

    network: Callable[[Configuration, Mapping[str, NDArray[Any]]], Network] = RecurrentNetwork

    def __init__(
        self,
        checkpoint: Checkpoint,
        lexicon: Mapping[str, float],
        context: tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]] | None = None,
        *,
        members: Members = "mixture",
        hidden: Iterable[str] = (),
        floor: float = 1e-3,
        budget: Budget | None = None,
    ) -> None:
        if checkpoint.configuration.bidirectional:
            raise CheckpointError(
                "this checkpoint reads from both sides: it fills gaps, with `autocomplete fill`, and cannot tell what comes "
                "next; give another"
            )
        self.checkpoint = checkpoint
        self.floor = floor
        self.budget = budget or Budget()
        self._normalization = checkpoint.normalization
        self._vocabulary = checkpoint.vocabulary
        surfaces = list(lexicon)
        keys = self._normalization.keys(surfaces)
        counts = dict(zip(keys, lexicon.values(), strict=True))
        if len(counts) < len(keys):
            counts = dict.fromkeys(keys, 0.0)
            for key, count in zip(keys, lexicon.values(), strict=True):
                counts[key] += count
        # Where several surfaces have one key, the first of them is shown.
        self._surfaces = {key: s for s, key in zip(reversed(surfaces), reversed(keys), strict=True) if s != key}
        self._in_context = checkpoint.unit == "text"
        letters = frozenset(character for character in self._vocabulary.characters if not character.isspace())
        self._alphabet = APOSTROPHES if self._in_context else letters
        network = type(self).network(checkpoint.configuration, checkpoint.tensors)
        never = map(self._normalization.key, hidden)
        self._models = WordModels(checkpoint, network, counts, context, members, never)
        self._endings = self._models.endings
        self._trees: dict[str, SearchTree] = {}  # by the line before the word, the one used last being last
        self._tree("")

    @classmethod
    def load(cls, name: str = DEFAULT, *, members: Members = "mixture", explicit: bool = False) -> Self:
        """
        Return the predictor of a checkpoint.

        :param name: of a checkpoint, or its folder.
        :param explicit: whether to offer slurs and obscenities, too.
        :raises CheckpointError: where it is missing or damaged.
        """
        folder = find_checkpoint(name)
        hidden = () if explicit else explicit_words()
        with ThreadPoolExecutor(1) as beside:  # to inflate the n-grams takes as long as to read the words
            reading = beside.submit(read_context, folder)
            checkpoint, lexicon = read_with_lexicon(folder)
            context = reading.result()
        if context is None and checkpoint.figures.get("mixture"):
            raise CheckpointError(f"{folder / CONTEXT}: missing; copy the checkpoint again")
        try:
            return cls(checkpoint, lexicon, context, members=members, hidden=hidden)
        except CheckpointError as error:
            raise CheckpointError(f"{folder}: {error}") from None

    def next_characters(self, text: str, count: int = 5) -> list[NextCharacter]:
        """Return the most probable next characters after a text, best first."""
        before, typed = self._split(text)
        tree = self._tree(before)
        return self._next(tree, self._node(tree, typed), before, typed, count)

    def suggest(self, text: str, count: int = 5) -> list[Suggestion]:
        """Return the most probable words that the end of a text can become by going on, best first."""
        return list(self.predict(text, count).words)

    def predict(self, text: str, count: int = 5, characters: int = 5, *, after: str = "") -> Prediction:
        """Return characters and words at once."""
        *_, last = self.stream(text, count, characters, after=after)
        return last

    def stream(
        self, text: str, count: int = 5, characters: int = 5, *, after: str = "", budget: Budget | None = None
    ) -> Iterator[Prediction]:
        """
        Yield a prediction as it grows: first with characters only, then with one word more at a time, at last as a whole.

        Where a word stands right of the cursor, the words offered are those that fit there, too: of a word that the cursor is
        inside of, what is missing between its two ends; else words that the next one may follow. They come all at once.

        :param text: the line up to the cursor.
        :param after: the rest of the line.
        :param budget: instead of the predictor's own.
        """
        started = time.perf_counter()
        before, typed = self._split(text)
        if len(typed) > _LONGEST_WORD:
            yield Prediction(text, (), (), True, 0.0, after)
            return
        gap = Gap.of(typed, after, self._alphabet, in_context=self._in_context)
        tree = self._tree(before)
        node = self._node(tree, typed)
        typed_characters = self._typed(tree, before, typed)
        next_characters = tuple(self._next(tree, node, before, typed, characters, ends=not after))
        goes_on = 1 - self._closed(tree, before, typed)
        may_be_whole = typed and not gap.end and self._normalization.key(typed) not in self._models.never
        whole = goes_on * math.exp(tree.log_probabilities(node)[BOUNDARY]) if may_be_whole else 0.0
        words: list[Suggestion] = []

        def prediction(exact: bool) -> Prediction:
            milliseconds = 1000 * (time.perf_counter() - started)
            return Prediction(text, next_characters, tuple(words), exact, milliseconds, after, typed_characters, whole)

        yield prediction(exact=False)
        budget = budget or self.budget
        on_line = self._models.surfaces(before)
        wanted = _CANDIDATES if gap.narrows else count
        # Given that the word goes on: else hardly any were left where a whole one stands.
        floor = self.floor * max(1 - whole, _GOES_ON) / max(goes_on, self.floor, _LEAST)
        search = search_below(tree, node, wanted, self._vocabulary, floor=floor, budget=budget)
        found = 0
        for found, word in enumerate(search, start=1):
            suggestion = gap.fill(self._suggestion(typed, word, goes_on, on_line), self._normalization)
            if suggestion is not None:
                words.append(suggestion)
            if not gap.narrows and found < count:
                yield prediction(exact=False)
        if gap.following:
            # What was typed is weighed among them: it may be what the next word follows.
            as_it_is = [Suggestion(typed, "", whole, exact=True)] if whole else []
            weighed = self._weighed([*words, *as_it_is], before, gap.following, budget)
            whole = sum((word.probability for word in weighed if not word.insert), 0.0)
            words = [word for word in weighed if word.insert]
        del words[count:]
        is_whole = found < wanted and not budget.cancelled()  # no word is left that might fit better
        yield prediction(search.exact and (is_whole or not gap.narrows))

    def continuation(
        self, prediction: Prediction, threshold: float, words: int = 3, *, budget: Budget | None = None
    ) -> str:
        """
        Return what follows the best guess of a prediction, as long as all of it together is probable enough.

        :param threshold: the least probability of the best guess and all that follows it.
        :param words: that may follow, at most.
        """
        budget = budget or self.budget
        following = ""
        best = prediction.best
        if self._endings is None or prediction.after or best is None:
            return following
        text, sure = prediction.text + best.insert, best.probability
        for _ in range(words):
            if sure < threshold or budget.cancelled():
                break
            before, typed = self._split(text)
            sure *= self._endings.space(before, typed)
            *_, answer = self.stream(text + " ", 1, 0, budget=budget)
            if not answer.words or (sure := sure * answer.words[0].probability) < threshold:
                break
            text += " " + answer.words[0].insert
            following += " " + answer.words[0].insert
        return following

    def score(self, line: str, among: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """
        Return how well a whole line is foreseen.

        :param among: the characters that can come at all, beside the line's end and what is unknown; all of them by default.
        :returns: for each character of it in turn, then for its end: the natural log probability, and the rank among all
            characters, 0 being the most probable; both (characters + 1,).
        """
        logs, ranks = np.empty(len(line) + 1), np.empty(len(line) + 1, dtype=np.int64)
        possible: NDArray[np.float64] | None = None
        if among is not None:
            possible = np.zeros(len(self._vocabulary))
            possible[[BOUNDARY, UNKNOWN, *self._vocabulary.encode(self._normalization.key(among))]] = 1.0
        for i in range(len(line) + 1):
            before, typed = self._split(line[:i])
            tree = self._tree(before)
            expected = self._characters(tree, self._node(tree, typed), before, typed, possible=possible)
            # One character may have a key of several symbols; what follows the first of them is not asked.
            symbol = self._vocabulary.encode(self._normalization.key(line[i]))[0] if i < len(line) else BOUNDARY
            if not self._in_context and i < len(line) and line[i].isspace():  # words alone: a space is their end
                symbol = BOUNDARY
            with np.errstate(divide="ignore"):
                logs[i] = np.log(expected[symbol])
            ranks[i] = int((expected > expected[symbol]).sum())
        return logs, ranks

    @property
    def members(self) -> tuple[Members, ...]:
        """What can be asked: the members that this checkpoint has, and the mixture of them."""
        return self._models.members

    def _split(self, text: str) -> tuple[str, str]:
        """Return the line before the last word, and the surface of what was typed of that."""
        before, typed = split_last_word(text, self._alphabet)
        return before if self._in_context else "", self._normalization.surface(typed)

    def _tree(self, before: str) -> SearchTree:
        """Return the search tree of the word after a line; nodes of an earlier one for that line may be void from now on."""
        if self._models.begin_again():
            self._trees.clear()
        tree = self._trees.pop(before, None)
        if tree is None:
            while len(self._trees) >= _TREES:
                del self._trees[next(iter(self._trees))]
            tree = SearchTree(self._models.after(before), hidden=self._models.hidden)
        elif tree.memory > _TREE_MEMORY:
            tree.clear()
        self._trees[before] = tree
        return tree

    def model(self, before: str = "") -> CharacterLanguageModel:
        """Return the model of the word after a line."""
        return self._models.after(before)

    def _node(self, tree: SearchTree, typed: str) -> int:
        """Return the place of what was typed in a search tree."""
        node = ROOT
        for symbol in self._vocabulary.encode(self._normalization.key(typed)):
            node = tree.child(node, symbol)
        return node

    def _characters(
        self,
        tree: SearchTree,
        node: int,
        before: str,
        typed: str,
        least: float = 0.0,
        possible: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """
        Return (vocabulary,) the probability of each next character; in text, what ends a word is told apart again.

        :param node: the place of what was typed of a word in the tree.
        :param least: the probability of an end from which on it is worth telling which one.
        :param possible: (vocabulary,) 1 for what can come at all, 0 for the rest; without it, all can.
        """
        expected = np.exp(tree.log_probabilities(node).astype(np.float64))
        closed = self._closed(tree, before, typed)
        expected *= 1 - closed
        end = float(expected[BOUNDARY]) + closed
        if self._endings is not None and end >= least:
            closes = 0.0 if closed else self._endings.closes(before, typed)
            expected[BOUNDARY] = 0.0
            shares = self._endings.shares(before, typed, end, possible)
            expected[self._endings.symbols(typed)] += end * (1 - closes) * shares
            expected[self._endings.apostrophe] += end * closes
        if possible is not None:
            expected *= possible
            expected /= expected.sum()
        return expected

    def _closed(self, tree: SearchTree, before: str, typed: str) -> float:
        """Return how probable it is that what was typed is a word and, at last, an apostrophe that closes a quotation."""
        if self._endings is None or self._normalization.key(typed[-1:]) != "'":
            return 0.0
        closes = self._endings.closes(before, typed[:-1])
        word = np.exp(tree.log_probabilities(self._node(tree, typed[:-1])))
        closing, inside = closes * word[BOUNDARY], word[self._endings.apostrophe]
        return float(closing / max(closing + inside, _LEAST))

    def _typed(self, tree: SearchTree, before: str, typed: str) -> tuple[NextCharacter, ...]:
        """Return the characters of what was typed of a word, each with its probability before it was."""
        characters = []
        node = ROOT
        for place, character in enumerate(typed):
            probability = 1.0
            for symbol in self._vocabulary.encode(self._normalization.key(character)):
                row = tree.log_probabilities(node)
                expected = math.exp(row[symbol])
                if self._endings is not None and symbol == self._endings.apostrophe:
                    expected += math.exp(row[BOUNDARY]) * self._endings.closes(before, typed[:place])
                probability *= expected
                node = tree.child(node, symbol)
            characters.append(NextCharacter(character, probability))
        return tuple(characters)

    def _weighed(self, words: list[Suggestion], before: str, following: str, budget: Budget) -> list[Suggestion]:
        """Return words, best first, with their probabilities given the word that follows them on the line."""
        fits = []
        for word in words:
            if budget.cancelled():
                return []
            fits.append(word.probability * self._probability(before + word.word + " ", following))
        # The words not looked at are taken to suit what follows as well as these do, one with another.
        scale = sum(word.probability for word in words) / max(sum(fits), 1e-30)
        weighed = [replace(word, probability=scale * fit) for word, fit in zip(words, fits, strict=True)]
        return sorted(weighed, key=lambda word: -word.probability)

    def _probability(self, before: str, word: str) -> float:
        """Return the probability of a word after a line."""
        model = self._models.after(before)
        state, log_probability = model.start(), 0.0
        for symbol in [*self._vocabulary.encode(self._normalization.key(word)), BOUNDARY]:
            log_probability += float(model.log_probabilities(state)[0, symbol])
            if symbol != BOUNDARY:
                state = model.step(state, [symbol])
        return float(np.exp(log_probability))

    def _next(
        self, tree: SearchTree, node: int, before: str, typed: str, count: int, *, ends: bool = True
    ) -> list[NextCharacter]:
        """Return the most probable next characters; the end of the line is one of them only if it may come here."""
        possible: NDArray[np.float64] | None = None
        if self._in_context and not ends:
            possible = np.ones(len(self._vocabulary))
            possible[BOUNDARY] = 0.0
        expected = self._characters(tree, node, before, typed, self.floor, possible)
        expected[UNKNOWN] = 0.0
        best = np.argsort(-expected, kind="stable")[:count]
        return [
            NextCharacter(self._normalization.match_case(typed, self._character(symbol)), probability)
            for symbol, probability in zip(best.tolist(), expected[best].tolist(), strict=True)
            if probability >= self.floor
        ]

    def _character(self, symbol: int) -> str:
        """Return a next character as it would be typed: the boundary of a word is a space, that of a line its end."""
        return "\n" if symbol == BOUNDARY and self._in_context else self._vocabulary.character(symbol)

    def _suggestion(self, typed: str, found: FoundWord, goes_on: float, on_line: Mapping[str, str]) -> Suggestion:
        """
        Return a word as it is offered; its probability is given that the word goes on, which has a probability, too.

        :param on_line: how words that are in no list are written on the line.
        """
        suffix = self._vocabulary.decode(found.suffix)
        key = self._normalization.key(typed) + suffix
        surface = self._surfaces.get(key, on_line.get(key))
        if surface is None:
            insert = self._normalization.match_case(typed, self._normalization.spell(suffix))
        else:
            insert = self._normalization.completion(typed, surface)
        return Suggestion(typed + insert, insert, goes_on * found.probability, found.proved)
