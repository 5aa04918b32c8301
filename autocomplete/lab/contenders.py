"""
Who is compared with whom. No torch here: the command line and the scenes of the demonstration ask for names.

All kinds of cells with all numbers of layers and units would be too many to train one after the other. So there is a middle, one
layer of 128 units, and from it one thing is changed at a time: the cell, the number of layers, the number of units down to 64 and
up to 512. Each cell gets the same four sizes, so that none has more tries to be the best of its kind. Beside them stand two
networks without a memory and a 5-gram, which learns by counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from autocomplete.storage.configuration import Cell, Configuration

__all__ = ["CONTENDERS", "FEW", "Contender", "Kind"]

Kind = Literal["n-gram", "window", "convolution", "rnn", "gru", "lstm"]


@dataclass(frozen=True)
class Contender:
    """
    What is trained and measured beside others.

    :param layers: of a network; the receptive field of a convolution is 2 ** layers letters.
    :param hidden: units of each layer, channels of a convolution.
    :param seen: letters that one without a memory sees: of a window before each letter, of an n-gram with that letter.
    """

    kind: Kind
    layers: int = 0
    hidden: int = 0
    embedding: int = 64
    seen: int = 0

    @property
    def name(self) -> str:
        """What it is called in a table."""
        if self.kind == "n-gram":
            return f"{self.seen}-gram"
        name = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}.get(self.kind, self.kind)
        return f"{name} of {self.seen}" if self.kind == "window" else f"{name} {self.layers} x {self.hidden}"

    def configuration(self, vocabulary: int) -> Configuration:
        """Return the sizes of a recurrent network."""
        assert self.kind in get_args(Cell)
        return Configuration(vocabulary, self.kind, self.layers, self.hidden, self.embedding)  # type: ignore[arg-type]


def _with_cells(sizes: Sequence[tuple[int, int]], embedding: int = 64) -> tuple[Contender, ...]:
    cells: tuple[Kind, ...] = ("rnn", "gru", "lstm")
    return tuple(Contender(cell, layers, hidden, embedding) for cell in cells for layers, hidden in sizes)


CONTENDERS = (
    Contender("n-gram", seen=5),
    Contender("window", 1, 256, embedding=32, seen=8),
    Contender("convolution", 4, 128),
    *_with_cells([(1, 64), (1, 128), (2, 128), (1, 512)]),
)
FEW = (  # of a size that learns something in two seconds
    Contender("n-gram", seen=5),
    Contender("window", 1, 96, embedding=24, seen=2),
    Contender("convolution", 3, 48, embedding=24),
    *_with_cells([(1, 96)], embedding=24),
)
