"""
Typing, simulated: what is suggested before each key of some phrases.

The true text always stands before the cursor, so every key is pressed once, whatever is suggested; `measures` derives from the
ranks which keys the suggestions would have saved.

The keys of a word are its letters and the space that ends it; nothing is typed after the last word of a phrase. Before that
space the word stands there whole: a suggester that gives it all the same is right. A word behind the apostrophe that opens a
quotation may be suggested with it or without.
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
from autocomplete.text.alphabets.letters import Letters

__all__ = ["Simulation", "Suggester", "Word", "simulate"]

_key = Letters().key  # what words are compared on


class Word(Protocol):
    """A suggestion: a whole word, and its probability, not a number where the suggester has none."""

    @property
    def word(self) -> str: ...  # noqa: D102
    @property
    def probability(self) -> float: ...  # noqa: D102


class Suggester(Protocol):
    """Whatever completes words; a `Predictor` is one."""

    def suggest(self, text: str, count: int) -> Sequence[Word]:
        """Return the words that the end of a text can become, best first, `count` at most."""


@dataclass(frozen=True)
class Simulation:
    """
    What was suggested before each key of some phrases.

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
        """Return the simulation with known answers, one for each key; raise ValueError for more of them than keys, or fewer."""
        words = [phrase.split(" ") for phrase in phrases]
        unknown = [math.nan] * len(ranks)
        simulation = cls(
            np.array([len(word) for of_phrase in words for word in of_phrase], dtype=np.int64),
            np.array([left > 1 for each in words for left in range(len(each), 0, -1)], dtype=np.int64),
            np.array(ranks, dtype=np.int64),
            np.array(unknown if probabilities is None else probabilities, dtype=np.float64),
            np.array(unknown if milliseconds is None else milliseconds, dtype=np.float64),
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
    :param fast: whether not to ask before spaces, nor once a word is the first suggestion; only the savings stay the same.
    """
    typed: list[str] = []
    answers: list[tuple[int, float, float]] = []  # ranks, probabilities, milliseconds
    for phrase in phrases:
        typed.append(phrase)
        answers += _type(suggester, phrase, count, fast)
    return Simulation.of(typed, *(zip(*answers, strict=True) if answers else ([],)))


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
