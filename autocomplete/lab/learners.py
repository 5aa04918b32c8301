"""What is trained and measured beside others, a step at a time: a network, or n-grams that are counted."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autocomplete.lab import windows
from autocomplete.lab.contenders import Contender
from autocomplete.lab.material import Material
from autocomplete.models.character_ngrams import CharacterNgrams, longest_order
from autocomplete.models.convolution import CausalConvolution
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.window import FeedForwardWindow
from autocomplete.training.batching.streams import Streams, stream_loss
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.validation import measure_text
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingSettings

__all__ = ["Figures", "Learner", "NGramLearner", "NetworkLearner", "build_network", "new_learner"]

# Steps between two resets of the state. A network that is never reset learns nothing about beginnings: a tanh RNN of 512 units
# then took some 500 characters to recover, and its figures depended on where the held-out text was cut.
_RESET = 8
_ROWS = 64  # streams that a held-out text is measured in: more are faster, but each begins without a context
_FIRST_COUNT = 16_384  # characters of the first count of n-grams; each further one reads twice as many


@dataclass(frozen=True)
class Figures:
    """How well a text was predicted."""

    bits: float  # per character; not a number where the training diverged
    top_1: float  # share of the characters that were the most probable
    top_3: float  # share of the characters among the three most probable


def new_learner(contender: Contender, material: Material, settings: TrainingSettings, seconds: float) -> Learner:
    """Return a learner that has learned nothing yet, and will have about so many seconds for that."""
    if contender.kind == "n-gram":
        return NGramLearner(contender, material, seconds)
    return NetworkLearner(contender, material, settings)


class Learner(ABC):
    """
    A model that is trained a step at a time.

    Whoever trains it adds up its `seconds`; `characters` are those that it has read. It `is_over` when it can learn no more.
    """

    def __init__(self, contender: Contender) -> None:
        self.contender, self.seconds, self.characters, self.is_over = contender, 0.0, 0, False

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Return how many numbers it has learned."""

    @abstractmethod
    def learn(self, progress: float) -> None:
        """Take a step, at a share of the whole training."""

    @abstractmethod
    def measure(self, ids: NDArray[np.integer[Any]]) -> Figures:
        """Return the figures of a text."""

    @abstractmethod
    def model(self) -> CharacterLanguageModel:
        """Return what it has learned so far, in numpy."""


class NetworkLearner(Learner):
    """A network that takes steps down the gradient."""

    def __init__(self, contender: Contender, material: Material, settings: TrainingSettings) -> None:
        super().__init__(contender)
        self._settings, self._vocabulary, self._steps = settings, len(material.vocabulary), 0
        torch.manual_seed(settings.seed)
        self._network = build_network(contender, self._vocabulary)
        self._optimizer = new_optimizer(self._network, settings.weight_decay)
        generator = np.random.default_rng(settings.seed)
        self._streams = Streams(material.learned, settings.batch, settings.bptt, generator)

    @property
    def parameters(self) -> int:
        """Return how many weights there are."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    def learn(self, progress: float) -> None:
        """Take a step down the gradient."""
        if self._steps % _RESET == 0:
            self._streams.forget()
        loss, characters = stream_loss(self._network, self._streams, 0.0, "fp32")
        rate = self._settings.rate(TrainingSettings.text_rate, self._steps, progress)
        training_step(self._network, self._optimizer, loss, rate, self._settings.clip)
        self._steps, self.characters = self._steps + 1, self.characters + characters
        self.is_over = not math.isfinite(float(loss.detach()))  # diverged for good

    def measure(self, ids: NDArray[np.integer[Any]]) -> Figures:
        """Return the figures of a text, read as the streams are."""
        found = measure_text(self._network, ids, rows=_ROWS)
        return Figures(found["bits_per_character"], found["accuracy_top_1"], found["accuracy_top_3"])

    def model(self) -> CharacterLanguageModel:
        """Return the network with its weights as they are now."""
        weights = {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}
        if self.contender.kind == "window":
            return FeedForwardWindow(weights)
        if self.contender.kind == "convolution":
            return CausalConvolution(weights)
        return RecurrentNetwork(self.contender.configuration(self._vocabulary), weights)


def build_network(contender: Contender, vocabulary: int) -> CharRNN | windows.WindowNetwork:
    """Return an untrained network over so many symbols."""
    embedding, hidden, layers = contender.embedding, contender.hidden, contender.layers
    if contender.kind == "window":
        return windows.FeedForwardWindow(vocabulary, contender.seen, embedding, hidden, layers)
    if contender.kind == "convolution":
        return windows.CausalConvolution(vocabulary, embedding, hidden, layers)
    return CharRNN(contender.configuration(vocabulary))


class NGramLearner(Learner):
    """An n-gram. Each step counts twice as much of the text, until all is counted or the next count would take too long."""

    def __init__(self, contender: Contender, material: Material, seconds: float) -> None:
        self._ids, self._vocabulary, self._most = material.learned, len(material.vocabulary), seconds
        super().__init__(replace(contender, seen=min(contender.seen, longest_order(self._vocabulary))))
        self._next = _FIRST_COUNT
        self._model: CharacterNgrams | None = None

    @property
    def parameters(self) -> int:
        """Return how many probabilities and weights there are."""
        return self.model().parameters

    def learn(self, progress: float) -> None:
        """Count twice as much as before."""
        started = time.perf_counter()
        read = self._ids[: self._next]
        self._model = CharacterNgrams(read, self._vocabulary, self.contender.seen)
        self.characters += len(read)
        taken = time.perf_counter() - started
        self.is_over = len(read) == len(self._ids) or self.seconds + 3 * taken > self._most
        self._next *= 2

    def measure(self, ids: NDArray[np.integer[Any]]) -> Figures:
        """Return the figures of a text, read line by line."""
        logs, ranks = self.model().score(ids)
        return Figures(-float(logs.mean()) / math.log(2), float((ranks < 1).mean()), float((ranks < 3).mean()))

    def model(self) -> CharacterNgrams:
        """Return the n-grams of the last count."""
        assert self._model is not None
        return self._model
