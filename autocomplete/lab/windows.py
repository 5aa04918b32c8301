"""
Networks without a memory, which predict the next character from the last few; and how far back any network looks.

They have the interface of `CharRNN`: `forward` over whole sequences, `continue_from` over a text in pieces. What they carry on
from piece to piece are the last symbols themselves, as many as they see. Boundaries stand before the first symbol of a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from autocomplete.lab.training import word_rows
from autocomplete.text.vocabulary import BOUNDARY, Vocabulary

__all__ = ["CausalConvolution", "FeedForwardWindow", "WindowNetwork", "answers", "influence"]


class WindowNetwork(nn.Module):
    """
    What both have in common.

    :param seen: number of symbols that an answer depends on, the last one included.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int, seen: int) -> None:
        super().__init__()
        self.seen = seen
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.decoder = nn.Linear(hidden, vocabulary)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits of the next symbol after each input, (batch, time, vocabulary); inputs are (batch, time) ids."""
        return self.continue_from(None, inputs)[0]

    def continue_from(self, state: Tensor | None, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return the logits of the next symbol after each input, (batch, time, vocabulary), and the state after the last.

        :param state: (batch, seen - 1) ids of what stands before the inputs; None for boundaries.
        :param inputs: (batch, time) ids.
        """
        if state is None:
            state = inputs.new_full((len(inputs), self.seen - 1), BOUNDARY)
        symbols = torch.cat([state, inputs], dim=1)  # (batch, seen - 1 + time)
        logits: Tensor = self.decoder(self.read(symbols))
        return logits, symbols[:, symbols.shape[1] - self.seen + 1 :]

    def read(self, symbols: Tensor) -> Tensor:
        """Return what the decoder reads, (batch, time, hidden), of (batch, seen - 1 + time) ids."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device


class FeedForwardWindow(WindowNetwork):
    """
    The last k symbols, embedded, side by side, through tanh layers: h = tanh(W [e(x_t-k+1); ...; e(x_t)] + b).

    Bengio et al., "A Neural Probabilistic Language Model", 2003, without direct connections from embeddings to output.

    :param window: k, the number of symbols seen, from 1.
    :param layers: number of tanh layers, of `hidden` units each.
    """

    def __init__(self, vocabulary: int, window: int, embedding: int, hidden: int, layers: int = 1) -> None:
        super().__init__(vocabulary, embedding, hidden, seen=window)
        inputs = [window * embedding] + [hidden] * (layers - 1)
        self.layers = nn.ModuleList(nn.Linear(size, hidden) for size in inputs)

    def read(self, symbols: Tensor) -> Tensor:
        """Return the outputs of the last layer for each window; see `WindowNetwork`."""
        embedded = self.embedding(symbols)  # each symbol once, though it stands in several windows
        time = symbols.shape[1] - self.seen + 1
        outputs = torch.cat(
            [embedded[:, i : i + time] for i in range(self.seen)], dim=2
        )  # (batch, time, window x embedding)
        for layer in self.layers:
            outputs = torch.tanh(layer(outputs))  # (batch, time, hidden)
        return outputs


class CausalConvolution(WindowNetwork):
    """
    Convolutions over time that look back only. A layer of dilation d is y_t = x_t + relu(sum_i W_i x_t-id + b).

    The dilations 1, 2, 4, ... are those of van den Oord et al., "WaveNet", 2016; the plain residual layers follow Bai et al., "An
    Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence Modeling", 2018. Of l layers with kernels
    of width w, the receptive field is 1 + (w - 1) (2^l - 1) symbols.

    :param hidden: number of channels.
    :param kernel: width, from 2: the number of places that a layer looks at, its own included.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int, layers: int = 3, kernel: int = 2) -> None:
        super().__init__(vocabulary, embedding, hidden, seen=1 + (kernel - 1) * (2**layers - 1))
        self.widen = nn.Linear(embedding, hidden)
        self.layers = nn.ModuleList(nn.Conv1d(hidden, hidden, kernel, dilation=2**depth) for depth in range(layers))

    def read(self, symbols: Tensor) -> Tensor:
        """Return the outputs of the last layer; see `WindowNetwork`."""
        outputs: Tensor = self.widen(self.embedding(symbols)).transpose(1, 2)  # (batch, hidden, seen - 1 + time)
        for layer in self.layers:
            convolved = functional.relu(layer(outputs))
            outputs = outputs[:, :, outputs.shape[2] - convolved.shape[2] :] + convolved
        return outputs.transpose(1, 2)


@torch.no_grad()
def answers(network: nn.Module, beginnings: Sequence[str], vocabulary: Vocabulary) -> NDArray[np.float32]:
    """
    Return (beginnings, vocabulary) the probability of each next symbol after some beginnings of words.

    Each is read by itself, and a network with a window is given that window only: products of matrices of the same shape,
    so that it gives the same answer to the last bit wherever it sees the same.
    """
    rows = []
    for beginning in beginnings:
        inputs = torch.tensor([[BOUNDARY, *vocabulary.encode(beginning)]])  # (1, length + 1)
        if isinstance(network, WindowNetwork):
            window = functional.pad(inputs, (network.seen, 0), value=BOUNDARY)[:, -network.seen :]
            logits = network.continue_from(window[:, :-1], window[:, -1:])[0]
        else:
            logits = network(inputs)
        rows.append(logits[0, -1].softmax(dim=-1))
    probabilities: NDArray[np.float32] = torch.stack(rows).numpy()
    return probabilities


@torch.no_grad()
def influence(
    network: nn.Module, beginnings: Sequence[str], letters: str, vocabulary: Vocabulary
) -> NDArray[np.float64]:
    """
    Measure how much an answer moves when one letter is replaced by another, by how far back that letter stands.

    :param beginnings: of words, all of one length.
    :param letters: two at least, to draw the other letter from.
    :returns: (length,) the mean total variation distance, from 0 to 1, the last letter first. What a network cannot see moves
        nothing: exactly 0.
    """
    generator = np.random.default_rng(0)
    inputs, _ = word_rows(beginnings, vocabulary)  # (beginnings, length + 1)
    others = np.array(vocabulary.encode(letters))
    before = network(inputs)[:, -1].softmax(dim=-1)  # (beginnings, vocabulary)
    moved = []
    for place in range(inputs.shape[1] - 1, 0, -1):
        drawn = generator.integers(len(others), size=len(inputs))
        same = others[drawn] == inputs[:, place].numpy()
        changed = inputs.clone()
        changed[:, place] = torch.from_numpy(others[np.where(same, drawn - 1, drawn)])  # another one in either case
        # A batch of the same shape, row for row, in which nothing differs but the letter.
        apart = (network(changed)[:, -1].softmax(dim=-1) - before).abs().sum(dim=1)  # (beginnings,)
        moved.append(float(apart.double().mean()) / 2)
    return np.array(moved)
