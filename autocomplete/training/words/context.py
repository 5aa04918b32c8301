"""
What a text teaches about its words: which of them follow which.

The lexicon is the words worth offering. Word n-grams are counted over them, and where it is asked for a second recurrent
network learns to predict the next word; it runs in a process of its own beside the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.encoded import EncodedText, Ids
from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.corpus.word_vectors import WordVectors
from autocomplete.models.rare_words import LONGEST, RareWords
from autocomplete.models.word_ngrams import NGrams, Pairs, estimate
from autocomplete.storage.byte_matrix import packed, quantize
from autocomplete.text.normalization import Normalization, is_word_character, without_marks
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.text.words import running_words
from autocomplete.training.measure import tune_weights
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.distillation import Taught
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.words.class_softmax import learn_tail
from autocomplete.training.words.word_network import Network, WordNetworkProcess, word_log_probabilities

__all__ = ["TUNED", "Context", "NumberedWords", "choose_words", "rare_words"]

_MOST_WORDS = 60_000  # so that a word's number takes two bytes
_MANY = 1_000_000  # words of a text from which on those that stand in it only once are left out
# Words at least to learn from how words are spelled that the lexicon lacks. With the 30,000 of ten megabytes, six minutes gave a
# checkpoint of 1.86 bits a character on text of the same kind; 1.82, where the network learned nothing but the text.
_RARE = 100_000
_LISTED = 150_000  # of them that a checkpoint lists, the most frequent ones
_FLATTENING = 0.7  # power of the tuned weights: text from elsewhere than the corpus needs all members more alike
_UNKNOWN = 3.0  # times as many words of such text are in no list: 2.6 to 5.8 %, where it is 1.4 % of the validation of `english`
_TOGETHER = 64  # lines that are spelled at once
TUNED = 3_000  # lines that the weights are tuned on, at most
_PASSAGE, _SENTENCE = 1_000_000, 100_000  # words read at once, and of a sentence that they may end in
_NGRAMS = (690_000, 770_000)  # kept of each length from 2 on


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

    def soft(self, taught: SoftTargets) -> Taught:
        """Return soft targets with the numbers that `encode` gives."""
        return taught.numbered(self._numbers, len(self.keys), len(self.keys) + 1)

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


def rare_words(corpus: Corpus, words: NumberedWords, vocabulary: Vocabulary, others: Iterable[str] = ()) -> list[str]:
    """
    Return the words of a corpus that the lexicon lacks, or that stand there but once: who knows them knows what others are like.

    :param others: rare words from elsewhere.
    :returns: the most frequent first; none where they are too few.
    """
    begin, inside = (set(vocabulary.decode(np.flatnonzero(mask).tolist())) for mask in vocabulary.word_symbols())
    known = set(words.keys)
    counted = zip(corpus.words, corpus.counts.tolist(), strict=True)
    found = dict.fromkeys([*(word for word, count in counted if count <= 1 or word not in known), *others])
    rare = [word for word in found if word[0] in begin and inside.issuperset(word)]
    return rare if len(rare) >= _RARE else []


class Context:
    """
    The members of the mixture that know words only, and their weights beside the network.

    The network of words, if there is one, is trained in a process of its own, `word_process`, which begins at once.

    :param tokens: the words of the training text, as `NumberedWords.encode` gives them, as the network reads it.
    :param background: those of text that the network of words reads beside it, and the n-grams count with it; may be empty.
    :param validation: lines of other text, on which the weights are tuned.
    :param taught: what a teacher expects in some text, for the network of words.
    :param saved: the snapshot from which the network of words goes on, as its process sent it.
    :param save_every: seconds from one snapshot of it to the next.
    :param network: of words, that another checkpoint had; the one that is trained begins as it, or else it is used as it is.
    :param rare: the words from which the network of characters has learned how words are spelled that the lexicon lacks.
    :param vectors: by which words are told apart that the network of words does not know.
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
        taught: SoftTargets | None = None,
        saved: bytes | None = None,
        save_every: float = math.inf,
        network: Network | None = None,
        rare: Sequence[str] = (),
        vectors: WordVectors | None = None,
    ) -> None:
        known = set(words.keys)
        unknown = [word for word in rare if len(word) <= LONGEST and word not in known]
        self._listed = RareWords.of(unknown[:_LISTED], vocabulary)
        self._spells = bool(rare)
        self._spelled_known: NDArray[np.float16] | None = None  # (words,) logs by the finished network
        self._words, self._vocabulary, self._normalization = words, vocabulary, corpus.normalization
        spoken = (" ".join(word for word, _ in running_words(without_marks(line))) for line in validation[:TUNED])
        self._validation = list(filter(None, spoken))
        self._network = None if settings.word_hidden else network
        self._vectors, self._texts, self._seed = vectors, (tokens, background), settings.seed
        self.word_process: WordNetworkProcess | None = None
        if settings.word_hidden:
            held_out = words.encode(self._validation, corpus.normalization)
            soft = None if taught is None else words.soft(taught)
            arguments = tokens, background, held_out, len(words.keys), settings, precision, soft, network
            self.word_process = WordNetworkProcess(*arguments, saved=saved, save_every=save_every)
        self._ngrams = words.ngrams(_passages([tokens, background], len(words.keys)), corpus)
        first = [0.2, 0.8] if self._network is None else [0.2, 0.3, 0.5]  # until they are tuned
        self._weights = np.tile(first, (self._ngrams.order, 1))

    def tensors(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return what is to be written: arrays by name, and what says how to read them."""
        tensors = {f"ngrams.{name}": array for name, array in self._ngrams.tensors().items()}
        tensors["weights"] = self._weights.astype(np.float32)
        metadata: dict[str, Any] = {}
        if self._spelled_known is not None:
            tensors |= {f"rare.{name}": array for name, array in self._listed.tensors().items()}
            tensors["spelled"] = self._spelled_known
        if self._network is not None:
            metadata["configuration"] = asdict(self._network[0])
            tensors |= {f"network.{name}": array for name, array in packed(quantize(self._network[1])).items()}
        return tensors, metadata

    def finish(self, model: CharRNN, *, whole: bool = True) -> dict[str, Any]:
        """
        Tune the weights beside a finished network, and that of words, which has ended; return figures.

        :param whole: whether that of words is to learn from vectors now, which takes minutes.
        """
        if self.word_process is not None:
            self.word_process.check()
            self._network = self.word_process.network
        if whole and self._vectors is not None and self._network is not None:
            vectors = self._vectors.of(self._words.keys)
            tail = learn_tail(self._network, self._texts, self._ngrams.unigrams, *vectors, self._seed)
            self._network = self._network[0], self._network[1] | tail
        by_line = self._spelled(model)
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
        self._weights = flattened(tune_weights(logs, rests_on, self._ngrams.order), self._spells)
        weighed = np.logaddexp.reduce(logs + np.log(self._weights[rests_on]), axis=1)
        known = np.isfinite(logs[:, 1])

        def bits(logs: NDArray[np.float64]) -> float:
            return -float(logs.mean()) / math.log(2)

        figures: dict[str, Any] = {"unknown_words": 1 - float(known.mean()), "weights": self._weights.tolist()}
        if known.any():
            members = ["network", "ngrams", "words"][: logs.shape[1]]
            of_members = {name: bits(logs[known, i]) for i, name in enumerate(members) if i or not self._spells}
            figures["bits_per_word"] = of_members | {"mixture": bits(weighed[known])}
        if not known.all():
            figures["bits_per_unknown_word"] = bits(weighed[~known])
        return figures

    def _spelled(self, model: CharRNN) -> list[list[float]]:
        """Return the natural log probability of each word of the validation under the network of characters."""
        lines = [self._normalization.key(line) for line in self._validation]
        if not self._spells:
            return spelled(model, self._vocabulary, lines)
        known = np.array(spelled_apart(model, self._vocabulary, self._words.keys))
        self._spelled_known = known.astype(np.float16)
        others = math.log1p(-float(np.exp(known).sum()))  # what is left to words that the lexicon lacks
        words = [line.split(" ") for line in lines]
        found = dict.fromkeys(self._words.keys, -math.inf)
        unknown = [word for word in dict.fromkeys(chain.from_iterable(words)) if word not in found]
        by_network = [log - others for log in spelled_apart(model, self._vocabulary, unknown)]
        found |= zip(unknown, self._listed.beside(by_network, unknown, self._vocabulary), strict=True)
        return [[found[word] for word in line] for line in words]

    def close(self) -> None:
        """End the process that trains, if it has not ended."""
        if self.word_process is not None:
            self.word_process.close()


def flattened(weights: NDArray[np.float64], spells: bool) -> NDArray[np.float64]:
    """
    Return weights, (contexts, members), as they suit text from elsewhere than that which they were tuned on.

    :param spells: whether the first member is there for words in no list only.
    """
    flat = weights**_FLATTENING
    if spells:
        unknown = weights[:, :1] * _UNKNOWN / (1 + (_UNKNOWN - 1) * weights[:, :1])
        known = flat[:, 1:] / flat[:, 1:].sum(axis=1, keepdims=True)
        flat = np.hstack([unknown, (1 - unknown) * known])
    flat /= flat.sum(axis=1, keepdims=True)
    return flat


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
