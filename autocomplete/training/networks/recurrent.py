"""
CharRNN: predict each next character from all the characters before it.

Many-to-many: given the boundary and `name`, it is trained to answer n, a, m, e and the boundary, one answer at each step.
The network that reads words in place of characters is the same one over another vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

import torch
from torch import Tensor, nn

from autocomplete.storage.configuration import Configuration
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.batching.prefixes import PrefixBatch

__all__ = ["CharRNN", "State", "initialize", "new_recurrent"]

State = Tensor | tuple[Tensor, Tensor]  # each (layers, batch, hidden)

_RECURRENT: dict[str, type[nn.RNN | nn.GRU | nn.LSTM]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class CharRNN(nn.Module):
    """
    Embedding, recurrent layers, decoder. The initial hidden state is zeros.

    :param dropout: share of the embedded inputs and of the outputs of each layer that is dropped in training.
    """

    def __init__(self, configuration: Configuration, dropout: float = 0.0) -> None:
        super().__init__()
        self.configuration = configuration
        self.embedding = nn.Embedding(configuration.vocabulary, configuration.embedding)
        self.recurrent = new_recurrent(configuration, dropout)
        self.dropout = nn.Dropout(dropout)
        self.decoder: nn.Linear | _TiedDecoder
        if not configuration.tied:
            self.decoder = nn.Linear(configuration.hidden, configuration.vocabulary)
        else:
            self.projection = nn.Linear(configuration.hidden, configuration.embedding, bias=False)
            self.decoder = _TiedDecoder(configuration.vocabulary)
            nn.init.normal_(self.embedding.weight, std=0.05)  # the embeddings are weights of the decoder, too
        initialize(self.recurrent, configuration)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits of the next symbol after each of the (batch, time) ids, (batch, time, vocabulary)."""
        return self.continue_from(None, inputs)[0]

    def continue_from(self, state: State | None, inputs: Tensor) -> tuple[Tensor, State]:
        """
        Return the logits of the next symbol after each input, and the state after the last.

        :param state: after what stands before the inputs; None for zeros.
        :param inputs: (batch, time) ids.
        :returns: (batch, time, vocabulary), and the state.
        """
        # In memory time comes first, as the recurrent kernels have it: so nothing is copied but the ids.
        embedded = self.embedding(inputs.t().contiguous()).transpose(0, 1)
        outputs, state = self.recurrent(self.dropout(embedded), state)  # (batch, time, hidden)
        return self.decode(self.dropout(outputs.transpose(0, 1))).transpose(0, 1), state

    def sampled_from(
        self, state: State | None, inputs: Tensor, targets: Tensor, candidates: Tensor, log_chances: Tensor
    ) -> tuple[Tensor, State]:
        """
        Return an estimate of the cross entropy of the targets, in nats, and the state after the last input.

        The softmax is taken over each target and some candidates, as if each stood for as many symbols as it had chances not
        to be one (sampled softmax; Bengio and Senécal, 2008). For a network whose decoder is tied.

        :param candidates: (sampled,) distinct symbols.
        :param log_chances: (vocabulary,) log probability of each symbol to be among the candidates.
        """
        outputs, state = self.projected(state, inputs)
        outputs = outputs.flatten(0, 1)  # (n, embedding)
        targets = targets.flatten()
        bias = self.decoder.bias - log_chances
        right = (outputs * self.embedding(targets)).sum(dim=1).float() + bias[targets]
        others = nn.functional.linear(outputs, self.embedding(candidates)).float() + bias[candidates]
        others = others.masked_fill(targets[:, None] == candidates, -torch.inf)  # it stands there already
        return (torch.logaddexp(others.logsumexp(dim=1), right) - right).mean(), state

    def projected(self, state: State | None, inputs: Tensor) -> tuple[Tensor, State]:
        """Return what a tied decoder multiplies by the embeddings, (batch, time, embedding), and the state at the end."""
        outputs, state = self.recurrent(self.dropout(self.embedding(inputs)), state)
        return self.projection(self.dropout(outputs)), state

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the logits for outputs of the top layer, (..., hidden)."""
        if self.configuration.tied:
            return nn.functional.linear(self.projection(outputs), self.embedding.weight, self.decoder.bias)
        logits: Tensor = self.decoder(outputs)
        return logits

    def over_prefixes(self, batch: PrefixBatch) -> Tensor:
        """
        Return the logits of the next symbol after each prefix: as `forward` over every word, each prefix computed once.

        :returns: (prefixes, vocabulary)
        """
        embedded = torch.split(self.dropout(self.embedding(batch.symbols)), list(batch.levels))  # of (level, embedding)
        parents = torch.split(batch.parents, list(batch.levels))
        outputs, state = self.recurrent(embedded[0][:, None])
        tops = [outputs[:, 0]]
        for level, parent in zip(embedded[1:], parents[1:], strict=True):
            outputs, state = self.recurrent(level[:, None], _gather(state, parent))
            tops.append(outputs[:, 0])  # (level, hidden)
        return self.decode(self.dropout(torch.cat(tops)))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def sample(self, count: int, generator: torch.Generator, longest: int = 24) -> list[list[int]]:
        """Return the ids of words drawn from the network's own probabilities, each without its boundaries."""
        return self._draw_words(self.decode, count, generator, longest)

    @torch.no_grad()
    def _draw_words(
        self, decode: Callable[[Tensor], Tensor], count: int, generator: torch.Generator, longest: int
    ) -> list[list[int]]:
        """Draw words letter by letter; `decode` gives (count, vocabulary) logits for outputs of the layers that read forward."""
        drawn = torch.full((count, 1), BOUNDARY)  # (count, symbols so far)
        state: State | None = None
        self.eval()  # dropout would draw from the random state that the training goes on with
        while drawn.shape[1] <= longest and not (drawn[:, 1:] == BOUNDARY).any(dim=1).all():
            outputs, state = self.recurrent(self.embedding(drawn[:, -1:].to(self.device)), state)
            logits = decode(outputs[:, -1]).float()
            logits[:, UNKNOWN] = -torch.inf  # no character that could be shown
            drawn = torch.cat([drawn, torch.multinomial(logits.softmax(dim=-1).cpu(), 1, generator=generator)], dim=1)
        self.train()
        return [list(takewhile(lambda symbol: symbol != BOUNDARY, row)) for row in drawn[:, 1:].tolist()]


def new_recurrent(configuration: Configuration, dropout: float) -> nn.RNN | nn.GRU | nn.LSTM:
    """Return recurrent layers with torch's own weights to begin with."""
    return _RECURRENT[configuration.cell](
        configuration.embedding,
        configuration.hidden,
        configuration.layers,
        batch_first=True,
        dropout=dropout if configuration.layers > 1 else 0.0,  # torch warns where there is nothing between layers
    )


def initialize(recurrent: nn.RNN | nn.GRU | nn.LSTM, configuration: Configuration) -> None:
    """Give recurrent layers better weights to begin with."""
    for name, parameter in recurrent.named_parameters():
        if name.startswith(
            "weight_hh"
        ):  # orthogonal: the state neither fades nor explodes at first (Saxe et al., 2014)
            for gate in torch.split(parameter.data, configuration.hidden):
                nn.init.orthogonal_(gate)
        elif name.startswith("bias"):
            nn.init.zeros_(parameter)
            if configuration.cell == "lstm" and name.startswith("bias_ih"):  # remember at first (Gers et al., 2000)
                parameter.data[configuration.hidden : 2 * configuration.hidden] = 1.0


class _TiedDecoder(nn.Module):
    """What a decoder has of its own where its weights are the embeddings: a bias."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocabulary))


def _gather(state: State, rows: Tensor) -> State:
    """Return the states of some rows of a batch; a state is (layers, batch, hidden), two of them in an LSTM."""
    return state[:, rows] if isinstance(state, Tensor) else (state[0][:, rows], state[1][:, rows])
