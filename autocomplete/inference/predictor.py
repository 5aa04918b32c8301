"""
Text in, suggestions out.

The predictor keeps the search trees of recent words, so another letter costs at most one step of the model, and Backspace none.
A checkpoint of text predicts each word from the line before it; for a checkpoint of words, each word starts afresh.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.errors import CheckpointError
from autocomplete.inference.gap import Gap
from autocomplete.inference.line import Context, Line
from autocomplete.inference.prediction import NextCharacter, Prediction, Suggestion
from autocomplete.inference.search import Budget, FoundWord, search_below
from autocomplete.inference.word_models import Members, WordModels
from autocomplete.models.out_of_vocabulary import Network
from autocomplete.models.protocol import CharacterLanguageModel, word_log_probabilities
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.storage.checkpoint import CONTEXT, Checkpoint, read_context, read_with_lexicon
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.lookup import DEFAULT, find_checkpoint
from autocomplete.text.blocklist import explicit_words
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN

__all__ = ["Members", "NextCharacter", "Prediction", "Predictor", "Suggestion"]

_TREES = 4  # cached search trees, for Backspace and for ghost text of several words
_CANDIDATES = 12  # words that are tried in a gap
_LONGEST_WORD = 100  # letters; longer input is not a word, but a pasted key or ASCII art
_LEAST = 1e-30  # least divisor of a probability
_GOES_ON = 0.1  # least probability, for the floor, that a word goes on: with less, the search takes too long
_TREE_MEMORY = 8_000_000  # greatest size of a search tree in bytes


class _Position(NamedTuple):
    """A line and the search tree of the word at the cursor."""

    line: Line
    tree: SearchTree
    nodes: list[int]  # before each symbol of the word, and after the last


class Predictor:
    """
    Predicts the rest of a line from a checkpoint. For use from one thread at a time.

    :param lexicon: surfaces with their counts; if empty, the network is asked alone.
    :param context: the word models of a checkpoint of text, as `read_context` returns them.
    :param members: the model to ask, or "mixture" for all together.
    :param hidden: words that are never offered.
    :param floor: the least probability of a character, or of a word given that the one at the cursor goes on. Beside an
        out-of-vocabulary model, words of the lexicon are offered down to a hundredth of it.
    :param budget: what one search may spend.
    :raises CheckpointError: if the checkpoint does not have the model to ask, or is bidirectional.
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
        self._alphabet = checkpoint.alphabet
        self._vocabulary = checkpoint.vocabulary
        surfaces = list(lexicon)
        keys = self._alphabet.keys(surfaces)
        counts = dict(zip(keys, lexicon.values(), strict=True))
        if len(counts) < len(keys):
            counts = dict.fromkeys(keys, 0.0)
            for key, count in zip(keys, lexicon.values(), strict=True):
                counts[key] += count
        # The first of several surfaces with the same key is shown.
        self._surfaces = {key: s for s, key in zip(reversed(surfaces), reversed(keys), strict=True) if s != key}
        self._in_context = checkpoint.unit == "text"
        network = type(self).network(checkpoint.configuration, checkpoint.tensors)
        hidden_keys = map(self._alphabet.key, hidden)
        self._models = WordModels(checkpoint, network, counts, context, members, hidden_keys)
        self._read = self._models.reader.read
        self._endings = self._models.endings
        # By the text before the word and the lines before it; the one used last is the last.
        self._trees: dict[tuple[str, tuple[str, ...]], SearchTree] = {}
        self._tree(self._read("").context)

    @classmethod
    def load(cls, name: str = DEFAULT, *, members: Members = "mixture", explicit: bool = False) -> Self:
        """
        Load a checkpoint.

        :param name: name or folder of the checkpoint.
        :param explicit: whether to offer slurs and obscenities, too.
        :raises CheckpointError: if the checkpoint is missing or damaged.
        """
        folder = find_checkpoint(name)
        hidden = () if explicit else explicit_words()
        with ThreadPoolExecutor(1) as beside:  # decompressing the n-grams takes as long as reading the words
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
        return self._next(self._position(self._read(text)), count)

    def suggest(self, text: str, count: int = 5) -> list[Suggestion]:
        """Return the most probable words that continue the last word of a text, best first."""
        return list(self.predict(text, count).words)

    def predict(
        self, text: str, count: int = 5, characters: int = 5, *, after: str = "", preceding: Sequence[str] = ()
    ) -> Prediction:
        """Return characters and words at once; see `stream` for the parameters."""
        *_, last = self.stream(text, count, characters, after=after, preceding=preceding)
        return last

    def stream(
        self,
        text: str,
        count: int = 5,
        characters: int = 5,
        *,
        after: str = "",
        preceding: Sequence[str] = (),
        budget: Budget | None = None,
    ) -> Iterator[Prediction]:
        """
        Yield a prediction as it grows: characters only, then one more word at a time, at last the whole.

        If the cursor is inside a word, the words offered fit its end; if a word follows, they are ranked by how well it follows
        them. Then they come all at once.

        :param text: the line up to the cursor.
        :param count: number of words.
        :param characters: number of next characters.
        :param after: the rest of the line.
        :param preceding: the lines before this one, in order.
        :param budget: a budget in place of the predictor's.
        """
        started = time.perf_counter()
        line = self._read(text, preceding)
        if len(line.typed) > _LONGEST_WORD:
            yield Prediction(text, (), (), True, 0.0, after)
            return
        gap = Gap.of(line.typed, after, self._models.reader.inner, in_context=self._in_context)
        position = self._position(line)
        tree, nodes = position.tree, position.nodes
        typed_characters = self._typed(position)
        next_characters = tuple(self._next(position, characters, ends=not after))
        goes_on = 1 - self._closed(position)
        may_be_whole = line.typed and not gap.end and line.key not in self._models.hidden
        whole = goes_on * math.exp(tree.log_probabilities(nodes[-1])[BOUNDARY]) if may_be_whole else 0.0
        words: list[Suggestion] = []

        def prediction(exact: bool) -> Prediction:
            milliseconds = 1000 * (time.perf_counter() - started)
            return Prediction(text, next_characters, tuple(words), exact, milliseconds, after, typed_characters, whole)

        yield prediction(exact=False)
        budget = budget or self.budget
        wanted = _CANDIDATES if gap.narrows else count
        # The floor is for words given that this one goes on; else few were left after a whole word.
        floor = self.floor * max(1 - whole, _GOES_ON) / max(goes_on, self.floor, _LEAST)
        search = search_below(tree, nodes[-1], wanted, self._vocabulary, floor=floor, budget=budget)
        found = 0
        for found, word in enumerate(search, start=1):
            suggestion = gap.fill(self._suggestion(line, word, goes_on, space=not after), self._alphabet)
            if suggestion is not None:
                words.append(suggestion)
            if not gap.narrows and found < count:
                yield prediction(exact=False)
        if gap.following:
            # The typed word is ranked among them: the next word may follow it.
            as_it_is = [Suggestion(line.typed, "", 0, False, whole, exact=True)] if whole else []
            weighed = self._weighed([*words, *as_it_is], line.context, gap.following, budget)
            whole = sum((word.probability for word in weighed if not word.insert), 0.0)
            words = [word for word in weighed if word.insert]
        del words[count:]
        is_whole = found < wanted and not budget.cancelled()  # no word is left that may fit better
        yield prediction(search.exact and (is_whole or not gap.narrows))

    def continuation(
        self, prediction: Prediction, threshold: float, words: int = 3, *, budget: Budget | None = None
    ) -> str:
        """
        Return further words after the best guess of a prediction, as long as all of it is probable enough.

        :param threshold: the least probability of the best guess and all words after it.
        :param words: the greatest number of further words.
        """
        budget = budget or self.budget
        best = prediction.best
        if self._endings is None or prediction.after or best is None:
            return ""
        start = text = prediction.text + best.insert
        sure = best.probability
        for _ in range(words):
            if sure < threshold or budget.cancelled():
                break
            line = self._read(text)
            sure *= self._endings.space(line.character_states, partial(self._models.sentence_ends, line))
            *_, answer = self.stream(text + " ", 1, 0, budget=budget)
            if not answer.words or (sure := sure * answer.words[0].probability) < threshold:
                break
            text += " " + answer.words[0].insert
        return text[len(start) :]

    def score(self, line: str, among: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """
        Return (characters + 1,) the natural log probability and the rank, from 0, of each character of a line and of its end.

        :param among: the only possible characters, beside the line's end and unknown ones; by default all are possible.
        """
        logs, ranks = np.empty(len(line) + 1), np.empty(len(line) + 1, dtype=np.int64)
        possible: NDArray[np.float64] | None = None
        if among is not None:
            possible = np.zeros(len(self._vocabulary))
            possible[[BOUNDARY, UNKNOWN, *self._vocabulary.encode(self._alphabet.key(among))]] = 1.0
        for i in range(len(line) + 1):
            expected = self._characters(self._position(self._read(line[:i])), possible=possible)
            symbol = BOUNDARY  # the end of the line, or, without context, of a word
            if i < len(line) and (self._in_context or not line[i].isspace()):
                # A character may have several symbols, of which the first counts.
                symbol = self._vocabulary.encode(self._alphabet.key(line[i]))[0]
            with np.errstate(divide="ignore"):
                logs[i] = np.log(expected[symbol])
            ranks[i] = int((expected > expected[symbol]).sum())
        return logs, ranks

    @property
    def members(self) -> tuple[Members, ...]:
        """The models that this checkpoint has, and their mixture."""
        return self._models.members

    def model(self, before: str = "") -> CharacterLanguageModel:
        """Return the model of the word after a line."""
        return self._models.after(self._read(before).context)

    def _tree(self, context: Context) -> SearchTree:
        """Return the search tree of the word after a context. Nodes from an earlier call may be void now."""
        if self._models.evict_if_large():
            self._trees.clear()
        key = context.before, context.preceding
        tree = self._trees.pop(key, None)
        if tree is None:
            while len(self._trees) >= _TREES:
                del self._trees[next(iter(self._trees))]
            tree = SearchTree(self._models.after(context), hidden=self._models.hidden)
        elif tree.memory > _TREE_MEMORY:
            tree.clear()
        self._trees[key] = tree
        return tree

    def _position(self, line: Line) -> _Position:
        tree, nodes = self._tree(line.context), [ROOT]
        for symbol in line.symbols:
            nodes.append(tree.child(nodes[-1], symbol))
        return _Position(line, tree, nodes)

    def _characters(
        self, position: _Position, least: float = 0.0, possible: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """
        Return (vocabulary,) the probability of each next character.

        :param least: the probability of the end of a word from which on the symbols that end it are told apart.
        :param possible: (vocabulary,) 1 for symbols that may come, 0 for others; by default all may.
        """
        line, tree, nodes = position
        expected = np.exp(tree.log_probabilities(nodes[-1]).astype(np.float64))
        closed = self._closed(position)
        expected *= 1 - closed
        end = float(expected[BOUNDARY]) + closed
        if self._endings is not None and end >= least:
            closes = 0.0 if closed else self._models.closing_chance(line, len(line.typed))
            expected[BOUNDARY] = 0.0
            begun, sentence_ends = bool(line.typed), partial(self._models.sentence_ends, line)
            shares = self._endings.shares(line.character_states, begun, sentence_ends, end, possible)
            expected[self._endings.symbols(begun)] += end * (1 - closes) * shares
            expected[self._endings.apostrophe] += end * closes
        if possible is not None:
            expected *= possible
            expected /= expected.sum()
        return expected

    def _closed(self, position: _Position) -> float:
        """Return the probability that what was typed is a word and an apostrophe that closes a quotation."""
        line, tree, nodes = position
        if self._endings is None or not line.key.endswith("'"):
            return 0.0
        closes = self._models.closing_chance(line, len(line.typed) - 1)
        word = np.exp(tree.log_probabilities(nodes[-2]))
        closing, inside = closes * word[BOUNDARY], word[self._endings.apostrophe]
        return float(closing / max(closing + inside, _LEAST))

    def _typed(self, position: _Position) -> tuple[NextCharacter, ...]:
        """Return the typed characters of the word, each with its probability before it was typed."""
        line, tree, nodes = position
        characters = []
        symbols = iter(zip(line.symbols, nodes, strict=False))
        for length, character in enumerate(line.typed):
            probability = 1.0
            for symbol, node in islice(symbols, len(self._alphabet.key(character))):
                row = tree.log_probabilities(node)
                expected = math.exp(row[symbol])
                if self._endings is not None and symbol == self._endings.apostrophe:
                    expected += math.exp(row[BOUNDARY]) * self._models.closing_chance(line, length)
                probability *= expected
            characters.append(NextCharacter(character, probability))
        return tuple(characters)

    def _weighed(self, words: list[Suggestion], context: Context, following: str, budget: Budget) -> list[Suggestion]:
        """Return words, best first, with their probabilities given the next word of the line."""
        fits = []
        symbols = self._vocabulary.encode(self._alphabet.key(following))
        for word in words:
            if budget.cancelled():
                return []
            after = self._read(context.before + word.word + " ", context.preceding).context
            [follows] = word_log_probabilities(self._models.after(after), [symbols])
            fits.append(word.probability * float(np.exp(follows)))
        # On average, words that are not looked at are taken to fit as well as these.
        scale = sum(word.probability for word in words) / max(sum(fits), _LEAST)
        weighed = [replace(word, probability=scale * fit) for word, fit in zip(words, fits, strict=True)]
        return sorted(weighed, key=lambda word: -word.probability)

    def _next(self, position: _Position, count: int, *, ends: bool = True) -> list[NextCharacter]:
        """Return the most probable next characters; the line may end here only if `ends`."""
        inside = np.arange(len(self._vocabulary)) != BOUNDARY
        possible = None if ends or not self._in_context else inside.astype(np.float64)
        expected = self._characters(position, self.floor, possible)
        expected[UNKNOWN] = 0.0
        best = np.argsort(-expected, kind="stable")[:count]
        return [
            NextCharacter(self._alphabet.match_case(position.line.typed, self._character(symbol)), probability)
            for symbol, probability in zip(best.tolist(), expected[best].tolist(), strict=True)
            if probability >= self.floor
        ]

    def _character(self, symbol: int) -> str:
        """Return a next character as it is typed: BOUNDARY is a line feed in text, a space in a list of words."""
        return "\n" if symbol == BOUNDARY and self._in_context else self._vocabulary.character(symbol)

    def _suggestion(self, line: Line, found: FoundWord, goes_on: float, *, space: bool) -> Suggestion:
        """Return a word as it is offered, given the probability that what was typed goes on."""
        suffix = self._vocabulary.decode(found.suffix)
        key = line.key + suffix
        surface = self._surfaces.get(key, line.context.surfaces.get(key))
        if surface is None:
            replaces, insert = 0, self._alphabet.match_case(line.typed, self._alphabet.spell(suffix))
        else:
            replaces, insert = self._alphabet.completion(line.typed, surface)
        kept = line.typed[: len(line.typed) - replaces]
        return Suggestion(kept + insert, insert, replaces, space, goes_on * found.probability, found.proved)
