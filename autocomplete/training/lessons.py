"""
What a run learns from and is judged by: a list of words, or a text.

A lesson knows its data; the loop in `trainer` knows steps, validations and files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.text.corpus import Corpus
from autocomplete.text.normalize import Normalization, without_marks
from autocomplete.text.vocabulary import Vocabulary
from autocomplete.training.batches import PrefixBatch, Words, WordSampler
from autocomplete.training.context import choose_words
from autocomplete.training.model import CharRNN
from autocomplete.training.origin import Origin
from autocomplete.training.processes import ALONE, Processes
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.streams import Streams, bits, choose_source, stream_loss
from autocomplete.training.validation import Validation, hold_out

__all__ = ["Lesson", "TextLesson", "WordsLesson"]

_RAREST = 1e-6  # share of a long text below which a character is not worth a symbol
_MEASURED = 100_000  # characters of the held-out text that a validation reads


class Lesson(Protocol):
    """Data, and the measure of what is learned from it."""

    unit: Literal["words", "text"]
    vocabulary: Vocabulary
    held_out: int  # words, or lines, that the network never sees
    highest_rate: float

    def loss(self, model: CharRNN, precision: str, progress: float) -> tuple[Tensor, float]:
        """Return the mean cross entropy per character of the next step's data, in nats, and how many characters they are."""
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
        self._words = Words(corpus.words, self.vocabulary)
        counts = corpus.counts[self._words.order]
        self._seen, held_out = hold_out(counts, settings.held_out, generator)
        self.held_out = len(self._words) - len(self._seen)
        self._validation = Validation(self._words, counts, self._seen, held_out, generator)
        self._sampler = WordSampler(counts[self._seen], settings.alpha, settings.draws, generator, processes)
        self._hidden, self._generator, self._processes = settings.unknown, generator, processes

    def loss(self, model: CharRNN, precision: str, progress: float) -> tuple[Tensor, float]:
        """Return the loss of the next words drawn."""
        rows, weights = self._sampler.draw()
        batch = PrefixBatch.from_trie(self._words.trie(self._seen[rows], weights))
        # What one process hides must not change what all of them draw.
        own = np.random.default_rng([int(self._generator.integers(2**32)), self._processes.rank])
        batch = batch.hide(self._hidden, own).to(model.device)
        return words_loss(model, batch, precision), batch.characters

    def bits(self, model: CharRNN) -> tuple[float, float]:
        """Return the bits of the next word typed, and of words never seen."""
        return self._validation.bits(model)

    def figures(self, model: CharRNN) -> dict[str, Any]:
        """Return the figures of learned and held-out words."""
        return self._validation.figures(model)

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
    Running text, line after line.

    :param validation: lines to measure on; without them, the end of the corpus is held out.
    :param background: lines to read beside those of the corpus, as they are.
    :param origin: where the network comes from; its words are among those of the corpus, its text is read like a background.
    """

    unit: Literal["words", "text"] = "text"

    def __init__(
        self,
        corpus: Corpus,
        settings: TrainingSettings,
        generator: np.random.Generator,
        validation: tuple[str, ...] = (),
        background: tuple[str, ...] = (),
        processes: Processes = ALONE,
        origin: Origin | None = None,
    ) -> None:
        lines = corpus.lines
        if not validation:
            kept = max(1, round((1 - settings.held_out) * len(lines)))
            lines, validation = lines[:kept], lines[kept:]
        self.held_out = len(validation)
        self.validation = validation or lines  # a text too short to spare a line is measured on itself
        self.highest_rate = settings.text_rate
        self._corpus, self._hidden, self._generator = corpus, settings.unknown, generator
        hurried = generator.random(len(lines)) < settings.hurried
        # What both networks read; the lines that people would type in haste have lost their marks.
        read = (without_marks(line) if bare else line for line, bare in zip(lines, hurried.tolist(), strict=True))
        self.read = tuple(filter(None, read)) or lines
        keys = list(_keys(self.read, corpus.normalization))
        self.vocabulary = _alphabet([*keys, *corpus.words])
        if origin is not None:
            self.vocabulary = origin.extend(self.vocabulary)
            self.highest_rate *= settings.from_rate
        self.words = choose_words(corpus, self.vocabulary)
        texts = [keys, _keys(background, corpus.normalization)] if background else [keys]
        encoded = [self.vocabulary.encode_lines(text) for text in texts]
        if origin is not None and len(origin.rehearsed):
            encoded.append(origin.translate(origin.rehearsed, self.vocabulary))
        self._streams = [Streams(ids, settings.batch, settings.bptt, generator, processes) for ids in encoded]
        self._training_sample = self.vocabulary.encode_lines(_cut(keys))
        self._held_out = self.vocabulary.encode_lines(
            _cut(list(_keys(map(without_marks, self.validation), corpus.normalization)))
        )

    def loss(self, model: CharRNN, precision: str, progress: float) -> tuple[Tensor, float]:
        """Return the loss of the next characters of the corpus or the background."""
        streams = choose_source(self._streams, progress, self._generator)
        return stream_loss(model, streams, self._hidden, precision)

    def bits(self, model: CharRNN) -> tuple[float, float]:
        """Return the bits per character of the held-out text, twice."""
        measured = bits(model, self._held_out)["bits_per_character"]
        return measured, measured

    def figures(self, model: CharRNN) -> dict[str, Any]:
        """Return the figures of the text's beginning and of the held-out text."""
        return {
            "training": bits(model, self._training_sample),
            "held_out": bits(model, self._held_out),
            "held_out_lines": self.held_out,
        }

    def lexicon(self) -> dict[str, float]:
        """Return the words worth offering, in the order of their counts."""
        order = np.argsort(-self.words.counts, kind="stable").tolist()
        return {self._corpus.surface(self.words.keys[i]): float(f"{self.words.counts[i]:.6g}") for i in order}

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
    with torch.autocast(batch.symbols.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        logits = model.over_prefixes(batch)  # (prefixes, vocabulary)
    log_probabilities = logits.float().log_softmax(dim=-1)[batch.sources, batch.targets]  # (edges,)
    return -(log_probabilities @ batch.weights) / batch.characters


def _keys(lines: Iterable[str], normalization: Normalization) -> Iterator[str]:
    """Yield the keys of lines, blanks made single."""
    return (" ".join(normalization.key(line).split()) for line in lines)


def _cut(keys: list[str]) -> list[str]:
    """Return lines of about as many characters as a validation reads."""
    lengths = np.cumsum([len(key) + 1 for key in keys])
    return keys[: max(1, int(np.searchsorted(lengths, _MEASURED)))]


def _alphabet(keys: list[str]) -> Vocabulary:
    """Return the characters of a text that are not too rare to be learned."""
    code_points: NDArray[np.uint32] = np.frombuffer("".join(keys).encode("utf-32-le"), dtype=np.uint32)
    distinct, counts = np.unique(code_points, return_counts=True)
    least = max(1, math.ceil(_RAREST * len(code_points)))
    return Vocabulary([chr(point) for point in distinct[counts >= least].tolist() if chr(point).isprintable()])
