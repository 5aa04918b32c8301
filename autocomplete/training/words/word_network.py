"""
The training of a network of words, in a process of its own beside the network of characters.

It sends snapshots to the first process, which saves them. It ends when it is asked to, or when the first process is gone.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.corpus.encoded import Ids, count_ids, translate_ids
from autocomplete.errors import SettingsError
from autocomplete.models.word_network import symbol_table
from autocomplete.storage.byte_matrix import dequantize, quantize
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.memory import keep_memory
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.batching.streams import Passages, SampledLoss, Streams, choose_source
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.distillation import SoftLoss, Taught
from autocomplete.training.objectives.validation import bits_per_word
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.snapshot import Snapshot

__all__ = ["Network", "WordNetworkProcess", "WordNetworkTraining"]

_BACKGROUND_COUNT = 0.1  # of a word in the background, beside one in the corpus, where the network's words are chosen
_SAMPLED = 2_048  # words in the softmax of a step
_MEASURED_EACH = 0.05  # of the run
_TAUGHT = 0.75  # share of the steps that learn from a teacher, where there is one
_AFRESH = 0.5  # share of the others that read passages with nothing before them; all do that learn from a teacher
_STEP = 4  # of a finished network's weights, as numbers of `ByteMatrix`

Network = tuple[Configuration, dict[str, NDArray[Any]]]


class WordNetworkTraining:
    """
    The training of a network of words, step by step.

    :param tokens: (n,) as `NumberedWords.encode` gives them.
    :param background: (m,) of text to read beside it; may be empty.
    :param held_out: (h,) of text to choose the best network by.
    :param words: how many words are numbered.
    :param taught: text with what a teacher expects, as `SoftTargets.numbered` gives it.
    :param origin: a network to begin as, no larger; its rows are numbers of the same words.
    :param saved: where to go on.
    :raises KeyError, TypeError, ValueError, RuntimeError: where that is the snapshot of another network.
    """

    def __init__(
        self,
        tokens: Ids,
        background: Ids,
        held_out: NDArray[np.int32],
        words: int,
        settings: TrainingSettings,
        precision: str,
        taught: Taught | None = None,
        origin: Network | None = None,
        *,
        saved: Snapshot | None = None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self._settings, self._precision = settings, precision
        self._generator = generator = np.random.default_rng(settings.seed)
        counts, more = (count_ids(text, words + 2)[:words] for text in (tokens, background))
        counts = counts + _BACKGROUND_COUNT * more
        rows = np.argsort(-counts, kind="stable")[: settings.word_vocabulary - 2]
        self._rows = rows = rows[counts[rows] > 0]
        own = symbol_table(rows, words)
        self._held_out = own[held_out]
        sizes = settings.word_hidden, settings.word_embedding
        self._configuration = Configuration(len(rows) + 2, "lstm", 1, *sizes, tied=True)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = CharRNN(self._configuration, settings.word_dropout)
        self._highest_rate = settings.context_rate
        if origin is not None:
            self._highest_rate *= settings.from_rate
            begin_as(self._model, rows, origin)
        self._model.to(device)
        self._optimizer = new_optimizer(self._model, settings.weight_decay)
        texts = [translate_ids(text, own) for text in (tokens, background) if len(text)]
        bptt = max(1, settings.bptt // 2)
        self._streams = [Streams(text, settings.batch, bptt, generator) for text in texts]
        self._passages = [Passages(text, settings.batch, bptt, generator) for text in texts]
        # Drawn by their shares in both texts at once: a word drawn far more rarely than the network expects it, because one
        # text hardly has it, would weigh so much in its step that the network comes apart.
        shares = np.sum([count_ids(text, len(rows) + 2) / len(text) for text in texts], axis=0)
        self._loss = SampledLoss(shares * len(tokens), _SAMPLED, generator)
        self._soft: SoftLoss | None = None
        if taught is not None:
            text, places, candidates, shares = taught
            symbols = own[text], places, own[candidates], shares
            self._soft = SoftLoss(symbols, len(rows) + 2, settings.batch, bptt, generator)
        self._steps, self._measured_at, self._best_bits = 0, 0.0, math.inf
        self._best: dict[str, Tensor] = {}
        seconds = 0.0
        if saved is not None:
            self._steps, seconds, self._measured_at, self._best_bits = saved.facts["progress"]
            self._best = saved.part("best")
            for i, source in enumerate(self._streams):
                source.load(saved.part(f"text{i}"), device)
            saved.restore(self._model, self._optimizer, generator)
        self._began = time.monotonic() - seconds
        self._progress = settings.progress(self._steps, seconds)

    @property
    def over(self) -> bool:
        """Whether all steps are taken."""
        return self._progress >= 1.0

    def step(self) -> None:
        """Take one step, and measure the network if it is time to."""
        if self._soft is not None and self._generator.random() < _TAUGHT:
            loss = self._soft(self._model, self._precision)
        else:
            afresh = self._generator.random() < _AFRESH
            sources: Sequence[Streams | Passages] = self._passages if afresh else self._streams
            source = choose_source(sources, self._progress, self._generator)
            loss = self._loss(self._model, source, self._precision)
        rate = self._settings.rate(self._highest_rate, self._steps, self._progress)
        training_step(self._model, self._optimizer, loss, rate, self._settings.clip)
        self._steps += 1
        self._progress = self._settings.progress(self._steps, time.monotonic() - self._began)
        if self._progress - self._measured_at >= _MEASURED_EACH or self.over:
            self._measured_at = self._progress
            measured = bits_per_word(self._model, self._held_out)
            if measured < self._best_bits:
                self._best_bits, self._best = measured, self._halved()

    def snapshot(self) -> Snapshot:
        """Return all that is needed to go on from here."""
        progress = self._steps, time.monotonic() - self._began, self._measured_at, self._best_bits
        parts = {f"text{i}": source.tensors() for i, source in enumerate(self._streams)}
        return Snapshot.take(
            self._model, self._optimizer, self._generator, {"progress": progress}, best=self._best, **parts
        )

    def network(self) -> Network:
        """Return the best so far: its sizes and its tensors; among them `rows`, the numbers of its words, in its own order."""
        tensors = {name: value.numpy() for name, value in (self._best or self._halved()).items()}
        tensors = dequantize(quantize(tensors, _STEP))  # as they are in a checkpoint
        return self._configuration, tensors | {"rows": self._rows.astype(np.int32)}

    def _halved(self) -> dict[str, Tensor]:
        """Return the weights in fp16."""
        return {name: value.detach().half().cpu() for name, value in self._model.state_dict().items()}


class WordNetworkProcess:
    """
    A process that trains a network of words. `snapshot` is the last one that came, `network` what it ended with.

    :param arguments: of `WordNetworkTraining`, but where to go on.
    :param saved: the snapshot to go on from, as an earlier process sent it.
    :param save_every: seconds from one snapshot to the next.
    """

    def __init__(self, *arguments: Any, saved: bytes | None, save_every: float) -> None:
        self.snapshot = saved
        self.network: Network | None = None
        self._ended = False
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_train, args=(theirs, arguments, saved, save_every), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def at_work(self) -> bool:
        """Whether the network is still being trained, as far as was received."""
        return self.network is None and not self._ended

    def receive(self, seconds: float = 0.0) -> None:
        """Take what it has sent; wait so long for that."""
        try:
            while self.at_work and self._ours.poll(seconds):
                self.snapshot, self.network = self._ours.recv()
                seconds = 0.0
        except (EOFError, OSError):  # it is no more
            self._ended = True

    def stop(self) -> None:
        """Ask it to end with the step that it takes, and wait for that."""
        with contextlib.suppress(OSError):
            self._ours.send("stop")
        while self.at_work:
            self.receive(seconds=1.0)

    def check(self) -> None:
        """Raise SettingsError where it died."""
        if self._ended:
            raise SettingsError("the process that trained the network of words ended early; try a lower --word-hidden")

    def close(self) -> None:
        """End it, whatever it has reached."""
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()


def _train(pipe: Any, arguments: tuple[Any, ...], saved: bytes | None, save_every: float) -> None:
    """Train a network of words, and send snapshots and, with the last of them, the network."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is asked, and passes it on
    keep_memory()
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    with contextlib.suppress(EOFError, ConnectionError):  # the first process is no more
        training = WordNetworkTraining(*arguments, saved=None if saved is None else Snapshot.from_bytes(saved))
        sent_at = time.monotonic()
        while not training.over and not pipe.poll():
            training.step()
            if time.monotonic() - sent_at >= save_every:
                pipe.send((training.snapshot().to_bytes(), None))
                sent_at = time.monotonic()
        if pipe.poll():
            pipe.recv()
        pipe.send((training.snapshot().to_bytes(), training.network()))


@torch.no_grad()
def begin_as(model: CharRNN, rows: NDArray[Any], origin: Network) -> None:
    """
    Initialize a network of words from a smaller one, with the same answers (Net2Net; Chen, Goodfellow and Shlens, 2016).

    New units and embedding dimensions have random weights, but nothing old listens to them at first.

    :param rows: of the new network.
    """
    old, tensors = origin
    known = {row: place for place, row in enumerate(tensors["rows"].tolist(), start=2)}
    shared = [(place, known[row]) for place, row in enumerate(rows.tolist(), start=2) if row in known]
    places, old_places = map(torch.tensor, zip((BOUNDARY, BOUNDARY), (UNKNOWN, UNKNOWN), *shared, strict=True))
    for name, value in model.state_dict().items():  # its tensors share the memory of the weights
        before = torch.from_numpy(tensors[name].astype(np.float32))
        if name.startswith("recurrent."):
            gates, before_gates = (each.unflatten(0, (4, -1)) for each in (value, before))
            gates[:, : old.hidden] = 0  # also where an old unit would listen to what is new
            _corner(gates, before_gates.shape).copy_(before_gates)
        elif name == "projection.weight":
            value.zero_()
            _corner(value, before.shape).copy_(before)
        else:  # a row for each word
            _corner(value, (len(value), *before.shape[1:]))[places] = before[old_places]


def _corner(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the first rows, columns and so on of a tensor."""
    return tensor[tuple(slice(size) for size in shape)]
