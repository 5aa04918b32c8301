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
from autocomplete.training.device import sent
from autocomplete.training.model import CharRNN
from autocomplete.training.streams import Passages

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
        inputs = torch.from_numpy(self._text[read[:, :-1]].astype(np.int64))
        places = read[:, 1:].T.ravel()  # time first, as the outputs lie
        targets, rows = self._text[places], self._rows[places]
        taught, rows = np.flatnonzero(rows >= 0), rows[rows >= 0]
        symbols, counted = self._symbols(targets, self._candidates[rows])
        column = np.zeros(self._vocabulary, dtype=np.int64)
        column[symbols] = np.arange(len(symbols))

        def here(array: NDArray[Any]) -> Tensor:
            return sent(torch.from_numpy(array), model.device)

        chosen = here(symbols)
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            outputs, _ = model.projected(None, sent(inputs, model.device))
            outputs = outputs.transpose(0, 1).flatten(0, 1)
            logits = functional.linear(outputs, model.embedding(chosen)).float() + model.decoder.bias[chosen]
        sums = (logits + here(np.log(counted))).logsumexp(dim=1)
        stood = sums - logits.gather(1, here(column[targets])[:, None])[:, 0]

        asked, shares = here(taught), here(self._shares[rows].astype(np.float32))
        boundary = (logits[asked, column[BOUNDARY]] - sums[asked]).exp().clamp(max=_NEVER)
        words = sums[asked] + torch.log1p(-boundary)  # the logarithm of the sum over all words
        expected = logits[asked[:, None], here(column[self._candidates[rows]])]
        expected = words - (shares / shares.sum(dim=1, keepdim=True) * expected).sum(dim=1)
        return (stood.sum() - _SOFT * stood[asked].sum() + _SOFT * expected.sum()) / len(stood)

    def _symbols(self, *needed: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the symbols of a step's softmax, those that are needed among them, and for how many each counts."""
        mask = np.zeros(self._vocabulary, dtype=bool)
        mask[[BOUNDARY, UNKNOWN]] = True
        for symbols in needed:
            mask[symbols.ravel()] = True
        own, others = np.flatnonzero(mask), np.flatnonzero(~mask)
        drawn = self._generator.choice(others, min(_OTHERS, len(others)), replace=False)
        counts = np.ones(len(own) + len(drawn), dtype=np.float32)
        counts[len(own) :] = len(others) / max(1, len(drawn))
        return np.concatenate([own, drawn]), counts
