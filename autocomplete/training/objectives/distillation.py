"""
A network of words that learns from a teacher: at each word, what a larger model expected there, beside what stands there.

Knowledge distillation word by word (Hinton, Vinyals and Dean, 2015; Kim and Rush, 2016).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.batching.streams import Passages
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.optimization import autocast, to_device

__all__ = ["SoftLoss", "Taught"]

_SOFT = 0.75  # weight of what was expected; the rest is that of what stands there
_OTHERS = 512  # symbols of a step's softmax beside those that stand or are expected somewhere in it
_NEVER = 0.999  # the most that a boundary is taken to be probable where a word comes

Taught = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


class SoftLoss:
    """
    The mean cross entropy of the next words of a text with soft targets, estimated.

    The softmax of a step is over all symbols that stand or are expected somewhere in it, and over some of the others, each of
    which counts for several (importance sampling, as in Bengio and Senécal, 2008).

    :param taught: (n,) symbols of the network; (m,) places of words among them for which there are soft targets; (m, k) symbols
        that were expected there, and (m, k) how much. The network is asked for them given that a word comes.
    :param vocabulary: of the network.
    """

    def __init__(self, taught: Taught, vocabulary: int, batch: int, bptt: int, generator: np.random.Generator) -> None:
        self._text, places, self._candidates, self._shares = taught
        self._rows = np.full(len(self._text), -1, dtype=np.int32)
        self._rows[places] = np.arange(len(places))
        self._vocabulary, self._generator = vocabulary, generator
        self._passages = Passages(self._text, batch, bptt, generator)

    def __call__(self, model: CharRNN, precision: str) -> Tensor:
        """Return the loss of the next words, in nats."""
        read = self._passages.places()
        places = read[:, 1:].T.ravel()  # time first, as the outputs lie
        targets, rows = self._text[places], self._rows[places]
        is_taught = rows >= 0
        candidates = np.where(is_taught[:, None], self._candidates[rows], targets[:, None])
        shares = self._shares[rows].astype(np.float32)
        shares /= shares.sum(axis=1, keepdims=True)
        symbols, counted = self._symbols(targets, candidates)
        column = np.zeros(self._vocabulary, dtype=np.int64)
        column[symbols] = np.arange(len(symbols))
        asked = np.column_stack([np.full(len(targets), column[BOUNDARY]), column[targets], column[candidates]])

        def here(array: NDArray[Any]) -> Tensor:
            return to_device(torch.from_numpy(array), model.device)

        chosen = here(symbols)
        bias = model.decoder.bias[chosen] + here(np.log(counted))  # those that are asked for count once
        with autocast(model.device, precision):
            outputs, _ = model.projected(None, here(self._text[read[:, :-1]].astype(np.int64)))
            outputs = outputs.transpose(0, 1).flatten(0, 1)
            logits = functional.linear(outputs, model.embedding(chosen)).float() + bias
        logs = logits.log_softmax(dim=1).gather(1, here(asked))
        boundary, stands, expected = torch.split(logs, [1, 1, shares.shape[1]], dim=1)
        of_text = -stands[:, 0]
        words = torch.log1p(-boundary[:, 0].exp().clamp(max=_NEVER))  # the logarithm of the sum over all words
        of_teacher = words - (here(shares) * expected).sum(dim=1)
        return torch.where(here(is_taught), torch.lerp(of_text, of_teacher, _SOFT), of_text).mean()

    def _symbols(self, *needed: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the symbols of a step's softmax, those that are needed among them, and for how many each counts."""
        mask = np.zeros(self._vocabulary, dtype=bool)
        mask[np.concatenate([[BOUNDARY, UNKNOWN], *(symbols.ravel() for symbols in needed)])] = True
        own, others = np.flatnonzero(mask), np.flatnonzero(~mask)
        drawn = self._generator.choice(others, min(_OTHERS, len(others)), replace=False)
        counts = np.array([1, len(others) / max(1, len(drawn))], dtype=np.float32)
        return np.concatenate([own, drawn]), np.repeat(counts, [len(own), len(drawn)])
