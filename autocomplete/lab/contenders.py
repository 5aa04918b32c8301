"""
Who is compared with whom, without torch.

All cells with all numbers of layers and units would be too many to train one after the other. So one thing at a time is changed
from the middle, a layer of 128 units: the cell, the number of layers, the number of units, down to 64 and up to 512. Each cell
gets the same four sizes, so that none has more tries to be the best of its kind. Beside them stand two networks without a memory
and a 5-gram, which learns by counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from autocomplete.storage.configuration import Cell, Configuration

__all__ = ["CONTENDERS", "FEW", "Contender", "Kind"]

Kind = Literal["n-gram", "window", "convolution", "rnn", "gru", "lstm"]


@dataclass(frozen=True)
class Contender:
    """What is trained and measured beside others."""

    kind: Kind
    layers: int = 0  # the receptive field of a convolution is 2 ** layers letters
    hidden: int = 0  # units of each layer, channels of a convolution
    embedding: int = 64
    seen: int = 0  # letters that a window sees before each letter, or the order of an n-gram

    @property
    def name(self) -> str:
        """What it is called in a table."""
        if self.kind == "n-gram":
            return f"{self.seen}-gram"
        if self.kind == "window":
            return f"window of {self.seen}"
        name = self.kind if self.kind == "convolution" else self.kind.upper()
        return f"{name} {self.layers} x {self.hidden}"

    def configuration(self, vocabulary: int) -> Configuration:
        """Return the sizes of a recurrent network."""
        assert self.kind in get_args(Cell)
        return Configuration(vocabulary, self.kind, self.layers, self.hidden, self.embedding)  # type: ignore[arg-type]


_CELLS: tuple[Kind, ...] = ("rnn", "gru", "lstm")
CONTENDERS = (
    Contender("n-gram", seen=5),
    Contender("window", 1, 256, embedding=32, seen=8),
    Contender("convolution", 4, 128),
    *(Contender(cell, layers, hidden) for cell in _CELLS for layers, hidden in ((1, 64), (1, 128), (2, 128), (1, 512))),
)
FEW = (  # of a size that learns something in two seconds
    Contender("n-gram", seen=5),
    Contender("window", 1, 96, embedding=24, seen=2),
    Contender("convolution", 3, 48, embedding=24),
    *(Contender(cell, 1, 96, embedding=24) for cell in _CELLS),
)
