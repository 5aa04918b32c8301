"""What is trained and measured beside others, a step at a time: a network, or n-grams that are counted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from autocomplete.lab.contenders import Contender
from autocomplete.lab.material import Material
from autocomplete.lab.windows import CausalConvolution, FeedForwardWindow, WindowNetwork
from autocomplete.models.character_ngrams import CharacterNgrams, longest_order
from autocomplete.training.batching.streams import Streams, stream_loss
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.validation import measure_text
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingSettings

__all__ = ["Counter", "Figures", "KeySeconds", "Learner", "Student", "Weights", "new_learner", "new_network"]

# Steps after which the state is carried on no further. A network that never began afresh does not know how to: a tanh RNN of 512
# units then took some 500 characters to find its feet, and the figures of a held-out text depended on where it was cut.
_FORGOTTEN = 8
_ROWS = (
    64  # streams that a held-out text is measured in: more are faster, but each begins without what stands before it
)
_FIRST_COUNT = 16_384  # characters of the first count of n-grams; each further one reads twice as many

Weights = Mapping[str, NDArray[Any]]
KeySeconds = Callable[[Contender, "Weights | CharacterNgrams"], float]  # what a model takes of one key


@dataclass(frozen=True)
class Figures:
    """
    How well a text was foreseen.

    :param bits: per character; not a number where the training diverged.
    :param top_1: share of the characters that were thought the most probable.
    :param top_3: share of those that were among the best three.
    """

    bits: float
    top_1: float
    top_3: float


def new_learner(contender: Contender, material: Material, settings: TrainingSettings, seconds: float) -> Learner:
    """
    Return one that has learned nothing yet.

    :param seconds: that it will have, about.
    """
    return (
        Counter(contender, material, seconds) if contender.kind == "n-gram" else Student(contender, material, settings)
    )


def new_network(contender: Contender, vocabulary: int) -> CharRNN | WindowNetwork:
    """Return an untrained network."""
    if contender.kind == "window":
        return FeedForwardWindow(vocabulary, contender.seen, contender.embedding, contender.hidden, contender.layers)
    if contender.kind == "convolution":
        return CausalConvolution(vocabulary, contender.embedding, contender.hidden, contender.layers)
    return CharRNN(contender.configuration(vocabulary))


class Learner(Protocol):
    """A model that is trained a step at a time."""

    contender: Contender
    seconds: float
    characters: int

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more that it could learn."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""
        ...

    def learn(self, progress: float) -> None:
        """Take a step, when so much of the whole is over."""
        ...

    def measure(self, ids: NDArray[np.integer[Any]]) -> Figures:
        """Return the figures of a text."""
        ...

    def numbers(self) -> Weights | CharacterNgrams:
        """Return what it has learned, for use without torch."""
        ...


class Student:
    """A network."""

    def __init__(self, contender: Contender, material: Material, settings: TrainingSettings) -> None:
        self.contender, self.seconds, self.characters = contender, 0.0, 0
        self._settings = settings
        torch.manual_seed(settings.seed)
        self._network = new_network(contender, len(material.vocabulary))
        self._optimizer = new_optimizer(self._network, settings.weight_decay)
        generator = np.random.default_rng(settings.seed)
        self._streams = Streams(material.learned, settings.batch, settings.bptt, generator)
        self._steps = 0
        self.is_over = False
        self.parameters = sum(parameter.numel() for parameter in self._network.parameters())

    def learn(self, progress: float) -> None:
        """Take a step down the gradient."""
        if self._steps % _FORGOTTEN == 0:
            self._streams.forget()
        loss, characters = stream_loss(self._network, self._streams, 0.0, "fp32")
        rate = self._settings.rate(TrainingSettings.text_rate, self._steps, progress)
        training_step(self._network, self._optimizer, loss, rate, self._settings.clip)
        self._steps, self.characters = self._steps + 1, self.characters + characters
        self.is_over = not math.isfinite(float(loss.detach()))  # nothing will come of it any more

    def measure(self, ids: NDArray[np.integer[Any]]) -> Figures:
        """Return the figures of a text, read as the streams are."""
        found = measure_text(self._network, ids, rows=_ROWS)
        return Figures(found["bits_per_character"], found["accuracy_top_1"], found["accuracy_top_3"])

    def numbers(self) -> Weights:
        """Return the weights as they are now."""
        return {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}


class Counter:
    """
    An n-gram. It counts ever more of the text anew, until it has counted all or the next count would take too long.

    :param seconds: for all of its counts.
    """

    def __init__(self, contender: Contender, material: Material, seconds: float) -> None:
        order = min(contender.seen, longest_order(len(material.vocabulary)))
        self.contender, self.seconds, self.characters = replace(contender, seen=order), 0.0, 0
        self._ids, self._vocabulary, self._most = material.learned, len(material.vocabulary), seconds
        self._next = _FIRST_COUNT
        self._model: CharacterNgrams | None = None
        self.is_over = False

    def learn(self, progress: float) -> None:
        """Count twice as much as before."""
        started = time.perf_counter()
        read = self._ids[: self._next]
        self._model = CharacterNgrams(read, self._vocabulary, self.contender.seen)
        self.characters += len(read)
        taken = time.perf_counter() - started
        self.is_over = len(read) == len(self._ids) or self.seconds + 3 * taken > self._most
        self._next *= 2

    @property
    def parameters(self) -> int:
        """Return how many probabilities and weights there are."""
        return self.numbers().parameters

    def measure(self, ids: NDArray[np.integer[Any]]) -> Figures:
        """Return the figures of a text, read line by line."""
        logs, ranks = self.numbers().score(ids)
        return Figures(-float(logs.mean()) / math.log(2), float((ranks < 1).mean()), float((ranks < 3).mean()))

    def numbers(self) -> CharacterNgrams:
        """Return the n-grams of the last count."""
        assert self._model is not None
        return self._model
