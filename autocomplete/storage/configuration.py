"""The sizes of a network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Literal

from autocomplete.errors import SettingsError

__all__ = ["CELLS", "Cell", "Configuration"]

Cell = Literal["rnn", "gru", "lstm"]
CELLS: dict[Cell, int] = {"rnn": 1, "gru": 3, "lstm": 4}  # and how many gates each has, the candidate counted


@dataclass(frozen=True)
class Configuration:
    """
    The sizes of a network, from which the shapes of its tensors follow.

    :param vocabulary: symbols, the special ones included.
    :param embedding: numbers that a symbol is embedded in.
    :param tied: whether outputs are projected to the size of an embedding and compared with the embeddings themselves (Inan et
        al., 2017; Press and Wolf, 2017), which spares the decoder of a large vocabulary.
    :param bidirectional: whether it reads from both sides and fills gaps; one that does not predicts what comes next.
    :raises SettingsError: for an unknown cell or a size that no network has.
    """

    vocabulary: int
    cell: Cell = "lstm"
    layers: int = 1
    hidden: int = 256
    embedding: int = 64
    tied: bool = False
    bidirectional: bool = False

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise SettingsError(f"unknown cell {self.cell!r}; choose rnn, gru or lstm")
        for name, highest in [("vocabulary", 2**21), ("layers", 64), ("hidden", 2**16), ("embedding", 2**16)]:
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= highest:
                raise SettingsError(f"{name} is {value}; it must be a whole number from 1 to {highest:,}")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor, by the names that torch gives them."""
        rows = CELLS[self.cell] * self.hidden
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (self.vocabulary, self.embedding)}
        for direction in ("recurrent", "recurrent_backward")[: 1 + self.bidirectional]:
            for layer in range(self.layers):
                shapes |= {
                    f"{direction}.weight_ih_l{layer}": (rows, self.hidden if layer else self.embedding),
                    f"{direction}.weight_hh_l{layer}": (rows, self.hidden),
                    f"{direction}.bias_ih_l{layer}": (rows,),
                    f"{direction}.bias_hh_l{layer}": (rows,),
                }
        if self.bidirectional:
            for gap in ("letter", "word"):
                shapes |= {f"{gap}.weight": (2 * self.hidden, 2 * self.hidden), f"{gap}.bias": (2 * self.hidden,)}
        if self.tied:
            shapes["projection.weight"] = self.embedding, self.hidden
        else:
            shapes["decoder.weight"] = self.vocabulary, self.hidden * (1 + self.bidirectional)
        return shapes | {"decoder.bias": (self.vocabulary,)}

    def layer_parameters(self) -> dict[str, int]:
        """Return the number of trained numbers of each layer, from the embedding to the decoder."""
        directions = {"recurrent": " forward" if self.bidirectional else "", "recurrent_backward": " backward"}
        others = {"letter": "join, letter", "word": "join, word", "projection": "decoder"}
        counts: Counter[str] = Counter()
        for name, shape in self.shapes().items():
            layer = name.partition(".")[0]
            if layer in directions:
                layer = f"{self.cell} {int(name.rpartition('_l')[2]) + 1}{directions[layer]}"
            counts[others.get(layer, layer)] += prod(shape)
        return counts

    @property
    def parameters(self) -> int:
        """The number of trained numbers."""
        return sum(prod(shape) for shape in self.shapes().values())
