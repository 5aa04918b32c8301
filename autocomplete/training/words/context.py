"""What a text teaches about its words: the lexicon, word n-grams, a network of words, and their interpolation weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.encoded import EncodedText, Ids
from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.corpus.word_vectors import WordVectors
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.out_of_vocabulary import out_of_vocabulary_model
from autocomplete.models.protocol import Array, along, gather, word_log_probabilities
from autocomplete.models.rare_words import LONGEST, RareWords
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.within_word import WithinWord
from autocomplete.models.word_network import WordNetwork
from autocomplete.models.word_ngrams import NGrams, Pairs, estimate
from autocomplete.storage.byte_matrix import packed, quantize
from autocomplete.text.alphabets import Alphabet
from autocomplete.text.normalization import is_word_character, without_marks
from autocomplete.text.vocabulary import UNKNOWN, Vocabulary
from autocomplete.text.words import running_words
from autocomplete.training.measure import tune_weights
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.distillation import Taught
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.words.class_softmax import learn_tail
from autocomplete.training.words.word_network import Network, WordNetworkProcess

__all__ = ["TUNED", "Context", "NumberedWords", "choose_words", "rare_words"]

_MOST_WORDS = 60_000  # so that a word's number takes two bytes
_MANY = 1_000_000  # words of a text from which on those that stand in it only once are left out
# Words at least to learn from how words are spelled that the lexicon lacks. With the 30,000 of ten megabytes, six minutes gave a
# checkpoint of 1.86 bits a character on text of the same kind; 1.82, where the network learned nothing but the text.
_RARE = 100_000
_LISTED = 150_000  # of them that a checkpoint lists, the most frequent ones
_FLATTENING = 0.7  # power of the tuned weights: text from elsewhere than the corpus needs all members more alike
_UNKNOWN = 3.0  # times as many words of such text are in no list: 2.6 to 5.8 %, where it is 1.4 % of the validation of `english`
TUNED = 3_000  # lines that the weights are tuned on, at most
_PASSAGE, _SENTENCE = 1_000_000, 100_000  # words read at once, and of a sentence that they may end in
_NGRAMS = (690_000, 770_000)  # kept of each length from 2 on


@dataclass(frozen=True)
class NumberedWords:
    """The words of the lexicon in the order of their ids."""

    keys: tuple[str, ...]  # (words,)
    counts: NDArray[np.float64]  # (words,)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self.keys)}

    def encode(self, lines: Sequence[str], alphabet: Alphabet) -> NDArray[np.int32]:
        """Return the words of lines as numbers: `len(keys)` where a line or sentence begins, one more for any other word."""
        return np.fromiter(self._encoded(lines, alphabet), dtype=np.int32)

    def _encoded(self, lines: Sequence[str], alphabet: Alphabet) -> Iterator[int]:
        numbers, start, other = self._numbers, len(self.keys), len(self.keys) + 1
        for line in lines:
            for word, begins in running_words(line):
                if begins:
                    yield start
                yield numbers.get(alphabet.key(word), other)

    def table(self, text: EncodedText, alphabet: Alphabet) -> NDArray[np.int32]:
        """Return the numbers, as `encode` gives them, of those that a text has for its words."""
        numbers, start, other = self._numbers, len(self.keys), len(self.keys) + 1
        spellings = text.spellings()
        own = (numbers.get(alphabet.key(spelling), other) for spelling in spellings)
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
    """Yield the words of texts in long passages of whole sentences, each once; `start` is the id of a beginning."""
    for text in texts:
        # From all over the text, as there may be too many.
        places = np.random.default_rng(0).permutation(np.arange(0, len(text), _PASSAGE))
        for place in places.tolist():
            words = text[place : place + _PASSAGE + _SENTENCE]
            begins = np.append(np.flatnonzero(words == start), len(words))
            yield words[begins[0] if place else 0 : begins[np.searchsorted(begins, min(_PASSAGE, len(words)))]]


def choose_words(corpus: Corpus, vocabulary: Vocabulary) -> NumberedWords:
    """Return the words worth offering: spelled with known letters only, and more than once in a long text."""
    letters = set(vocabulary.characters)
    least = 1 if corpus.counts.sum() > _MANY else 0
    chosen = [
        (word, count)
        for word, count in zip(corpus.words, corpus.counts.tolist(), strict=True)
        if count > least
        and letters.issuperset(word)
        and is_word_character(word[0])
        and not any(character.isdigit() for character in word)
    ][:_MOST_WORDS]
    keys = [word for word, _ in chosen]
    order = vocabulary.sort(keys)
    return NumberedWords(tuple(keys[i] for i in order), np.array([chosen[i][1] for i in order]))


def rare_words(corpus: Corpus, words: NumberedWords, vocabulary: Vocabulary, others: Iterable[str] = ()) -> list[str]:
    """Return words that the lexicon lacks or the corpus has once, the most frequent first, then others; none if too few."""
    begin, inside = (set(vocabulary.decode(np.flatnonzero(mask).tolist())) for mask in vocabulary.word_symbols())
    known = set(words.keys)
    counted = zip(corpus.words, corpus.counts.tolist(), strict=True)
    found = dict.fromkeys([*(word for word, count in counted if count <= 1 or word not in known), *others])
    rare = [word for word in found if word[0] in begin and inside.issuperset(word)]
    return rare if len(rare) >= _RARE else []


class Context:
    """
    The components of the mixture that know words only, and their weights beside the network of characters.

    The network of words, if there is one, is trained in a process of its own, `word_process`, which begins at once.

    :param tokens: ids of the words of the training text, as `NumberedWords.encode` gives them.
    :param background: ids of text that is read and counted beside it; may be empty.
    :param validation: lines of other text, on which the weights are tuned.
    :param taught: soft targets for the network of words.
    :param saved: the snapshot from which the network of words goes on, as its process sent it.
    :param save_every: seconds between two snapshots of it.
    :param network: of words, of another checkpoint; it is trained on, or else used as it is.
    :param rare: the words from which the network of characters has learned to spell out-of-vocabulary words.
    :param vectors: for the class-based softmax.
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
        self._words, self._vocabulary, self._alphabet = words, vocabulary, corpus.alphabet
        spoken = (" ".join(word for word, _ in running_words(without_marks(line))) for line in validation[:TUNED])
        self._validation = list(filter(None, spoken))
        self._network = None if settings.word_hidden else network
        self._vectors, self._texts, self._seed = vectors, (tokens, background), settings.seed
        self.word_process: WordNetworkProcess | None = None
        if settings.word_hidden:
            held_out = words.encode(self._validation, corpus.alphabet)
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
        Tune the interpolation weights for a finished network of characters, and return figures.

        :param whole: whether the class-based softmax is trained now, which takes minutes.
        """
        if self.word_process is not None:
            self.word_process.check()
            self._network = self.word_process.network
        if whole and self._vectors is not None and self._network is not None:
            vectors = self._vectors.of(self._words.keys)
            tail = learn_tail(self._network, self._texts, self._ngrams.unigrams, *vectors, self._seed)
            self._network = self._network[0], self._network[1] | tail
        if not self._validation:
            return {}
        tensors = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
        lines = [self._words.encode([line], self._alphabet).tolist() for line in self._validation]
        by_ngrams = np.array(
            [self._by_ngrams(line[: i + 1], word) for line in lines for i, word in enumerate(line[1:])]
        )
        with np.errstate(divide="ignore"):
            columns = [self._spelled(RecurrentNetwork(model.configuration, tensors)), np.log(by_ngrams[:, 0])]
            if self._network is not None:
                columns.append(np.log(self._by_network(WordNetwork(*self._network, self._ngrams.unigrams), lines)))
        logs = np.column_stack(columns)
        can_come = np.isfinite(logs).any(axis=1)  # not so a word with characters that no symbol is for
        logs, rests_on = logs[can_come], by_ngrams[can_come, 1].astype(np.int64)
        if not len(logs):
            return {}
        self._weights = flattened(tune_weights(logs, rests_on, self._ngrams.order), self._spells)
        weighed = np.logaddexp.reduce(logs + np.log(self._weights[rests_on]), axis=1)
        in_lexicon = np.isfinite(logs[:, 1])

        def bits(logs: NDArray[np.float64]) -> float:
            return -float(logs.mean()) / math.log(2)

        figures: dict[str, Any] = {"unknown_words": 1 - float(in_lexicon.mean()), "weights": self._weights.tolist()}
        if in_lexicon.any():
            members = ["network", "ngrams", "words"][: logs.shape[1]]
            of_members = {name: bits(logs[in_lexicon, i]) for i, name in enumerate(members) if i or not self._spells}
            figures["bits_per_word"] = of_members | {"mixture": bits(weighed[in_lexicon])}
        if not in_lexicon.all():
            figures["bits_per_unknown_word"] = bits(weighed[~in_lexicon])
        return figures

    def _by_ngrams(self, context: list[int], word: int) -> tuple[float, int]:
        """Return the probability of a word after others, and how many of them that rests on."""
        expected, length = self._ngrams.distribution(context[-self._ngrams.order + 1 :])
        return float(expected[word]) if word < len(expected) else 0.0, length

    @staticmethod
    def _by_network(network: WordNetwork, lines: Sequence[Sequence[int]]) -> Array:
        """Return the probability of each word of some lines, given that a word comes; a line begins with a beginning."""
        found = [np.zeros(len(line) - 1, dtype=np.float32) for line in lines]
        for rows, place, states in along(network, [line[1:] for line in lines]):
            for row, expected in zip(rows, network.probabilities(states), strict=True):
                if (word := lines[row][place + 1]) < len(expected):
                    found[row][place] = expected[word]
        return np.concatenate(found)

    def _spelled(self, network: RecurrentNetwork) -> NDArray[np.float64]:
        """Return the natural log probability of each word of the validation by letters, given that a word comes."""
        vocabulary, keys = self._vocabulary, [self._alphabet.key(line) for line in self._validation]
        words = [[vocabulary.encode(word) for word in key.split(" ")] for key in keys]
        if not self._spells:
            return _spelled_on_line(network, vocabulary, words)
        apart = WithinWord(network, network.start(UNKNOWN), vocabulary)  # which says that a word begins
        known = word_log_probabilities(apart, [vocabulary.encode(word) for word in self._words.keys])
        self._spelled_known = (known - np.log(apart.word_begins())).astype(np.float16)
        lexicon = Lexicon(self._words.keys, self._words.counts, vocabulary)
        model = out_of_vocabulary_model(network, vocabulary, lexicon, self._spelled_known, self._listed)
        unknown = {word: vocabulary.encode(word) for key in keys for word in key.split(" ")}
        for word in self._words.keys:
            unknown.pop(word, None)
        found = dict(zip(unknown, word_log_probabilities(model, list(unknown.values())).tolist(), strict=True))
        return np.array([found.get(word, -math.inf) for key in keys for word in key.split(" ")])

    def close(self) -> None:
        """End the process that trains, if it has not ended."""
        if self.word_process is not None:
            self.word_process.close()


def flattened(weights: NDArray[np.float64], spells: bool) -> NDArray[np.float64]:
    """Return weights, (contexts, components), for text of other kinds; `spells` if the first is for OOV words only."""
    flat = weights**_FLATTENING
    if spells:
        unknown = weights[:, :1] * _UNKNOWN / (1 + (_UNKNOWN - 1) * weights[:, :1])
        known = flat[:, 1:] / flat[:, 1:].sum(axis=1, keepdims=True)
        flat = np.hstack([unknown, (1 - unknown) * known])
    flat /= flat.sum(axis=1, keepdims=True)
    return flat


def _spelled_on_line(
    network: RecurrentNetwork, vocabulary: Vocabulary, lines: Sequence[Sequence[Sequence[int]]]
) -> NDArray[np.float64]:
    """
    Return the natural log probability of each word of some lines by a network that reads the line, given that a word begins.

    :param lines: of each word the symbols.
    """
    blank = vocabulary.encode(" ")
    symbols = [[symbol for word in line for symbol in [*word, *blank]] for line in lines]
    begins = [np.cumsum([0, *(len(word) + 1 for word in line[:-1])]).tolist() for line in lines]
    found = [np.zeros(len(line)) for line in lines]
    for rows, place, states in along(network, symbols):
        here = [i for i, row in enumerate(rows) if place in begins[row]]
        if here:
            which = [begins[rows[i]].index(place) for i in here]
            word = WithinWord(network, gather(states, here), vocabulary)
            logs = word_log_probabilities(
                word, [lines[rows[i]][w] for i, w in zip(here, which, strict=True)], word.start()
            )
            logs -= np.log(word.word_begins())
            for i, w, log in zip(here, which, logs.tolist(), strict=True):
                found[rows[i]][w] = log
    return np.concatenate(found)
