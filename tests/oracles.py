"""What torch says of words: the oracles of the models in numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from autocomplete.models.class_softmax import PREFIX, ClassSoftmax
from autocomplete.models.word_network import symbol_table
from autocomplete.models.word_ngrams import NGrams
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.training.networks.recurrent import CharRNN

_TOGETHER = 64


@torch.no_grad()
def spelled(model: CharRNN, vocabulary: Vocabulary, keys: Sequence[str]) -> list[list[float]]:
    """
    Return the natural log probability of each word of some lines under a network of characters, given that a word begins.

    :param keys: words with single spaces between them.
    """
    model.eval()
    begin, inside = (torch.from_numpy(mask).to(model.device) for mask in vocabulary.word_symbols())
    symbols = [[BOUNDARY, *vocabulary.encode(key)] for key in keys]
    result: list[list[float]] = [[] for _ in keys]
    order = sorted(range(len(keys)), key=lambda row: len(symbols[row]))
    for first in range(0, len(order), _TOGETHER):
        rows = order[first : first + _TOGETHER]
        longest = len(symbols[rows[-1]])
        padded = [symbols[row] + [BOUNDARY] * (longest - len(symbols[row])) for row in rows]
        ids = torch.tensor(padded, device=model.device)  # (rows, time)
        logs = model(ids).float().log_softmax(dim=-1)  # (rows, time, vocabulary): place i predicts character i
        right = logs[:, :-1].gather(2, ids[:, 1:, None])[:, :, 0]
        right = torch.cat([right, right.new_zeros(len(rows), 1)], dim=1).double().cumsum(1)
        begins = logs.masked_fill(~begin, -math.inf).logsumexp(dim=-1).double()
        ends = logs.masked_fill(inside, -math.inf).logsumexp(dim=-1).double()
        for row, *found in zip(rows, right.tolist(), begins.tolist(), ends.tolist(), strict=True):
            sums, starts, stops = found
            place = 0
            for word in keys[row].split(" "):
                before = sums[place - 1] if place else 0.0
                end = place + len(word)
                result[row].append(sums[end - 1] - before - starts[place] + stops[end])
                place = end + 1
    model.train()
    return result


@torch.no_grad()
def spelled_apart(model: CharRNN, vocabulary: Vocabulary, words: Sequence[str]) -> list[float]:
    """Return the natural log probability of words under a network of characters that takes each for one in no list."""
    model.eval()
    begin, inside = (torch.from_numpy(mask).to(model.device) for mask in vocabulary.word_symbols())
    result = [0.0] * len(words)
    order = sorted(range(len(words)), key=lambda row: len(words[row]))
    for first in range(0, len(order), _TOGETHER):
        rows = order[first : first + _TOGETHER]
        symbols = [vocabulary.encode(words[row]) for row in rows]
        ends = [[BOUNDARY] * (len(symbols[-1]) - len(word) + 1) for word in symbols]
        ids = torch.tensor(
            [[UNKNOWN, *word, *end] for word, end in zip(symbols, ends, strict=True)], device=model.device
        )
        logs = model(ids[:, :-1]).float().log_softmax(dim=-1)  # (rows, time, vocabulary)
        right = logs.gather(2, ids[:, 1:, None])[:, :, 0].double().cumsum(1)
        begins = logs[:, 0, begin].logsumexp(dim=-1).double()  # it has been told that a word begins
        ends = logs[:, :, ~inside].logsumexp(dim=-1).double()
        for row, word, *found in zip(rows, symbols, right.tolist(), begins.tolist(), ends.tolist(), strict=True):
            sums, starts, stops = found
            result[row] = sums[len(word) - 1] - starts + stops[len(word)]
    model.train()
    return result


@torch.no_grad()
def word_log_probabilities(
    configuration: Configuration, tensors: dict[str, NDArray[Any]], lines: Sequence[Sequence[int]], ngrams: NGrams
) -> NDArray[np.float64]:
    """
    Return the natural log probability of each word of some lines under a network of words.

    What it gives to all words that it does not know goes to those by its tail, or by their unigrams.

    :param lines: numbers of words, after the number of a beginning.
    """
    words = len(ngrams.unigrams)
    rows = tensors["rows"]
    own = symbol_table(rows, words)
    tail = ClassSoftmax(ngrams.unigrams, rows, named(tensors, PREFIX))
    places = np.full(words + 2, -1)
    places[tail.words] = np.arange(len(tail.words))
    model = frozen(configuration, tensors)
    result = []
    for line in lines:
        ids = torch.from_numpy(own[np.array(line)]).long()
        outputs, _ = model.projected(None, ids[None, :-1])
        logs = functional.linear(outputs[0], model.embedding.weight, model.decoder.bias).log_softmax(dim=-1)
        logs -= torch.log1p(-logs[:, BOUNDARY].exp())[:, None]  # given that a word follows
        right = logs.gather(1, ids[1:, None])[:, 0].double().numpy()
        for i in np.flatnonzero(own[np.array(line[1:])] == UNKNOWN).tolist():
            place = int(places[line[i + 1]])
            share = max(float(tail.shares(outputs[:, i].numpy())[0, place]), 1e-30) if place >= 0 else 0.0
            right[i] += math.log(share) if share else -math.inf
        result.append(right)
    return np.concatenate(result)


def frozen(configuration: Configuration, tensors: Mapping[str, NDArray[Any]]) -> CharRNN:
    """Return a network of words, to be asked only."""
    model = CharRNN(configuration).eval()
    model.load_state_dict({name: torch.from_numpy(tensors[name].astype(np.float32)) for name in model.state_dict()})
    return model.requires_grad_(False)
