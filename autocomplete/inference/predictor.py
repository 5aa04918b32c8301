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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Self

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
        network = type(self).network(checkpoint.configuration, checkpoint.tensors)
        never = map(self._normalization.key, hidden)
        self._models = WordModels(checkpoint, network, counts, context, members, never)
        self._read = self._models.reader.read
        self._endings = self._models.endings
        self._trees: dict[Context, SearchTree] = {}  # by what stands before the word, the one used last being last
        self._tree(self._read("").context)

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
        line = self._read(text)
        tree = self._tree(line.context)
        return self._next(line, tree, self._nodes(tree, line), count)

    def suggest(self, text: str, count: int = 5) -> list[Suggestion]:
        """Return the most probable words that the end of a text can become by going on, best first."""
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
        Yield a prediction as it grows: first with characters only, then with one word more at a time, at last as a whole.

        Where a word stands right of the cursor, the words offered are those that fit there, too: of a word that the cursor is
        inside of, what is missing between its two ends; else words that the next one may follow. They come all at once.

        :param text: the line up to the cursor.
        :param count: words wanted.
        :param characters: next characters wanted.
        :param after: the rest of the line.
        :param preceding: the lines before it, the last one last.
        :param budget: instead of the predictor's own.
        """
        started = time.perf_counter()
        line = self._read(text, preceding)
        if len(line.typed) > _LONGEST_WORD:
            yield Prediction(text, (), (), True, 0.0, after)
            return
        gap = Gap.of(line.typed, after, self._models.reader.alphabet, in_context=self._in_context)
        tree = self._tree(line.context)
        nodes = self._nodes(tree, line)
        typed_characters = self._typed(line, tree, nodes)
        next_characters = tuple(self._next(line, tree, nodes, characters, ends=not after))
        goes_on = 1 - self._closed(line, tree, nodes)
        may_be_whole = line.typed and not gap.end and line.key not in self._models.hidden
        whole = goes_on * math.exp(tree.log_probabilities(nodes[-1])[BOUNDARY]) if may_be_whole else 0.0
        words: list[Suggestion] = []

        def prediction(exact: bool) -> Prediction:
            milliseconds = 1000 * (time.perf_counter() - started)
            return Prediction(text, next_characters, tuple(words), exact, milliseconds, after, typed_characters, whole)

        yield prediction(exact=False)
        budget = budget or self.budget
        wanted = _CANDIDATES if gap.narrows else count
        # Given that the word goes on: else hardly any were left where a whole one stands.
        floor = self.floor * max(1 - whole, _GOES_ON) / max(goes_on, self.floor, _LEAST)
        search = search_below(tree, nodes[-1], wanted, self._vocabulary, floor=floor, budget=budget)
        found = 0
        for found, word in enumerate(search, start=1):
            suggestion = gap.fill(self._suggestion(line, word, goes_on, space=not after), self._normalization)
            if suggestion is not None:
                words.append(suggestion)
            if not gap.narrows and found < count:
                yield prediction(exact=False)
        if gap.following:
            # What was typed is weighed among them: it may be what the next word follows.
            as_it_is = [Suggestion(line.typed, "", 0, False, whole, exact=True)] if whole else []
            weighed = self._weighed([*words, *as_it_is], line.context, gap.following, budget)
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
            line = self._read(text)
            sure *= self._endings.space(line.character_states, partial(self._models.sentence_ends, line))
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
            so_far = self._read(line[:i])
            tree = self._tree(so_far.context)
            expected = self._characters(so_far, tree, self._nodes(tree, so_far), possible=possible)
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

    def model(self, before: str = "") -> CharacterLanguageModel:
        """Return the model of the word after a line."""
        return self._models.after(self._read(before).context)

    def _tree(self, context: Context) -> SearchTree:
        """Return the search tree of the word after a context; nodes of an earlier one for that may be void from now on."""
        if self._models.evict_if_large():
            self._trees.clear()
        tree = self._trees.pop(context, None)
        if tree is None:
            while len(self._trees) >= _TREES:
                del self._trees[next(iter(self._trees))]
            tree = SearchTree(self._models.after(context), hidden=self._models.hidden)
        elif tree.memory > _TREE_MEMORY:
            tree.clear()
        self._trees[context] = tree
        return tree

    def _nodes(self, tree: SearchTree, line: Line) -> list[int]:
        """Return the places in a search tree of what was typed: of nothing, of the first symbol, and so on."""
        nodes = [ROOT]
        for symbol in line.symbols:
            nodes.append(tree.child(nodes[-1], symbol))
        return nodes

    def _characters(
        self,
        line: Line,
        tree: SearchTree,
        nodes: Sequence[int],
        least: float = 0.0,
        possible: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """
        Return (vocabulary,) the probability of each next character; in text, what ends a word is told apart again.

        :param nodes: as `_nodes` gives them.
        :param least: the probability of an end from which on it is worth telling which one.
        :param possible: (vocabulary,) 1 for what can come at all, 0 for the rest; without it, all can.
        """
        expected = np.exp(tree.log_probabilities(nodes[-1]).astype(np.float64))
        closed = self._closed(line, tree, nodes)
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

    def _closed(self, line: Line, tree: SearchTree, nodes: Sequence[int]) -> float:
        """Return the probability that what was typed is a word and, at last, an apostrophe that closes a quotation."""
        if self._endings is None or not line.key.endswith("'"):
            return 0.0
        closes = self._models.closing_chance(line, len(line.typed) - 1)
        word = np.exp(tree.log_probabilities(nodes[-2]))
        closing, inside = closes * word[BOUNDARY], word[self._endings.apostrophe]
        return float(closing / max(closing + inside, _LEAST))

    def _typed(self, line: Line, tree: SearchTree, nodes: Sequence[int]) -> tuple[NextCharacter, ...]:
        """Return the characters of what was typed of a word, each with its probability before it was."""
        characters = []
        symbols = iter(zip(line.symbols, nodes, strict=False))
        for place, character in enumerate(line.typed):
            probability = 1.0
            for symbol, node in islice(symbols, len(self._normalization.key(character))):
                row = tree.log_probabilities(node)
                expected = math.exp(row[symbol])
                if self._endings is not None and symbol == self._endings.apostrophe:
                    expected += math.exp(row[BOUNDARY]) * self._models.closing_chance(line, place)
                probability *= expected
            characters.append(NextCharacter(character, probability))
        return tuple(characters)

    def _weighed(self, words: list[Suggestion], context: Context, following: str, budget: Budget) -> list[Suggestion]:
        """Return words, best first, with their probabilities given the word that follows them on the line."""
        fits = []
        symbols = self._vocabulary.encode(self._normalization.key(following))
        for word in words:
            if budget.cancelled():
                return []
            after = self._read(context.before + word.word + " ", context.preceding).context
            [follows] = word_log_probabilities(self._models.after(after), [symbols])
            fits.append(word.probability * float(np.exp(follows)))
        # The words not looked at are taken to suit what follows as well as these do, one with another.
        scale = sum(word.probability for word in words) / max(sum(fits), _LEAST)
        weighed = [replace(word, probability=scale * fit) for word, fit in zip(words, fits, strict=True)]
        return sorted(weighed, key=lambda word: -word.probability)

    def _next(
        self, line: Line, tree: SearchTree, nodes: Sequence[int], count: int, *, ends: bool = True
    ) -> list[NextCharacter]:
        """Return the most probable next characters; the end of the line is one of them only if it may come here."""
        possible: NDArray[np.float64] | None = None
        if self._in_context and not ends:
            possible = np.ones(len(self._vocabulary))
            possible[BOUNDARY] = 0.0
        expected = self._characters(line, tree, nodes, self.floor, possible)
        expected[UNKNOWN] = 0.0
        best = np.argsort(-expected, kind="stable")[:count]
        return [
            NextCharacter(self._normalization.match_case(line.typed, self._character(symbol)), probability)
            for symbol, probability in zip(best.tolist(), expected[best].tolist(), strict=True)
            if probability >= self.floor
        ]

    def _character(self, symbol: int) -> str:
        """Return a next character as it would be typed: the boundary of a word is a space, that of a line its end."""
        return "\n" if symbol == BOUNDARY and self._in_context else self._vocabulary.character(symbol)

    def _suggestion(self, line: Line, found: FoundWord, goes_on: float, *, space: bool) -> Suggestion:
        """
        Return a word as it is offered; its probability is given that the word goes on, which has a probability, too.

        :param space: whether a space belongs behind it.
        """
        suffix = self._vocabulary.decode(found.suffix)
        key = line.key + suffix
        surface = self._surfaces.get(key, line.context.surfaces.get(key))
        if surface is None:
            replaces, insert = 0, self._normalization.match_case(line.typed, self._normalization.spell(suffix))
        else:
            replaces, insert = self._normalization.completion(line.typed, surface)
        kept = line.typed[: len(line.typed) - replaces]
        return Suggestion(kept + insert, insert, replaces, space, goes_on * found.probability, found.proved)
