"""
A network of words that learns from a teacher: at each word, what a larger model expected there, beside what stands there.

Knowledge distillation word by word (Hinton, Vinyals and Dean, 2015; Kim and Rush, 2016). The softmax is over all words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.device import sent
from autocomplete.training.model import CharRNN
from autocomplete.training.streams import Streams

__all__ = ["SoftLoss", "Taught"]

_SOFT = 0.75  # weight of what was expected; the rest is that of what stands there
_NEVER = 0.999  # the most that a boundary is taken to be probable where a word comes

Taught = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


class SoftLoss:
    """
    The mean cross entropy of the next words of a text with soft targets.

    :param text: (n,) symbols of the network.
    :param places: (m,) of words in it for which there are soft targets.
    :param candidates: (m, k) symbols that were expected there, and
    :param shares: (m, k) how much. The network is asked for them given that a word comes.
    """

    def __init__(self, taught: Taught, batch: int, bptt: int, generator: np.random.Generator) -> None:
        self._text, places, self._candidates, shares = taught
        self._rows = np.full(len(self._text), -1, dtype=np.int32)
        self._rows[places] = np.arange(len(places))
        self._shares = shares
        self.streams = Streams(np.arange(len(self._text)), batch, bptt, generator)  # of places in the text

    def __call__(self, model: CharRNN, precision: str) -> Tensor:
        """Return the loss of the next words, in nats."""
        before, at, state = self.streams.next(0.0)
        inputs, targets = (torch.from_numpy(self._text[each.numpy()].astype(np.int64)) for each in (before, at))
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits, state = model.continue_from(state, sent(inputs, model.device))
        self.streams.keep(state)
        logits = logits.transpose(0, 1).flatten(0, 1).float()  # time first, as they lie
        sums = logits.logsumexp(dim=1)
        stood = sums - logits.gather(1, sent(targets.t().reshape(-1, 1), model.device))[:, 0]

        rows = self._rows[at.t().flatten().numpy()]
        taught = sent(torch.from_numpy(np.flatnonzero(rows >= 0)), model.device)
        rows = rows[rows >= 0]
        candidates = sent(torch.from_numpy(self._candidates[rows].astype(np.int64)), model.device)
        shares = sent(torch.from_numpy(self._shares[rows].astype(np.float32)), model.device)
        shares = shares / shares.sum(dim=1, keepdim=True)
        boundary = (logits[taught, BOUNDARY] - sums[taught]).exp().clamp(max=_NEVER)
        words = sums[taught] + torch.log1p(-boundary)  # the logarithm of the sum over all words
        expected = words - (shares * logits[taught[:, None], candidates]).sum(dim=1)
        return (stood.sum() - _SOFT * stood[taught].sum() + _SOFT * expected.sum()) / len(stood)
