"""
BidirectionalRNN: predict each character from what stands before it and from what stands after it.

Schuster and Paliwal, "Bidirectional recurrent neural networks", 1997. One stack of recurrent layers reads a line from its
beginning, another from its end, and neither knows of the other: so what the decoder is given for a place has never met the letter
that stands there. Layers that read both directions of the layer below, as torch's own `bidirectional=True` has them, would have.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.networks.recurrent import CharRNN, initialize, new_recurrent

__all__ = ["BidirectionalRNN", "GapKind"]

GapKind = Literal["letter", "word"]


class BidirectionalRNN(CharRNN):
    """
    A forward stack (`recurrent`), a backward one, and for each kind of gap a layer that joins the two before the decoder.

    A gap of a letter is one symbol wide. A gap of a word has a width that nobody knows: its symbols are asked for one after
    another, each given those before it and all that stands right of the gap, until one is no letter.
    """

    def __init__(self, configuration: Configuration, dropout: float = 0.0) -> None:
        super().__init__(configuration, dropout)
        self.recurrent_backward = new_recurrent(configuration, dropout)
        initialize(self.recurrent_backward, configuration)
        both = 2 * configuration.hidden
        self.letter, self.word = nn.Linear(both, both), nn.Linear(both, both)
        self.decoder = nn.Linear(both, configuration.vocabulary)

    def read(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return what each stack holds after each of the (batch, time) ids: of all up to it, and of all from it on.

        :returns: (batch, time, hidden) each; in memory time comes first, as the recurrent kernels have it.
        """
        embedded = self.dropout(self.embedding(inputs.t().contiguous()))  # (time, batch, embedding)
        forward, _ = self.recurrent(embedded.transpose(0, 1))
        backward, _ = self.recurrent_backward(embedded.flip(0).transpose(0, 1))
        return forward, backward.flip(1)

    def answer(self, before: Tensor, after: Tensor, kind: GapKind) -> Tensor:
        """
        Return the logits of the symbol between two states: V max(0, W [before; after] + b) + c.

        Without the layer between, each side could only vote for letters: what the two mean together would be lost.

        :param before: (..., hidden) the forward state of what stands before the symbol.
        :param after: (..., hidden) the backward state of what stands after the gap.
        :returns: (..., vocabulary)
        """
        join = self.letter if kind == "letter" else self.word
        return self.decode(torch.relu(join(self.dropout(torch.cat([before, after], dim=-1)))))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator, longest: int = 24) -> list[list[int]]:
        """Return the ids of words drawn for a line that is nothing but a gap of a word, each without its boundaries."""
        self.eval()  # what stands after is no different for dropout
        after = self.read(torch.full((count, 1), BOUNDARY, device=self.device))[1][:, 0]  # (count, hidden)
        return self._draw_words(lambda outputs: self.answer(outputs, after, "word"), count, generator, longest)
