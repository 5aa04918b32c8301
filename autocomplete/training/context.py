"""
What a text teaches about its words: which of them follow which.

The lexicon is the words worth offering. Word n-grams are counted over them, and where it is asked for a second recurrent
network learns to predict the next word; it runs in a process of its own beside the first.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autocomplete.checkpoint import Configuration
from autocomplete.errors import SettingsError
from autocomplete.text.corpus import Corpus
from autocomplete.text.encoded import EncodedText, Ids, count_ids, translate_ids
from autocomplete.text.ngrams import NGrams, Pairs, estimate
from autocomplete.text.normalize import Normalization, is_word_character, without_marks
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.text.words import running_words
from autocomplete.training.measure import tune_weights
from autocomplete.training.model import CharRNN
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.streams import SampledLoss, Streams, bits, choose_source

__all__ = ["TUNED", "Context", "NumberedWords", "choose_words", "train_word_network"]

_MOST_WORDS = 60_000  # so that a word's number takes two bytes
_MANY = 1_000_000  # words of a text from which on those that stand in it only once are left out
_FLATTENING = 0.5  # power of the tuned weights: text from elsewhere than the corpus needs all members more alike
TUNED = 3_000  # lines that the weights are tuned on, at most
_BACKGROUND_COUNT = 0.1  # of a word in the background, beside one in the corpus, where the network's words are chosen
_SAMPLED = 2_048  # words in the softmax of a step of the network of words
_PASSAGE, _SENTENCE = 1_000_000, 100_000  # words read at once, and of a sentence that they may end in
_NGRAMS = (340_000, 300_000)  # kept of each length from 2 on


@dataclass(frozen=True)
class NumberedWords:
    """
    The words of the lexicon, numbered in the order of their keys' ids.

    :param keys: (words,)
    :param counts: (words,)
    """

    keys: tuple[str, ...]
    counts: NDArray[np.float64]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self.keys)}

    def encode(self, lines: Sequence[str], normalization: Normalization) -> NDArray[np.int32]:
        """Return the words of lines as numbers: `len(keys)` where a line or sentence begins, one more for any other word."""
        return np.fromiter(self._encoded(lines, normalization), dtype=np.int32)

    def _encoded(self, lines: Sequence[str], normalization: Normalization) -> Iterator[int]:
        numbers, start, other = self._numbers, len(self.keys), len(self.keys) + 1
        for line in lines:
            for word, begins in running_words(line):
                if begins:
                    yield start
                yield numbers.get(normalization.key(word), other)

    def table(self, text: EncodedText, normalization: Normalization) -> NDArray[np.int32]:
        """Return the numbers, as `encode` gives them, of those that a text has for its words."""
        numbers, start, other = self._numbers, len(self.keys), len(self.keys) + 1
        spellings = text.spellings()
        own = (numbers.get(normalization.key(spelling), other) for spelling in spellings)
        return np.append(np.array([start, other], np.int32), np.fromiter(own, dtype=np.int32, count=len(spellings)))

    def ngrams(self, tokens: NDArray[np.int32] | Iterator[NDArray[Any]], corpus: Corpus) -> NGrams:
        """Return the n-grams of a text, or of passages of one, and of the corpus's pairs."""
        numbers = self._numbers
        known = [(numbers[a], numbers[b], n) for (a, b), n in corpus.pairs.items() if a in numbers and b in numbers]
        pairs = None
        if known:
            first, second, count = map(np.array, zip(*known, strict=True))
            pairs = Pairs(first.astype(np.int64), second.astype(np.int64), count.astype(np.float64))
        return estimate(tokens, self.counts, _NGRAMS, pairs)


def _passages(texts: Sequence[Ids], start: int) -> Iterator[NDArray[Any]]:
    """
    Yield the words of texts in long passages: whole sentences, each once.

    :param start: the number of a beginning.
    """
    for text in texts:
        # From all over the text, as there may be too many.
        places = np.random.default_rng(0).permutation(np.arange(0, len(text), _PASSAGE))
        for place in places.tolist():
            words = text[place : place + _PASSAGE + _SENTENCE]
            begins = np.append(np.flatnonzero(words == start), len(words))
            yield words[begins[0] if place else 0 : begins[np.searchsorted(begins, min(_PASSAGE, len(words)))]]


def choose_words(corpus: Corpus, vocabulary: Vocabulary) -> NumberedWords:
    """Return the words worth offering: spelled with known letters only, and more than once in a long text."""
    alphabet = set(vocabulary.characters)
    least = 1 if corpus.counts.sum() > _MANY else 0
    chosen = [
        (word, count)
        for word, count in zip(corpus.words, corpus.counts.tolist(), strict=True)
        if count > least
        and alphabet.issuperset(word)
        and is_word_character(word[0])
        and not any(character.isdigit() for character in word)
    ][:_MOST_WORDS]
    keys = [word for word, _ in chosen]
    order = vocabulary.sort(keys)
    return NumberedWords(tuple(keys[i] for i in order), np.array([chosen[i][1] for i in order]))


def train_word_network(
    tokens: Ids,
    background: Ids,
    held_out: NDArray[np.int32],
    words: int,
    settings: TrainingSettings,
    precision: str,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Configuration, dict[str, NDArray[Any]]]:
    """
    Train a recurrent network to predict the next word.

    :param tokens: (n,) as `NumberedWords.encode` gives them.
    :param background: (m,) of text to read beside it; may be empty.
    :param words: how many words are numbered.
    :returns: its sizes and its tensors; among them `rows`, the numbers of the words that it knows, in its own order.
    """
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    counts, more = (count_ids(text, words + 2)[:words] for text in (tokens, background))
    counts = counts + _BACKGROUND_COUNT * more
    rows = np.argsort(-counts, kind="stable")[: settings.word_vocabulary - 2]
    rows = rows[counts[rows] > 0]
    own = _own_symbols(rows, words)
    configuration = Configuration(len(rows) + 2, "lstm", 1, settings.word_hidden, settings.word_embedding, tied=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = CharRNN(configuration, settings.word_dropout).to(device)
    optimizer = new_optimizer(model, settings.weight_decay)
    texts = [translate_ids(text, own) for text in (tokens, background) if len(text)]
    sources = [Streams(text, settings.batch, max(1, settings.bptt // 2), generator) for text in texts]
    # Drawn by their shares in both texts at once: a word drawn far more rarely than the network expects it, because one text
    # hardly has it, would weigh so much in its step that the network comes apart.
    shares = np.sum([count_ids(text, len(rows) + 2) / len(text) for text in texts], axis=0)
    sampled_loss = SampledLoss(shares * len(tokens), _SAMPLED, generator)
    began, steps, progress, measured_at = time.monotonic(), 0, 0.0, 0.0
    best: tuple[float, dict[str, NDArray[Any]]] = (math.inf, {})
    while progress < 1.0 and not stopped():
        loss = sampled_loss(model, choose_source(sources, progress, generator), precision)
        rate = settings.rate(settings.context_rate, steps, progress)
        training_step(model, optimizer, loss, rate, settings.clip)
        steps += 1
        progress = settings.progress(steps, time.monotonic() - began)
        if progress - measured_at >= 0.05 or progress >= 1.0:
            measured_at = progress
            measured = bits(model, own[held_out], lambda targets: targets > UNKNOWN, time=32)["bits_per_character"]
            if measured < best[0]:
                best = measured, _halved(model)
    return configuration, (best[1] or _halved(model)) | {"rows": rows.astype(np.int32)}


def _own_symbols(rows: NDArray[Any], words: int) -> NDArray[np.int32]:
    """Return (words + 2,) the symbol that a network of words has for each number: its own words, a beginning, or unknown."""
    own = np.full(words + 2, UNKNOWN, dtype=np.int32)
    own[rows] = np.arange(len(rows)) + 2
    own[words] = BOUNDARY
    return own


def _halved(model: CharRNN) -> dict[str, NDArray[Any]]:
    """Return the weights in fp16."""
    return {name: value.cpu().numpy().astype(np.float16) for name, value in model.state_dict().items()}


class Context:
    """
    The members of the mixture that know words only, and their weights beside the network.

    The network of words is trained in a process of its own, which begins at once and is waited for at the end.

    :param tokens: the words of the training text, as `NumberedWords.encode` gives them, as the network reads it.
    :param background: those of text that the network of words reads beside it, and the n-grams count with it; may be empty.
    :param validation: lines of other text, on which the weights are tuned.
    """

    def __init__(
        self,
        corpus: Corpus,
        words: NumberedWords,
        vocabulary: Vocabulary,
        tokens: Ids,
        background: Ids,
        validation: Sequence[str],
        settings: TrainingSettings,
        precision: str,
    ) -> None:
        self._words, self._vocabulary, self._normalization = words, vocabulary, corpus.normalization
        spoken = (" ".join(word for word, _ in running_words(without_marks(line))) for line in validation[:TUNED])
        self._validation = list(filter(None, spoken))
        self._network: tuple[Configuration, dict[str, NDArray[Any]]] | None = None
        self._process: Process | None = None
        if settings.word_hidden:
            held_out = words.encode(self._validation, corpus.normalization)
            self._process = Process(tokens, background, held_out, len(words.keys), settings, precision)
        self._ngrams = words.ngrams(_passages([tokens, background], len(words.keys)), corpus)
        self._weights = np.tile([0.2, 0.8], (self._ngrams.order, 1))

    def tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return what is to be written: arrays by name, and what says how to read them."""
        tensors = {f"ngrams.{name}": array for name, array in self._ngrams.tensors().items()}
        tensors["weights"] = self._weights.astype(np.float32)
        metadata: dict[str, Any] = {}
        if self._network is not None:
            metadata["configuration"] = asdict(self._network[0])
            tensors |= {f"network.{name}": array for name, array in self._network[1].items()}
        return tensors, metadata

    def finish(self, model: CharRNN, *, interrupted: bool) -> dict[str, Any]:
        """Wait for the network of words, then tune the weights beside a finished network; return figures."""
        if self._process is not None:
            self._network = self._process.result(stop=interrupted)
        by_line = spelled(model, self._vocabulary, [self._normalization.key(line) for line in self._validation])
        columns, buckets = [], []
        contexts = [self._words.encode([line], self._normalization).tolist() for line in self._validation]
        network = None if self._network is None else word_log_probabilities(*self._network, contexts, self._ngrams)
        i = 0
        for line, spelling in zip(contexts, by_line, strict=True):
            for place, log_probability in enumerate(spelling):
                distribution, length = self._ngrams.distribution(line[: place + 1][-self._ngrams.order + 1 :])
                word = line[place + 1]
                known = float(distribution[word]) if word < len(distribution) else 0.0
                row = [log_probability, math.log(known) if known > 0 else -math.inf]
                if network is not None:
                    row.append(float(network[i]))
                columns.append(row)
                buckets.append(length)
                i += 1
        if not columns:
            return {}
        logs, rests_on = np.array(columns), np.array(buckets)
        self._weights = tune_weights(logs, rests_on, self._ngrams.order) ** _FLATTENING
        self._weights /= self._weights.sum(axis=1, keepdims=True)
        weighed = np.logaddexp.reduce(logs + np.log(self._weights[rests_on]), axis=1)
        names = ["network", "ngrams", "words"][: logs.shape[1]]
        known = np.isfinite(logs[:, 1])
        bits = {name: -float(logs[known, i].mean()) / math.log(2) for i, name in enumerate(names) if known.any()}
        if bits:
            bits["mixture"] = -float(weighed[known].mean()) / math.log(2)
        return {
            "bits_per_word": bits,
            "unknown_words": 1 - float(known.mean()),
            "weights": self._weights.tolist(),
        }

    def close(self) -> None:
        """End the process that trains, if it has not ended."""
        if self._process is not None:
            self._process.close()


class Process:
    """A process that trains a network of words."""

    def __init__(self, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, self._stop, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def result(self, *, stop: bool) -> tuple[Configuration, dict[str, NDArray[Any]]]:
        """Wait for the network; raise SettingsError where its process died."""
        if stop:
            self._stop.set()
        try:
            result: tuple[Configuration, dict[str, NDArray[Any]]] = self._ours.recv()
        except EOFError:
            raise SettingsError(
                "the process that trained the network of words ended early; try a lower --word-hidden"
            ) from None
        self._process.join()
        return result

    def close(self) -> None:
        """End it, whatever it has reached."""
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()


def _run(pipe: Any, stop: Any, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is asked, and passes it on
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    tokens, background, held_out, words, settings, precision = arguments
    pipe.send(train_word_network(tokens, background, held_out, words, settings, precision, stop.is_set))


@torch.no_grad()
def spelled(model: CharRNN, vocabulary: Vocabulary, keys: Sequence[str]) -> list[list[float]]:
    """
    Return the natural log probability of each word of some lines under a network of characters, given that a word begins.

    :param keys: words with single spaces between them.
    """
    model.eval()
    begin, inside = (torch.from_numpy(mask).to(model.device) for mask in vocabulary.word_symbols())
    result = []
    for key in keys:
        ids = torch.tensor([[BOUNDARY, *vocabulary.encode(key)]], device=model.device)
        logs = model(ids)[0].float().log_softmax(dim=-1)  # (time, vocabulary): row i predicts character i
        right = torch.cat([logs[:-1].gather(1, ids[0, 1:, None])[:, 0], logs.new_zeros(1)]).double().cumsum(0)
        begins = logs.masked_fill(~begin, -math.inf).logsumexp(dim=-1).double()
        ends = logs.masked_fill(inside, -math.inf).logsumexp(dim=-1).double()
        sums, starts, stops = right.tolist(), begins.tolist(), ends.tolist()
        place, line = 0, []
        for word in key.split(" "):
            before = sums[place - 1] if place else 0.0
            line.append(sums[place + len(word) - 1] - before - starts[place] + stops[place + len(word)])
            place += len(word) + 1
        result.append(line)
    model.train()
    return result


@torch.no_grad()
def word_log_probabilities(
    configuration: Configuration, tensors: dict[str, NDArray[Any]], lines: Sequence[Sequence[int]], ngrams: NGrams
) -> NDArray[np.float64]:
    """
    Return the natural log probability of each word of some lines under a network of words.

    What it gives to all words that it does not know goes to those by their unigrams.

    :param lines: numbers of words, after the number of a beginning.
    """
    words = len(ngrams.unigrams)
    rows = tensors["rows"]
    own = _own_symbols(rows, words)
    rest = ngrams.unigrams.astype(np.float64).copy()
    rest[rows] = 0
    shares = np.append(np.log(np.maximum(rest / max(rest.sum(), 1e-12), 1e-30)), [-math.inf, -math.inf])
    model = CharRNN(configuration).eval()
    model.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in tensors.items() if k != "rows"})
    result = []
    for line in lines:
        ids = torch.from_numpy(own[np.array(line)]).long()
        logs = model(ids[None, :-1])[0].log_softmax(dim=-1)
        logs -= torch.log1p(-logs[:, BOUNDARY].exp())[:, None]  # given that a word follows
        right = logs.gather(1, ids[1:, None])[:, 0].double().numpy()
        result.append(np.where(own[np.array(line[1:])] == UNKNOWN, right + shares[np.array(line[1:])], right))
    return np.concatenate(result)
