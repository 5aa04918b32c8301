"""
What a run learns from and is judged by: a list of words, or a text.

A lesson knows its data; the loop in `trainer` knows steps, validations and files.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.encoded import EncodedText, FileArray, Ids
from autocomplete.corpus.running_text import RunningText
from autocomplete.text.normalization import without_marks
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.training.batching.prefixes import PrefixBatch, Words, WordSampler
from autocomplete.training.batching.streams import Streams, choose_source, stream_loss
from autocomplete.training.measure import measure
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.validation import Validation, hold_out, measure_text
from autocomplete.training.optimization import autocast
from autocomplete.training.origin import Origin
from autocomplete.training.processes import ALONE, Processes
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.words.context import TUNED, choose_words, rare_words

__all__ = ["Lesson", "Loss", "TextLesson", "WordsLesson", "learnable_characters", "text_ids"]

_RAREST = 1e-6  # share of a long text below which a character is not worth a symbol
_MEASURED = 100_000  # characters of the held-out text that a validation reads
_RARE_HELD_OUT = 2_000  # rare words that are measured on, or a twentieth of them
_RARE_WEIGHT = 0.1  # of these beside the characters of text
_RUN_TOGETHER = 0.1  # as many words run together as this share of the rare ones, of so many words and letters at most
_MOST_TOGETHER, _LONGEST_TOGETHER = 5, 30


class Loss(NamedTuple):
    """The cross-entropy of a batch."""

    nats: Tensor  # mean over its characters
    characters: float
    of_corpus: bool = True  # not so of rare words, which are learned aside


class Lesson(Protocol):
    """Data, and the measure of what is learned from it."""

    unit: Literal["words", "text"]
    vocabulary: Vocabulary
    held_out: int  # words, or lines, that the network never sees
    highest_rate: float
    judged_by: str  # of what `bits` are, where not simply of what the network never sees

    def loss(self, model: CharRNN, precision: str, progress: float) -> Loss:
        """Return the loss of the next step's data."""
        ...

    def bits(self, model: CharRNN) -> tuple[float, float]:
        """Return the bits per character by which networks are compared, and those of what the network never sees."""
        ...

    def figures(self, model: CharRNN) -> dict[str, Any]:
        """Return all that is told of a finished network."""
        ...

    def lexicon(self) -> dict[str, float]:
        """Return the surfaces worth offering, with their counts."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return what a resumed run needs beside the random generator."""
        ...

    def load(self, tensors: dict[str, Tensor], device: torch.device) -> None:
        """Go on where `tensors` was asked for, with a network on that device."""
        ...


class WordsLesson:
    """
    The words of lists, each by itself.

    :param origin: where the network comes from; its words are among those of the corpus.
    """

    unit: Literal["words", "text"] = "words"

    def __init__(
        self,
        corpus: Corpus,
        settings: TrainingSettings,
        generator: np.random.Generator,
        processes: Processes = ALONE,
        origin: Origin | None = None,
    ) -> None:
        self.vocabulary = Vocabulary.from_words(corpus.words)
        self.highest_rate = settings.word_rate
        if origin is not None:
            self.vocabulary = origin.extend(self.vocabulary)
            self.highest_rate *= settings.from_rate
        self._corpus = corpus
        self.words = Words(corpus.words, self.vocabulary)
        counts = corpus.counts[self.words.order]
        self.seen, held_out = hold_out(counts, settings.held_out, generator)
        self.held_out = len(self.words) - len(self.seen)
        self.judged_by = "words as they are typed" if self.held_out else ""
        self.validation = Validation(self.words, counts, self.seen, held_out, generator)
        self._sampler = WordSampler(counts[self.seen], settings.alpha, settings.draws, generator, processes)
        self._hidden, self._generator, self._processes = settings.unknown, generator, processes

    def loss(self, model: CharRNN, precision: str, progress: float) -> Loss:
        """Return the loss of the next words drawn."""
        rows, weights = self._sampler.draw()
        batch = PrefixBatch.from_trie(self.words.trie(self.seen[rows], weights))
        # What one process hides must not change what all of them draw.
        own = np.random.default_rng([int(self._generator.integers(2**32)), self._processes.rank])
        batch = batch.hide(self._hidden, own).to(model.device)
        return Loss(words_loss(model, batch, precision), batch.characters)

    def bits(self, model: CharRNN) -> tuple[float, float]:
        """Return the bits of the next word typed, and of words never seen."""
        return self.validation.bits(model)

    def figures(self, model: CharRNN) -> dict[str, Any]:
        """Return the figures of learned and held-out words."""
        return self.validation.figures(model)

    def lexicon(self) -> dict[str, float]:
        """Return all words."""
        corpus = self._corpus
        return {corpus.surface(word): count for word, count in zip(corpus.words, corpus.counts.tolist(), strict=True)}

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: draws depend on the random generator only."""
        return {}

    def load(self, tensors: dict[str, Tensor], device: torch.device) -> None:
        """Do nothing."""


class TextLesson:
    """
    Running text, line after line, and rare words, each by itself after an unknown symbol, as are words run together.

    :param validation: text to measure on; without it, the end of the corpus is held out.
    :param background: text to read beside that of the corpus.
    :param origin: where the network comes from; its words are among those of the corpus, its text is read like a background.
    """

    unit: Literal["words", "text"] = "text"

    def __init__(
        self,
        corpus: Corpus,
        settings: TrainingSettings,
        generator: np.random.Generator,
        validation: RunningText | None = None,
        background: RunningText | None = None,
        processes: Processes = ALONE,
        origin: Origin | None = None,
    ) -> None:
        assert corpus.text is not None
        self.highest_rate = settings.text_rate
        self._corpus, self._hidden, self._generator = corpus, settings.unknown, generator
        # What both networks read; the lines that people would type in haste have lost their marks.
        text, hurried = corpus.text, settings.hurried
        kept = lines = text.encoded(hurried).lines
        if validation is None:
            kept = max(1, round((1 - settings.held_out) * lines))
        if text.before(kept, hurried)[0] == 0:  # marks are all there is
            hurried = 0.0
        encoded = text.encoded(hurried)
        symbols, words = text.before(kept, hurried)
        self.held_out = lines - kept if validation is None else validation.encoded().lines
        # A text too short to spare a line is measured on itself.
        self.validation, keys = _sample(validation or text, kept if validation is None and kept < lines else 0)

        self.vocabulary = learnable_characters(encoded, symbols, corpus.words)
        if origin is not None:
            self.vocabulary = origin.extend(self.vocabulary)
            self.highest_rate *= settings.from_rate
        self.words = choose_words(corpus, self.vocabulary)
        others = [] if background is None else [background.encoded()]
        ids: list[Ids] = [
            text_ids(encoded, self.vocabulary, symbols),
            *(text_ids(other, self.vocabulary) for other in others),
        ]
        self.read = encoded.words.translated(self.words.table(encoded, corpus.alphabet), words)
        # The words of the background, too.
        self.beside: Ids = np.zeros(0, dtype=np.int32)
        for other in others:
            self.beside = other.words.translated(self.words.table(other, corpus.alphabet))
        if origin is not None and len(origin.rehearsed):
            ids.append(origin.translate(origin.rehearsed, self.vocabulary))
        self.ids = ids  # of the corpus, then of what is read beside it
        self._streams = [Streams(each, settings.batch, settings.bptt, generator, processes) for each in ids]
        self.rare: Words | None = None
        self.judged_by = ""
        old = () if origin is None else origin.rare
        self.rare_words = rare_words(corpus, self.words, self.vocabulary, old) if settings.rare else []
        if self.rare_words:
            share = int(_RUN_TOGETHER * len(self.rare_words))
            together = run_together(self.read, self.words.keys, share, generator)
            self.rare = Words(list(dict.fromkeys([*self.rare_words, *together])), self.vocabulary)
            self._rare_share, self.judged_by = settings.rare, "text and rare words"
            some = generator.permutation(len(self.rare))
            held_out = min(_RARE_HELD_OUT, len(some) // 20)
            self._rare_held_out, self._rare_seen = np.sort(some[:held_out]), np.sort(some[held_out:])
            self._rare_sampler = WordSampler(np.ones(len(self._rare_seen)), 0.0, settings.draws, generator, processes)
        self.training_sample = _begin(ids[0])
        self.held_out_sample = _begin(self.vocabulary.encode_lines(keys))

    def loss(self, model: CharRNN, precision: str, progress: float) -> Loss:
        """Return the loss of the next characters of the corpus or the background, or of some rare words."""
        if self.rare is not None and self._generator.random() < self._rare_share:
            rows, weights = self._rare_sampler.draw()
            batch = PrefixBatch.from_trie(self.rare.trie(self._rare_seen[rows], weights)).begun_with(UNKNOWN)
            return Loss(words_loss(model, batch.to(model.device), precision), batch.characters, of_corpus=False)
        streams = choose_source(self._streams, progress, self._generator)
        return Loss(*stream_loss(model, streams, self._hidden, precision))

    def bits(self, model: CharRNN) -> tuple[float, float]:
        """Return the bits per character of the held-out text, at first together with those of rare words."""
        measured = measure_text(model, self.held_out_sample)["bits_per_character"]
        if self.rare is None:
            return measured, measured
        return (1 - _RARE_WEIGHT) * measured + _RARE_WEIGHT * self._rare_figures(model)["bits_per_character"], measured

    def _rare_figures(self, model: CharRNN) -> dict[str, float]:
        assert self.rare is not None
        weights = np.ones(len(self._rare_held_out))
        return measure(model, self.rare, self._rare_held_out, UNKNOWN).figures(weights)

    def figures(self, model: CharRNN) -> dict[str, Any]:
        """Return the figures of the text's beginning and of the held-out text."""
        return {
            "training": measure_text(model, self.training_sample),
            "held_out": measure_text(model, self.held_out_sample),
            "held_out_lines": self.held_out,
            **({} if self.rare is None else {"rare_words": self._rare_figures(model)}),
        }

    def lexicon(self) -> dict[str, float]:
        """Return the words worth offering, in the order of their counts."""
        order = np.argsort(-self.words.counts, kind="stable").tolist()
        return {self._corpus.surface(self.words.keys[i]): float(f"{self.words.counts[i]:.3g}") for i in order}

    def tensors(self) -> dict[str, Tensor]:
        """Return where the streams are, and the state carried on."""
        every = [streams.tensors() for streams in self._streams]
        return {f"{i}.{name}": tensor for i, tensors in enumerate(every) for name, tensor in tensors.items()}

    def load(self, tensors: dict[str, Tensor], device: torch.device) -> None:
        """Read on from there."""
        for i, streams in enumerate(self._streams):
            own = {name: tensor for name, tensor in tensors.items() if name.startswith(f"{i}.")}
            streams.load({name.removeprefix(f"{i}."): tensor for name, tensor in own.items()}, device)


def words_loss(model: CharRNN, batch: PrefixBatch, precision: str) -> Tensor:
    """Return the mean cross entropy per character of a batch of words, in nats."""
    with autocast(batch.symbols.device, precision):
        logits = model.over_prefixes(batch)  # (prefixes, vocabulary)
    log_probabilities = logits.float().log_softmax(dim=-1)[batch.sources, batch.targets]  # (edges,)
    return -(log_probabilities @ batch.weights) / batch.characters


def _sample(text: RunningText, start: int) -> tuple[list[str], list[str]]:
    """Return lines of a text from one on, and their keys as they are typed in haste: enough to measure and tune on."""
    lines: list[str] = []
    keys: list[str] = []
    characters = 0
    for line in text.lines(start):
        if characters > _MEASURED and len(lines) >= TUNED:
            break
        lines.append(line)
        keys.append(text.alphabet.key(without_marks(line)))
        characters += len(keys[-1]) + 1
    return lines, keys


def run_together(numbers: Ids, keys: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    """Return words that follow each other in a text run together, as in hashtags; `count` are tried, some are too long."""
    starts = np.sort(generator.integers(0, max(1, len(numbers) - _MOST_TOGETHER), count))
    stops = starts + generator.integers(2, _MOST_TOGETHER + 1, count)
    runs = (numbers[start:stop].tolist() for start, stop in zip(starts.tolist(), stops.tolist(), strict=True))
    joined = ("".join(keys[number] for number in run) for run in runs if max(run) < len(keys))
    return [word for word in joined if len(word) <= _LONGEST_TOGETHER]


def text_ids(text: EncodedText, vocabulary: Vocabulary, symbols: int | None = None) -> FileArray:
    """Return the first symbols of a text and the boundary after them, all by default, as ids of a vocabulary."""
    table = np.array([BOUNDARY, UNKNOWN, *vocabulary.encode(text.characters)])
    return text.symbols.translated(
        table.astype(np.min_scalar_type(len(vocabulary))), None if symbols is None else symbols + 1
    )


def _begin(ids: FileArray | NDArray[Any]) -> NDArray[Any]:
    """Return whole lines of about as many characters as a validation reads, one at least."""
    longest = _MEASURED
    while not (ends := np.flatnonzero(ids[:longest] == BOUNDARY)[1:]).size:
        longest *= 2
    return ids[: ends[-1] + 1]


def learnable_characters(text: EncodedText, symbols: int, words: Iterable[str]) -> Vocabulary:
    """Return the characters of words, and of the first symbols of a text, that are not too rare to be learned."""
    seen = text.character_counts.copy()
    for start in range(symbols, len(text.symbols), _MEASURED):
        seen -= np.bincount(text.symbols[start : start + _MEASURED], minlength=2 + len(seen))[2:]
    counts = Counter(dict(zip(text.characters, seen.tolist(), strict=True)))
    counts.update(chain.from_iterable(words))
    least = max(1, math.ceil(_RAREST * counts.total()))
    return Vocabulary(sorted(c for c, count in counts.items() if count >= least and c.isprintable()))
