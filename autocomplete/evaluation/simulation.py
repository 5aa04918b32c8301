"""
Somebody types phrases, key by key, and we look at what is suggested before each key.

What is suggested does not depend on whether suggestions are taken, for it is always the true text that stands before the
cursor. So every key is pressed once, and `measures` derives from the ranks how many of them the suggestions would have saved.

The keys of a word are its letters and the space that ends it; nothing is typed after the last word of a phrase. Before that
space the word meant stands there whole: nothing is left to suggest, and a suggester that gives it all the same is right.

Where a quotation begins with a word, the phrase has an apostrophe before it, and once that is typed, the word may be suggested
with it or without: whichever is taken, the text is the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from autocomplete.evaluation.phrases import with_capitals
from autocomplete.text.normalization import Normalization

__all__ = ["Simulation", "Suggester", "Word", "simulate"]

_key = Normalization().key  # what words are compared on


class Word(Protocol):
    """A suggestion; `Suggestion` of the predictor is one."""

    @property
    def word(self) -> str:
        """The whole word, as it would stand in the text."""

    @property
    def probability(self) -> float:
        """Of the word, given the text; not a number where the suggester has none."""


class Suggester(Protocol):
    """Whatever completes words; a `Predictor` is one."""

    def suggest(self, text: str, count: int) -> Sequence[Word]:
        """Return the words that the end of a text can become, best first, `count` at most."""


@dataclass(frozen=True)
class Simulation:
    """
    What was suggested before each key of some phrases: each letter, and each space that follows a word.

    :param lengths: (words,) letters and apostrophes of each word.
    :param spaces: (words,) 1 where a space follows the word, 0 at the end of a phrase.
    :param ranks: (keys,) the place of the true word among the suggestions, from 1; 0 where it was not there.
    :param probabilities: (keys,) of the first suggestion; not a number where there was none.
    :param milliseconds: (keys,) that the suggestions took; not a number where none were asked for.
    """

    lengths: NDArray[np.int64]
    spaces: NDArray[np.int64]
    ranks: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    milliseconds: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        phrases: Iterable[str],
        ranks: Sequence[int],
        probabilities: Sequence[float] | None = None,
        milliseconds: Sequence[float] | None = None,
    ) -> Self:
        """
        Return the simulation of which the answers are known, wherever they come from.

        :param ranks: one for each key, as it was before that was pressed.
        :raises ValueError: for more ranks than keys, or fewer.
        """
        words = [phrase.split(" ") for phrase in phrases]
        lengths = np.array([len(word) for of_phrase in words for word in of_phrase], dtype=np.int64)
        spaces = np.ones_like(lengths)
        spaces[np.cumsum([len(of_phrase) for of_phrase in words], dtype=np.int64) - 1] = 0
        unknown = np.full(len(ranks), np.nan)
        simulation = cls(
            lengths,
            spaces,
            np.array(ranks, dtype=np.int64),
            unknown if probabilities is None else np.array(probabilities, dtype=np.float64),
            unknown if milliseconds is None else np.array(milliseconds, dtype=np.float64),
        )
        if len(ranks) != simulation.characters:
            raise ValueError(f"{len(ranks)} ranks for {simulation.characters} keys")
        return simulation

    @property
    def characters(self) -> int:
        """The number of characters in all phrases, line ends not counted: one for each key."""
        return int(self.lengths.sum() + self.spaces.sum())

    @property
    def words(self) -> NDArray[np.int64]:
        """(keys,) the place in `lengths` of the word that each key belongs to."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths + self.spaces)

    @property
    def typed(self) -> NDArray[np.int64]:
        """(keys,) how many letters of its word stand before each key; before a space all of them."""
        of_word: NDArray[np.int64] = self.lengths + self.spaces
        starts = np.cumsum(of_word) - of_word
        return np.arange(len(self.ranks)) - np.repeat(starts, of_word)


def simulate(suggester: Suggester, phrases: Iterable[str], count: int = 5, *, fast: bool = False) -> Simulation:
    """
    Type phrases and return what was suggested.

    :param phrases: as `evaluation.phrases` makes them; each is read when the one before it has been typed.
    :param count: suggestions asked for.
    :param fast: do not ask before spaces, nor again once a word is the first suggestion. Savings are the same; no other
        measure is.
    """
    typed: list[str] = []
    answers: list[tuple[int, float, float]] = []
    for phrase in phrases:
        typed.append(phrase)
        answers += _type(suggester, phrase, count, fast)
    ranks, probabilities, milliseconds = zip(*answers, strict=True) if answers else ((), (), ())
    return Simulation.of(typed, ranks, probabilities, milliseconds)


def _type(suggester: Suggester, phrase: str, count: int, fast: bool) -> Iterator[tuple[int, float, float]]:
    """Yield rank, probability of the first suggestion and milliseconds for each key of a phrase."""
    text = with_capitals(phrase)
    start = 0
    for word in phrase.split(" "):
        key = _key(word)
        quoted = key.lstrip("'")  # without the apostrophe that opens a quotation
        rank = 0
        end = start + len(word)
        for cursor in range(start, min(end + 1, len(text))):
            if fast and (cursor == end or rank == 1):
                yield 0 if cursor == end else 1, math.nan, math.nan
                continue
            started = time.perf_counter()
            offered = suggester.suggest(text[:cursor], count)
            milliseconds = 1000 * (time.perf_counter() - started)
            meant = {key, quoted} if cursor - start >= len(key) - len(quoted) else {key}
            rank = next((place for place, offer in enumerate(offered, start=1) if _key(offer.word) in meant), 0)
            yield rank, offered[0].probability if offered else math.nan, milliseconds
        start = end + 1
