"""
Lines and words with gaps: what a bidirectional network learns from.

Every place of a row is a gap of a letter, and every rest of a word a gap of a word, so nothing has to be cut out of the text to
ask for it. Some letters are hidden besides, in runs: a network that has read on past unknown letters can fill several gaps
together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.corpus.encoded import Ids
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.optimization import to_device
from autocomplete.training.processes import ALONE, Processes

__all__ = ["GapBatch", "Rows", "Windows", "hide_runs", "rows_by_length", "word_ends"]

_RUNS, _RUN = 0.03, 3.0  # share of letters at which a hidden run begins, and its mean length: about a tenth is hidden
_ASKED = 0.5  # share of the gaps of words that are asked for: neighbours teach much the same, and each costs time


@dataclass(frozen=True)
class Rows:
    """Symbols that are read side by side."""

    symbols: NDArray[np.int64]  # (rows, time) ids, three at least in each row
    weights: NDArray[np.float64]  # (rows,) how often each row counts


@dataclass(frozen=True)
class GapBatch:
    """
    What is read, and what is asked for. The first and the last symbol of a row are never asked for.

    Places in `asked` and `ends` are those of `targets`, laid out flat with time first.
    """

    inputs: Tensor  # (rows, time) ids, some of them hidden
    targets: Tensor  # (rows, time) ids
    asked: Tensor  # (words,) places of the symbols that a gap of a word begins or goes on with
    ends: Tensor  # (words,) places where the right side of each of those gaps begins
    weights: Tensor  # (rows,) how often each row counts

    @classmethod
    def of(cls, rows: Rows, inside: NDArray[np.bool_], generator: np.random.Generator | None = None) -> GapBatch:
        """
        Return the batch of some rows.

        :param inside: (vocabulary,) which symbols are letters of words.
        :param generator: draws what is hidden, and which gaps of words are asked for; without it nothing is, and all are.
        """
        symbols = rows.symbols
        inputs = symbols if generator is None else hide_runs(symbols, inside, generator)
        ends = word_ends(symbols, inside)
        asked = ends > 0
        if generator is not None:
            asked &= generator.random(ends.shape) < _ASKED
        time, row = np.nonzero(asked.T)
        return cls(
            inputs=torch.from_numpy(inputs),
            targets=torch.from_numpy(symbols),
            asked=torch.from_numpy(time * len(symbols) + row),
            ends=torch.from_numpy(ends.T[time, row] * len(symbols) + row),
            weights=torch.from_numpy(rows.weights.astype(np.float32)),
        )

    def to(self, device: torch.device) -> GapBatch:
        """Return the batch with its tensors on a device."""
        return GapBatch(**{name: to_device(value, device) for name, value in vars(self).items()})


def word_ends(symbols: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """
    Return for each symbol of a word, and the one after it, the place of the first symbol from there on that is no letter.

    :returns: (rows, time) as `symbols`; 0 for what is no part of a word, and where the row ends before the word does.
    """
    time = symbols.shape[1]
    letters = inside[symbols]
    ends = np.where(letters, time, np.arange(time))
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    follows = np.zeros_like(letters)
    follows[:, 1:] = letters[:, 1:] | letters[:, :-1]
    return np.where(follows & (ends < time), ends, 0)


def hide_runs(
    symbols: NDArray[np.int64], inside: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return symbols with runs of letters replaced by UNKNOWN; what is no letter stays."""
    places = np.arange(symbols.shape[1])
    begins = generator.random(symbols.shape) < _RUNS
    last = np.maximum.accumulate(np.where(begins, places, -1), axis=1)
    lengths = generator.geometric(1 / _RUN, symbols.shape)
    run = np.take_along_axis(lengths, np.maximum(last, 0), axis=1)
    hidden = (last >= 0) & (places - last < run) & inside[symbols]
    return np.where(hidden, UNKNOWN, symbols)


class Windows:
    """
    Windows of a text: in half of them a line begins, in the other half one ends.

    So each stack often reads a line from its very beginning, as it will when a line is filled, and sometimes from within.

    :param ids: (n,) three symbols at least.
    :param batch: rows for each process.
    :param time: symbols of a row; fewer where the text is shorter.
    """

    def __init__(
        self, ids: Ids, batch: int, time: int, generator: np.random.Generator, processes: Processes = ALONE
    ) -> None:
        self._ids, self._generator = ids, generator
        self._time = min(max(time, 3), len(ids))
        self._batch = batch * processes.count
        self._rows = processes.own_rows(self._batch)

    def draw(self) -> Rows:
        """Return the rows of this process."""
        last = len(self._ids) - self._time
        starts = self._generator.integers(last + 1, size=self._batch)[self._rows]
        lines = self._ids[starts[:, None] + np.arange(self._time)] == BOUNDARY
        first = lines.argmax(axis=1)  # 0 where no line begins or ends
        starts += np.where(self._rows % 2 == 0, first, first + 1 - self._time) * lines.any(axis=1)
        starts = starts.clip(0, last)
        symbols = self._ids[starts[:, None] + np.arange(self._time)].astype(np.int64)
        return Rows(symbols, np.ones(len(symbols)))


def rows_by_length(
    ids: NDArray[np.integer], starts: NDArray[np.int64], stops: NDArray[np.int64], weights: NDArray[np.float64]
) -> Iterator[Rows]:
    """
    Yield words or lines with a boundary before and after each, those of one length together: nothing is padded.

    :param starts: (words,) where each word begins in the ids, (n,).
    :param stops: (words,) where each word ends; none is empty.
    """
    lengths = stops - starts
    for length in np.unique(lengths):
        chosen = lengths == length
        symbols = np.full((int(chosen.sum()), int(length) + 2), BOUNDARY, dtype=np.int64)
        symbols[:, 1:-1] = ids[starts[chosen][:, None] + np.arange(length)]
        yield Rows(symbols, weights[chosen])
