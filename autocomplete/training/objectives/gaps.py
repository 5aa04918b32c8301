"""
A lesson in filling gaps: the words of lists or the lines of a text, with a gap at every place.

Held-out words and lines are chosen as for a network that reads forward, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.running_text import RunningText
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.batching.gaps import GapBatch, Rows, Windows, rows_by_length
from autocomplete.training.batching.prefixes import WordSampler
from autocomplete.training.batching.streams import choose_source
from autocomplete.training.networks.bidirectional import BidirectionalRNN, GapKind
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.lessons import Loss, TextLesson, WordsLesson
from autocomplete.training.objectives.validation import prediction_figures, ranks
from autocomplete.training.optimization import autocast
from autocomplete.training.processes import ALONE, Processes
from autocomplete.training.settings import TrainingSettings

__all__ = ["GapLesson", "gap_loss", "measure_gaps"]

_LISTED = 0.1  # share of the steps that read words by themselves, where there is a list beside a text
_LONGEST = 400  # characters of a line that is measured
_QUICK = 30_000  # characters of the held-out text that a validation reads, as it reads them one line length at a time
_KINDS: tuple[GapKind, ...] = ("letter", "word")


class GapLesson:
    """
    What a `BidirectionalRNN` learns from.

    :param validation: text to measure on; without it, the end of the corpus is held out.
    :param background: text to read beside that of the corpus, as it is.
    """

    def __init__(
        self,
        corpus: Corpus,
        settings: TrainingSettings,
        generator: np.random.Generator,
        validation: RunningText | None = None,
        background: RunningText | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self._generator, self._processes, self._bptt = generator, processes, settings.bptt
        self._windows: list[Windows] = []
        source: TextLesson | WordsLesson
        # What is measured: what was learned, then what was held out; and less of that for a validation.
        if corpus.text is not None:
            forward = replace(settings, rare=0.0)  # nothing is spelled here but gaps
            source = TextLesson(corpus, forward, generator, validation, background, processes)
            self._windows = [Windows(ids, settings.batch, settings.bptt, generator, processes) for ids in source.ids]
            self._listed = _LISTED * any(kind.startswith("word") for kind in corpus.kinds)
            order = self._seen = np.arange(len(corpus.words))
            self._measured = [list(_lines(ids)) for ids in (source.training_sample, source.held_out_sample)]
            self._quick, self._unseen = list(_lines(source.held_out_sample[:_QUICK])), 1.0
        else:
            source = WordsLesson(corpus, settings, generator, processes)
            order, self._seen, measured = source.words.order, source.seen, source.validation
            ids, starts = source.vocabulary.encode_words([corpus.words[i] for i in order])
            held_out = measured.held_out, corpus.counts[order][measured.held_out]
            parts = (measured.sample, measured.sample_weights), held_out
            self._measured = [list(rows_by_length(ids, starts[i], starts[i + 1], weights)) for i, weights in parts]
            self._quick, self._unseen = self._measured[1], measured.unseen
        self.unit: Literal["words", "text"] = source.unit
        self.vocabulary, self.held_out, self.highest_rate = source.vocabulary, source.held_out, source.highest_rate
        self.judged_by, self.lexicon = source.judged_by, source.lexicon
        self._inside = self.vocabulary.word_symbols()[1]
        self._words, counts = [corpus.words[i] for i in order], corpus.counts[order][self._seen]
        self._sampler = WordSampler(counts, settings.alpha, settings.draws * processes.count, generator)

    def loss(self, model: CharRNN, precision: str, progress: float) -> Loss:
        """Return the loss of the next windows of the text, or of the next words drawn."""
        assert isinstance(model, BidirectionalRNN)
        listed = not self._windows or (self._listed and self._generator.random() < self._listed)
        windows = self._word_windows() if listed else choose_source(self._windows, progress, self._generator)
        rows = windows.draw()
        # What one process hides must not change what all of them draw.
        own = np.random.default_rng([int(self._generator.integers(2**32)), self._processes.rank])
        batch = GapBatch.of(rows, self._inside, own).to(model.device)
        return Loss(gap_loss(model, batch, precision), float(rows.symbols.size))

    def _word_windows(self) -> Windows:
        """Return words drawn by count as the lines of a text: packed so, they are learned twice as fast as each by itself."""
        rows, times = self._sampler.draw()
        drawn = self._generator.permutation(np.repeat(self._seen[rows], times.astype(np.int64)))
        ids = self.vocabulary.encode_lines([self._words[i] for i in drawn])
        batch = max(1, len(ids) // (self._bptt * self._processes.count))
        return Windows(ids, batch, self._bptt, self._generator, self._processes)

    def bits(self, model: CharRNN) -> tuple[float, float]:
        """Return the bits per letter asked for by which networks are compared, and those of what the network never sees."""
        assert isinstance(model, BidirectionalRNN)
        held_out = _bits(measure_gaps(model, self._quick, self._inside))
        learned = 0.0 if self._unseen == 1 else _bits(measure_gaps(model, self._measured[0], self._inside))
        return (1 - self._unseen) * learned + self._unseen * held_out, held_out

    def figures(self, model: CharRNN) -> dict[str, Any]:
        """Return the figures of what was learned and of what was held out, for gaps of a letter and of a word."""
        assert isinstance(model, BidirectionalRNN)
        learned, held_out = (measure_gaps(model, rows, self._inside) for rows in self._measured)
        return {
            "training": learned["letter"],
            "held_out": held_out["letter"],
            "training_word_gaps": learned["word"],
            "held_out_word_gaps": held_out["word"],
            f"held_out_{'lines' if self._windows else 'words'}": self.held_out,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: draws depend on the random generator only."""
        return {}

    def load(self, tensors: dict[str, Tensor], device: torch.device) -> None:
        """Do nothing."""


def gap_loss(model: BidirectionalRNN, batch: GapBatch, precision: str) -> Tensor:
    """Return the mean cross entropy per letter asked for, in gaps of a letter and of a word alike, in nats."""
    with autocast(batch.inputs.device, precision):
        answers = _answers(model, batch)
    losses = [functional.cross_entropy(logits.float(), targets, reduction="sum") for logits, targets, _ in answers]
    return torch.stack(losses).sum() / sum(len(targets) for _, targets, _ in answers)


def _answers(model: BidirectionalRNN, batch: GapBatch) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return logits (n, vocabulary), targets (n,) and weights (n,) of the gaps of a letter, then of those of a word."""
    forward, backward = (states.transpose(0, 1) for states in model.read(batch.inputs))  # (time, rows, hidden)
    targets, rows = batch.targets.t(), len(batch.weights)
    letters = model.answer(forward[:-2].flatten(0, 1), backward[2:].flatten(0, 1), "letter")
    before = forward.flatten(0, 1)[batch.asked - rows]
    words = model.answer(before, backward.flatten(0, 1)[batch.ends], "word")
    return [
        (letters, targets[1:-1].flatten(), batch.weights.repeat(len(targets) - 2)),
        (words, targets.flatten()[batch.asked], batch.weights[batch.asked % rows]),
    ]


@torch.no_grad()
def measure_gaps(
    model: BidirectionalRNN, parts: Iterable[Rows], inside: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """
    Measure a network, in its own precision, on gaps of a letter (every symbol of every row) and of a word.

    :param inside: (vocabulary,) which symbols are letters of words.
    :returns: figures per letter asked for, by the kind of gap.
    """
    model.eval()
    sums = torch.zeros(len(_KINDS), 4, dtype=torch.float64)
    for part in parts:
        for kind, (logits, targets, weights) in enumerate(_answers(model, GapBatch.of(part, inside).to(model.device))):
            rank = ranks(logits, targets)
            losses = functional.cross_entropy(logits, targets, reduction="none")
            figures = torch.stack([losses, torch.ones_like(losses), (rank < 1).float(), (rank < 3).float()])
            sums[kind] += (figures @ weights).double().cpu()
    model.train()
    return {
        kind: prediction_figures(*figures) | {"asked": figures[1]}
        for kind, figures in zip(_KINDS, sums.tolist(), strict=True)
    }


def _bits(figures: dict[str, dict[str, float]]) -> float:
    """Return the bits per letter of both kinds of gaps together, as the loss has them."""
    asked = sum(kind["asked"] for kind in figures.values())
    return sum(kind["bits_per_character"] * kind["asked"] for kind in figures.values()) / max(asked, 1e-9)


def _lines(ids: NDArray[Any]) -> Iterable[Rows]:
    """Return the lines of a text that has a boundary before and after each."""
    ends = np.flatnonzero(ids == BOUNDARY)
    if len(ends) < 2:
        ends = np.array([-1, len(ids)])
    starts, stops = ends[:-1] + 1, ends[1:]
    stops = np.minimum(stops, starts + _LONGEST)
    full = stops > starts
    return rows_by_length(ids, starts[full], stops[full], np.ones(int(full.sum())))
