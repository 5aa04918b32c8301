"""
Somebody types phrases, key by key, and we look at what is suggested before each key.

What is suggested does not depend on whether suggestions are taken, for it is always the true text that stands before the
cursor. So every letter is typed once, and `measures` derives from the ranks how many keys the suggestions would have saved.
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
from autocomplete.text.normalize import Normalization

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
    What was suggested before each letter of some phrases.

    :param lengths: (words,) letters and apostrophes of each word.
    :param spaces: (words,) 1 where a space follows the word, 0 at the end of a phrase.
    :param ranks: (letters,) the place of the true word among the suggestions, from 1; 0 where it was not there.
    :param probabilities: (letters,) of the first suggestion; not a number where there was none.
    :param milliseconds: (letters,) that the suggestions took; not a number where none were asked for.
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

        :param ranks: one for each letter of each word, as it was before that letter was typed.
        """
        words = [phrase.split(" ") for phrase in phrases]
        lengths = np.array([len(word) for of_phrase in words for word in of_phrase], dtype=np.int64)
        spaces = np.ones_like(lengths)
        spaces[np.cumsum([len(of_phrase) for of_phrase in words], dtype=np.int64) - 1] = 0
        if len(ranks) != lengths.sum():
            raise ValueError(f"{len(ranks)} ranks for {lengths.sum()} letters")
        unknown = np.full(len(ranks), np.nan)
        return cls(
            lengths,
            spaces,
            np.array(ranks, dtype=np.int64),
            unknown if probabilities is None else np.array(probabilities, dtype=np.float64),
            unknown if milliseconds is None else np.array(milliseconds, dtype=np.float64),
        )

    @property
    def characters(self) -> int:
        """The number of characters in all phrases, line ends not counted."""
        return int(self.lengths.sum() + self.spaces.sum())

    @property
    def words(self) -> NDArray[np.int64]:
        """(letters,) the place of each letter's word in `lengths`."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def typed(self) -> NDArray[np.int64]:
        """(letters,) how many letters of its word stand before each letter."""
        starts = np.cumsum(self.lengths) - self.lengths
        return np.arange(len(self.ranks)) - np.repeat(starts, self.lengths)


def simulate(suggester: Suggester, phrases: Iterable[str], count: int = 5, *, fast: bool = False) -> Simulation:
    """
    Type phrases and return what was suggested.

    :param phrases: as `evaluation.phrases` makes them; each is read when the one before it has been typed.
    :param count: suggestions asked for.
    :param fast: do not ask again once a word is the first suggestion. Savings are the same; no other measure is.
    """
    typed: list[str] = []
    answers: list[tuple[int, float, float]] = []
    for phrase in phrases:
        typed.append(phrase)
        answers += _type(suggester, phrase, count, fast)
    ranks, probabilities, milliseconds = zip(*answers, strict=True) if answers else ((), (), ())
    return Simulation.of(typed, ranks, probabilities, milliseconds)


def _type(suggester: Suggester, phrase: str, count: int, fast: bool) -> Iterator[tuple[int, float, float]]:
    """Yield rank, probability of the first suggestion and milliseconds for each letter of a phrase."""
    text = with_capitals(phrase)
    start = 0
    for word in phrase.split(" "):
        key = _key(word)
        rank = 0
        for cursor in range(start, start + len(word)):
            if fast and rank == 1:
                yield 1, math.nan, math.nan
                continue
            started = time.perf_counter()
            offered = suggester.suggest(text[:cursor], count)
            milliseconds = 1000 * (time.perf_counter() - started)
            rank = next((place for place, offer in enumerate(offered, start=1) if _key(offer.word) == key), 0)
            yield rank, offered[0].probability if offered else math.nan, milliseconds
        start += len(word) + 1
