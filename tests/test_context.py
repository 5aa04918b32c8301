"""What a line says about its next word: every part against the same computed the long way round."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import random_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import spelled, spelled_apart, word_log_probabilities

from autocomplete.corpus.corpus import Corpus
from autocomplete.errors import CheckpointError
from autocomplete.inference.line import LineReader
from autocomplete.inference.predictor import Members, Predictor
from autocomplete.models.cache import unigram_cache
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.next_words import NextWords
from autocomplete.models.protocol import States, Symbols, gather
from autocomplete.models.rare_words import RareWords
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.models.search_tree import ROOT, SearchTree
from autocomplete.models.within_word import WithinWord
from autocomplete.models.word_network import WordNetwork
from autocomplete.models.word_ngrams import NGrams
from autocomplete.storage.byte_matrix import dequantize, quantize
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.text.words import closing_chance, running_words
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.words.context import NumberedWords

LEXICON = {
    "the": 50.0,
    "cat": 20.0,
    "cats": 8.0,
    "sat": 10.0,
    "can't": 7.0,
    "can": 6.0,
    "on": 5.0,
    "Monday": 4.0,
    "I": 4.0,
    "there": 3.0,
    "a": 2.0,
}
TEXT = [
    "The cat sat there.",
    "I can't sat on a cat. Cats can.",
    "On Monday the cats sat",
    "the cat can't",
    "the cat sat on",
]
NORMALIZATION = Letters()
# Boundaries are as probable as words of a few letters make them.
CHECKPOINT = replace(random_checkpoint(["the cat can't sat on a monday. i there,"], boundary_bias=1.0), unit="text")
VOCABULARY = CHECKPOINT.vocabulary
KEYS = tuple(Lexicon([word.lower() for word in LEXICON], [*LEXICON.values()], VOCABULARY).words)
NUMBERED = NumberedWords(KEYS, np.array([{k.lower(): v for k, v in LEXICON.items()}[key] for key in KEYS]))
ROWS = np.array([9, 0, 4, 2, 7], dtype=np.int32)  # what the network of words knows, in its own order
ROUNDING = 1e-4  # relative


lines = st.text("catoshen I'.!?:,1M\t’", max_size=25)
prefixes = st.text("thecansomdy'i", max_size=6)


def torch_of(configuration: Configuration, tensors: Mapping[str, np.ndarray]) -> CharRNN:
    model = CharRNN(configuration).eval()
    model.load_state_dict({name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()})
    return model


def random_context(*, network: bool) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return n-grams of TEXT, a network of words with random weights, and random weights of the mixture."""
    ngrams = estimate_of(TEXT)
    generator = np.random.default_rng(1)
    tensors = {f"ngrams.{name}": array for name, array in ngrams.tensors().items()}
    tensors["weights"] = generator.dirichlet(np.ones(3 if network else 2), ngrams.order).astype(np.float32)
    if not network:
        return tensors, {}
    configuration = Configuration(len(ROWS) + 2, "lstm", 1, hidden=8, embedding=6, tied=True)
    weights = {name: generator.normal(0, 0.7, shape) for name, shape in configuration.shapes().items()}
    tensors |= {f"network.{name}": array for name, array in dequantize(quantize(weights)).items()}
    tensors["network.rows"] = ROWS
    return tensors, {"configuration": asdict(configuration)}


def estimate_of(text: Sequence[str]) -> NGrams:
    corpus = Corpus("", (), KEYS, NUMBERED.counts, {}, NORMALIZATION, 0, "")
    return NUMBERED.ngrams(NUMBERED.encode(text, NORMALIZATION), corpus)


CONTEXT = random_context(network=True)
PREDICTOR = Predictor(CHECKPOINT, LEXICON, CONTEXT, floor=0.0)
RARE = {f"rare.{name}": array for name, array in RareWords.none().tensors().items()}
RARE["spelled"] = np.array(spelled_apart(torch_of(CHECKPOINT.configuration, CHECKPOINT.tensors), VOCABULARY, KEYS))
SPELLER = Predictor(CHECKPOINT, LEXICON, ({**CONTEXT[0], **RARE}, CONTEXT[1]), floor=0.0)


def network_of(checkpoint=CHECKPOINT) -> RecurrentNetwork:
    return RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)


def after(network: RecurrentNetwork, symbols: Sequence[int]) -> States:
    """Return the state after some symbols, each stepped."""
    states = network.start()
    for symbol in symbols:
        states = network.step(states, [symbol])
    return states


def key_of(line: str) -> str:
    """Return a line as the network reads it: blanks made single, none at the beginning."""
    key = "".join(" " if character.isspace() else character for character in NORMALIZATION.key(line))
    while "  " in key:
        key = key.replace("  ", " ")
    return key.removeprefix(" ")


def probabilities(model, states: States) -> np.ndarray:
    return np.exp(model.log_probabilities(states).astype(np.float64))


# The network as a model of one word.


@given(st.text("the cat.", max_size=12), st.lists(prefixes, min_size=1, max_size=4))
def test_within_a_word_letters_are_the_networks_and_all_else_is_its_end(line: str, typed: list[str]) -> None:
    network = network_of()
    before = after(network, VOCABULARY.encode(line))
    model = WithinWord(network, before, VOCABULARY)
    for prefix in typed:
        symbols = VOCABULARY.encode(prefix)
        states = model.start()
        for symbol in symbols:
            states = model.step(states, [symbol])
        found = probabilities(model, states)[0]
        true = probabilities(network, after(network, VOCABULARY.encode(line) + symbols))[0]
        letters = [VOCABULARY.encode(letter)[0] for letter in VOCABULARY.characters if letter.isalpha()]
        letters += VOCABULARY.encode("'") if symbols else []
        assert found.sum() == pytest.approx(1, abs=1e-5)
        assert found[letters] == pytest.approx(true[letters], rel=ROUNDING)
        assert found[BOUNDARY] == pytest.approx(1 - true[letters].sum(), abs=1e-5)
        others = set(range(len(VOCABULARY))) - {*letters, BOUNDARY}
        assert all(found[symbol] == 0 for symbol in others)
        assert model.word_begins() == pytest.approx(1 - probabilities(model, model.start())[0, BOUNDARY], abs=1e-5)


def test_within_a_word_a_batch_answers_as_each_of_its_rows_does() -> None:
    network = network_of()
    model = WithinWord(network, after(network, VOCABULARY.encode("the ")), VOCABULARY)
    root = model.start()
    one = model.step(root, VOCABULARY.encode("c"))
    two = model.step(one, VOCABULARY.encode("a"))
    mixed = tuple(np.concatenate(arrays) for arrays in zip(root, one, two, strict=True))
    expected = np.concatenate([model.log_probabilities(states) for states in (root, one, two)])
    np.testing.assert_allclose(model.log_probabilities(mixed), expected, rtol=1e-4)
    stepped = model.step(gather(mixed, [2, 0]), VOCABULARY.encode("ts"))
    for row, states in enumerate([model.step(two, VOCABULARY.encode("t")), model.step(root, VOCABULARY.encode("s"))]):
        for array, other in zip(stepped, states, strict=True):
            np.testing.assert_allclose(array[row], other[0], atol=1e-5)


def test_word_is_as_probable_as_torch_finds_it() -> None:
    line = "the cat can't sat on a monday"
    model = torch_of(CHECKPOINT.configuration, CHECKPOINT.tensors)
    [found] = spelled(model, VOCABULARY, [line])
    network = network_of()
    for number, word in enumerate(line.split()):
        before = " ".join([*line.split()[:number], ""])
        within = WithinWord(network, after(network, VOCABULARY.encode(before)), VOCABULARY)
        states, expected = within.start(), -math.log(within.word_begins()[0])
        for symbol in [*VOCABULARY.encode(word), BOUNDARY]:
            expected += float(within.log_probabilities(states)[0, symbol])
            states = within.step(states, [symbol])
        assert found[number] == pytest.approx(expected, abs=1e-3), word


# The states along a line.


@given(st.lists(lines, min_size=1, max_size=5))
def test_state_of_a_line_is_that_of_all_its_characters(texts: list[str]) -> None:
    network = network_of()
    line = LineReader(VOCABULARY, NORMALIZATION, network)
    for text in texts:
        for found, expected in zip(
            line.read(text).character_states, after(network, VOCABULARY.encode(key_of(text))), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


@given(lines, lines, st.integers(0, 25), st.integers(0, 5))
def test_so_it_is_while_the_line_grows_shrinks_and_is_edited(text: str, insert: str, at: int, removed: int) -> None:
    network = network_of()
    line = LineReader(VOCABULARY, NORMALIZATION, network)
    typed = [text[:end] for end in range(len(text) + 1)]
    for edited in [*typed, *reversed(typed), text, text[:at] + insert + text[at + removed :], text]:
        states = line.read(edited).character_states
        for found, expected in zip(states, after(network, VOCABULARY.encode(key_of(edited))), strict=True):
            np.testing.assert_array_equal(found, expected)


def counting(network: RecurrentNetwork) -> list[int]:
    """Return the list to which a network adds the size of the batch at each step."""
    steps: list[int] = []
    step = network.step

    def counted(states: States, symbols: Symbols) -> States:
        steps.append(len(symbols))
        return step(states, symbols)

    network.step = counted  # type: ignore[method-assign]
    return steps


def test_key_costs_one_step_and_backspace_none() -> None:
    network = network_of()
    steps = counting(network)
    line = LineReader(VOCABULARY, NORMALIZATION, network)

    def state(text: str) -> States:
        return line.read(text).character_states

    steps.clear()
    for end, _ in enumerate(text := "the cat sat", start=1):
        state(text[:end])
    assert steps == [1] * len(text)
    steps.clear()
    state("the cat")
    state("the c")
    state("the   c")
    assert steps == []
    state("the dog")
    assert sum(steps) == len("dog")


def test_text_is_parsed_once_a_word_and_never_twice_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def counted(text: str) -> Iterator[tuple[str, bool]]:
        parsed.append(text)
        return running_words(text)

    monkeypatch.setattr("autocomplete.inference.line.running_words", counted)
    predictor = Predictor(CHECKPOINT, LEXICON, ({**CONTEXT[0], **RARE}, CONTEXT[1]))
    text = "the cat sat on 'the cat"
    parsed.clear()
    for end in range(len(text) + 1):
        predictor.predict(text[:end])
        predictor.next_characters(text[:end])
    assert len(parsed) == len({*parsed}) == len(text.split())  # what stands before each word, and before the quotation
    parsed.clear()
    predictor.predict(text[:-1])
    predictor.predict(text[:-4])
    assert parsed == []


def test_lines_before_go_on_into_the_line() -> None:
    preceding = ["The cat sat.", "on a monday"]
    network, states = network_of(), LineReader(VOCABULARY, NORMALIZATION, network_of()).read("the c", preceding)
    symbols = [VOCABULARY.encode(key_of(line)) for line in (*preceding, "the c")]
    read = [*symbols[0], BOUNDARY, *symbols[1], BOUNDARY, *symbols[2]]
    for found, expected in zip(states.character_states, after(network, read), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [word.key for word in states.context.words[:-1]] == ["the", "cat", "sat", "on", "a", "monday", "the"]
    alone, after_lines = (SPELLER.predict("zebra ", preceding=lines) for lines in ([], ["a zebra house", "a cat"]))
    assert [word.word for word in alone.words] != [word.word for word in after_lines.words]
    again = SPELLER.predict("zebra ")
    assert again.words == alone.words  # an answer is a function of what was asked


@pytest.mark.parametrize("length", [400, 599, 600, 799, 1234, 5000])
def test_of_a_very_long_line_only_the_end_is_read(length: int) -> None:
    text = ("the cat sat on a monday, " * 300)[:length]
    read = text[length - 400 - length % 200 :] if length >= 600 else text
    found = LineReader(VOCABULARY, NORMALIZATION, network_of()).read(text).character_states
    for array, expected in zip(found, after(network_of(), VOCABULARY.encode(key_of(read))), strict=True):
        np.testing.assert_array_equal(array, expected)


# The next word.


class Reading:
    """Lines read for the models of the next word."""

    def __init__(self, *, network: bool = True) -> None:
        tensors, metadata = random_context(network=network)
        ngrams = NGrams.from_tensors(named(tensors, "ngrams."))
        words = None
        if network:
            words = WordNetwork(Configuration(**metadata["configuration"]), named(tensors, "network."), ngrams.unigrams)
        self._models = NextWords(ngrams, tensors["weights"], words)
        self._reader = LineReader(VOCABULARY, NORMALIZATION, network_of(), KEYS, words)
        self.members = self._models.components

    def numbers(self, text: str) -> list[int]:
        """Return the ids of the words before the one at the end of a text."""
        return [min(word, len(KEYS) + 1) for word in self._reader.read(text).context.ids]

    def distribution(self, text: str, member: str | None = None) -> tuple[np.ndarray, float, dict[str, float]]:
        """Return what is expected after a text, the words of the line by their keys."""
        context = self._reader.read(text).context
        found = self._models.distribution(context.ids, context.word_states, member)
        return found.in_vocabulary, found.oov_mass, {context.key(word): p for word, p in found.cached.items()}

    def sentence_ends(self, text: str) -> float | None:
        """Return whether a sentence ends with a text."""
        states = self._reader.read(text).word_states
        return None if states is None else self._models.network.sentence_ends(states)


next_words = Reading


def asked(words: Reading, text: str) -> list[np.ndarray]:
    """Return what each member expects by itself."""
    return [words.distribution(text, member)[0] for member in words.members]


@given(st.lists(lines, min_size=1, max_size=4), st.booleans())
def test_edits_of_a_line_leave_no_trace(texts: list[str], network: bool) -> None:
    used = next_words(network=network)
    for text in [*texts, *(text[:-2] for text in texts)]:
        np.testing.assert_array_equal(asked(used, text), asked(next_words(network=network), text))
        found, expected = used.distribution(text), next_words(network=network).distribution(text)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1:] == expected[1:]


def again_on(text: str) -> dict[str, float]:
    """Return how much the words of a line are expected once more, as far as they can be spelled, beside 1 for the rest."""
    keys = [NORMALIZATION.key(word) for word, _ in running_words(text + "x")][:-1]
    shares = dict(zip(KEYS, estimate_of(TEXT).unigrams.tolist(), strict=True))
    found = unigram_cache(keys, [shares.get(key, 0.0) for key in keys])
    return {key: mass for key, mass in found.items() if key[0].isalpha() and set(key) <= {*VOCABULARY.characters}}


@given(lines, st.booleans())
def test_members_are_weighed_by_how_much_the_ngrams_know(text: str, network: bool) -> None:
    words = next_words(network=network)
    found, share, repeated = words.distribution(text)
    alone = asked(words, text)
    for distribution in alone:
        assert distribution.shape == (len(KEYS),)
        assert (distribution >= 0).all()
        assert distribution.sum() == pytest.approx(1, abs=1e-4)
    _, length = estimate_of(TEXT).distribution(words.numbers(text)[-3:])
    weights = random_context(network=network)[0]["weights"][length]
    again = again_on(text)
    scale = 1 / (1 + sum(again.values()))
    assert share == pytest.approx(scale * weights[0])
    expected = scale * (weights[1:] @ np.array(alone) + [again.get(key, 0.0) for key in KEYS])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert repeated == pytest.approx({key: scale * mass for key, mass in again.items() if key not in KEYS})
    assert found.sum() + share + sum(repeated.values()) == pytest.approx(1, abs=1e-4)


def test_ngrams_are_those_of_the_words_of_the_line() -> None:
    ngrams = estimate_of(TEXT)
    weights = CONTEXT[0]["weights"]
    for text, context in [
        ("", ["START"]),
        ("The ", ["START", "the"]),
        ("the cat sat ", ["the", "cat", "sat"]),
        ("zebra cat ", ["OTHER", "cat"]),
        ("sat there. ", ["there", "START"]),
        ("sat there. I ", ["START", "i"]),
        ("can’t ", ["START", "can't"]),
    ]:
        known = {key: number for number, key in enumerate(KEYS)} | {"START": ngrams.start, "OTHER": ngrams.other}
        numbers = [known[word] for word in context]
        expected, length = ngrams.distribution(numbers)
        np.testing.assert_array_equal(next_words().distribution(text, "ngrams")[0], expected)
        share = weights[length, 0] / (1 + sum(again_on(text).values()))
        assert next_words().distribution(text)[1] == pytest.approx(share)


@torch.no_grad()
def torch_answer(numbers: Sequence[int]) -> np.ndarray:
    """Return what the network of words answers after some words, from one pass of the same network in torch."""
    tensors, metadata = CONTEXT
    configuration = Configuration(**metadata["configuration"])
    network = {name.removeprefix("network."): array for name, array in tensors.items() if name.startswith("network.")}
    rows = network.pop("rows").tolist()
    own = {number: place for place, number in enumerate(rows, start=2)} | {len(KEYS): BOUNDARY}
    symbols = [own.get(number, UNKNOWN) for number in numbers]
    if symbols[0] != BOUNDARY:
        symbols = [BOUNDARY, *symbols]
    return torch_of(configuration, network)(torch.tensor([symbols]))[0, -1].softmax(dim=-1).double().numpy()


def expected_by_torch(numbers: Sequence[int]) -> np.ndarray:
    """Return what the network of words expects of each word of the lexicon."""
    answer, rows = torch_answer(numbers), ROWS.tolist()
    own = {number: place for place, number in enumerate(rows, start=2)}
    unigrams = CONTEXT[0]["ngrams.unigrams"].astype(np.float64)
    unknown = {number: unigrams[number] for number in range(len(KEYS)) if number not in rows}
    result = np.array([
        answer[own[n]] if n in own else answer[UNKNOWN] * unknown[n] / sum(unknown.values()) for n in range(len(KEYS))
    ])  # fmt: skip
    return result / (1 - answer[BOUNDARY])


@given(lines)
def test_network_of_words_answers_as_torch_does(text: str) -> None:
    words = next_words()
    found = words.distribution(text, "words")[0]
    np.testing.assert_allclose(found, expected_by_torch(words.numbers(text)), rtol=1e-3, atol=1e-6)


def test_next_word_is_as_probable_as_torch_finds_it() -> None:
    tensors, metadata = CONTEXT
    network = {name.removeprefix("network."): array for name, array in tensors.items() if name.startswith("network.")}
    text = "the cat sat on a monday"
    numbers = [len(KEYS), *map(KEYS.index, text.split())]
    found = word_log_probabilities(Configuration(**metadata["configuration"]), network, [numbers], estimate_of(TEXT))
    words = next_words()
    for place, word in enumerate(text.split()):
        before = " ".join([*text.split()[:place], ""])
        expected = words.distribution(before, "words")[0][KEYS.index(word)]
        assert found[place] == pytest.approx(math.log(expected), abs=1e-3)


@pytest.mark.parametrize(
    ("before", "word"),
    [
        ("", "cat"),
        ("the ", "cat"),
        ("the cat sat. ", "I"),
        ("sat on! ", "the"),
        ("can’t ", "sat"),
        ("the cat-", "sat"),
        pytest.param("the cat: ", "I"),
        pytest.param("the cat… ", "I"),
        pytest.param('"the cat sat." ', "I"),
        pytest.param("12 ", "cats"),
        pytest.param('the cat "', "I"),
        pytest.param("the cat (", "I"),
    ],
)
def test_word_is_expected_where_training_would_count_it(before: str, word: str) -> None:
    """The context of a word that is still to come is the one that it is found in once it is there."""
    *context, _ = NUMBERED.encode([before + word], NORMALIZATION).tolist()
    assert next_words().numbers(before) == context


def test_line_that_begins_with_a_number_begins_all_the_same() -> None:
    """Else its first word would be counted as following the last one of the line before."""
    tokens = NUMBERED.encode(["the cat", "12 cats"], NORMALIZATION).tolist()
    assert tokens[3] == len(KEYS)


def test_context_of_another_lexicon_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"does not fit the rest of it .*; train it again"):
        Predictor(CHECKPOINT, dict.fromkeys(KEYS[1:], 1.0), CONTEXT)
    with pytest.raises(CheckpointError, match="does not fit"):
        Predictor(CHECKPOINT, {"the": 1.0}, CONTEXT)


@pytest.mark.parametrize(
    "name", ["weights", "ngrams.unigrams", "ngrams.2.shares", "network.rows", "network.decoder.bias"]
)
def test_context_that_lacks_a_part_is_refused(name: str) -> None:
    tensors, metadata = CONTEXT
    with pytest.raises(CheckpointError):
        Predictor(CHECKPOINT, LEXICON, ({other: array for other, array in tensors.items() if other != name}, metadata))


# The lexicon under other probabilities.

SMALL = Vocabulary("abcd")


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=5), st.floats(0.01, 100), min_size=1, max_size=20),
    st.data(),
    st.floats(0, 1),
)
def test_weighed_lexicon_has_the_shares_of_its_words(counts: dict[str, float], data, begins: float) -> None:
    lexicon = Lexicon(list(counts), list(counts.values()), SMALL)
    before = probabilities(lexicon, lexicon.start())
    weight = st.just(0.0) | st.floats(1e-4, 1)
    masses = np.array(data.draw(st.lists(weight, min_size=len(counts), max_size=len(counts)).filter(any)))
    weighed = lexicon.weighed(masses, begins)
    assert weighed.words == lexicon.words
    by_word = dict(zip(lexicon.words, masses.tolist(), strict=True))
    for prefix in {word[:end] for word in counts for end in range(len(word) + 1)} | {"d", "aaaaaa"}:
        states = weighed.start()
        for symbol in SMALL.encode(prefix):
            states = weighed.step(states, [symbol])
        expected = np.zeros(len(SMALL))
        for word, mass in by_word.items():
            if word.startswith(prefix):
                expected[SMALL.encode(word[len(prefix) :])[0] if word != prefix else BOUNDARY] += mass
        expected = expected / expected.sum() if expected.any() else np.eye(len(SMALL))[BOUNDARY]
        if not prefix:
            expected *= begins
            expected[BOUNDARY] = 1 - begins
        np.testing.assert_allclose(probabilities(weighed, states)[0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(probabilities(lexicon, lexicon.start()), before)


# The predictor as a whole.


class LongWay:
    """What the mixture gives to whole words and to their beginnings, from the definitions."""

    def __init__(self, before: str, *, spells: bool = False) -> None:
        self.network = network_of()
        self.before = VOCABULARY.encode(key_of(before))
        self.spells = spells
        known, self.weight, repeated = Reading().distribution(before)
        self.repeated = repeated if spells else {}
        known = known.astype(np.float64)
        self.known = dict(zip(KEYS, (known / known.sum()).tolist(), strict=True))
        self.begins = sum(p for symbol, p in enumerate(self.answer([])) if VOCABULARY.character(symbol).isalpha())

    def answer(self, symbols: Sequence[int]) -> list[float]:
        return probabilities(self.network, after(self.network, [*self.before, *symbols]))[0].tolist()

    def within(self, symbols: Sequence[int]) -> list[float]:
        """Return what the network expects after letters of the word: in the line, or of a word that is in no list."""
        if not self.spells:
            return self.answer(symbols)
        state = self.network.start(UNKNOWN)
        for symbol in symbols:
            state = self.network.step(state, [symbol])
        return probabilities(self.network, state)[0].tolist()

    def spelled(self, prefix: str) -> float:
        """Return the probability of the letters under the network."""
        symbols = VOCABULARY.encode(prefix)
        letters = math.prod(self.within(symbols[:i])[symbol] for i, symbol in enumerate(symbols))
        if not self.spells or not prefix:
            return letters
        first = sum(p for symbol, p in enumerate(self.within([])) if VOCABULARY.character(symbol).isalpha())
        return letters / first * self.begins  # given that a word begins, it begins with some letter

    def ends(self, word: str) -> float:
        answer = self.within(VOCABULARY.encode(word))
        inside = [c for c in VOCABULARY.characters if c.isalpha() or c == "'"]
        return 1 - sum(answer[VOCABULARY.encode(character)[0]] for character in inside)

    def lexicon(self, prefix: str = "") -> float:
        """Return what the network gives to words of the lexicon, where it is asked for others only."""
        if not self.spells:
            return 0.0
        return sum(self.spelled(word) * self.ends(word) for word in KEYS if word.startswith(prefix))

    def prefix(self, prefix: str) -> float:
        if not prefix:
            return 1.0
        by_network = (self.spelled(prefix) - self.lexicon(prefix)) / (1 - self.lexicon() / self.begins)
        words = [word for word in [*KEYS, *self.repeated] if word.startswith(prefix)]
        return self.weight * by_network + self.begins * sum(map(self.expected, words))

    def expected(self, word: str) -> float:
        """Return the probability that the word comes, by all but what spells it, given that one begins."""
        known = 1 - self.weight - sum(self.repeated.values())
        return known * self.known.get(word, 0.0) + self.repeated.get(word, 0.0)

    def word(self, word: str) -> float:
        """Return the probability that the next word is this one and no longer."""
        by_network = self.spelled(word) * self.ends(word)
        if self.spells:
            by_network *= (word not in KEYS) / (1 - self.lexicon() / self.begins)
        return self.weight * by_network + self.begins * self.expected(word)


@pytest.mark.parametrize("spells", [False, True])
@pytest.mark.parametrize(
    "before", ["", "the ", "The cat sat on ", "sat. ", "zebra: ", "The catoon sat. A catoon on the hat's "]
)
@pytest.mark.parametrize("typed", ["", "c", "ca", "can'", "the", "mond", "q", "é"])
def test_search_finds_what_all_words_of_the_lexicon_amount_to(before: str, typed: str, *, spells: bool) -> None:
    predictor = SPELLER if spells else PREDICTOR
    prediction = predictor.predict(before + typed, count=60)
    found = {NORMALIZATION.key(each.word): each for each in prediction.words}
    oracle = LongWay(before, spells=spells)
    whole = oracle.prefix(typed)
    if spells and typed.endswith("'"):  # it may close a quotation, too
        whole += oracle.word(typed[:-1]) * closing_chance((before + typed[:-1]).split())
    if typed in ("q", "é"):  # no word begins so: the network spells on alone
        assert not set(found) & set(KEYS)
        return
    assert prediction.whole == (pytest.approx(oracle.word(typed) / whole, rel=1e-3) if typed else 0)
    words = [word for word in [*KEYS, *oracle.repeated] if word.startswith(typed) and word != typed]
    expected = {word: oracle.word(word) / whole for word in words}
    last = min(each.probability for each in found.values())
    for word, probability in expected.items():
        if word in found:
            assert found[word].probability == pytest.approx(probability, rel=1e-3)
        else:
            assert probability <= last * (1 + 1e-3), word
    for word in list(found)[:8]:
        assert found[word].probability == pytest.approx(oracle.word(word) / whole, rel=1e-3)
    assert [each.probability for each in found.values()] == sorted(
        (e.probability for e in found.values()), reverse=True
    )


def test_word_in_no_list_is_offered_as_it_stands_on_the_line() -> None:
    for line, typed, word in [
        ("on sonny McNash sat on sonny ", "M", "McNash"),
        ("on sonny McNash sat on sonny ", "m", "mcnash"),  # as who types `nb` of `NBA`
        ("on sonny McNash sat on sonny ", "MC", "MCNASH"),
        ("on sonny McNash sat on sonny ", "", "McNash"),
        ("on sonny. McNash sat on sonny ", "", "mcnash"),  # the capital was that of the sentence
        ("on sonny. MCNASH sat on sonny McNash on sonny ", "", "McNash"),
    ]:
        offered = SPELLER.predict(line + typed, count=8).words
        assert word in [each.word for each in offered]
        assert all(NORMALIZATION.key(each.word).startswith(NORMALIZATION.key(typed)) for each in offered)
        assert "zebra" not in [
            each.word for each in SPELLER.predict("a zebra and a ", count=30).words
        ]  # no letters for it


def test_what_is_never_offered_is_not_for_standing_on_the_line() -> None:
    context = {**CONTEXT[0], **RARE}, CONTEXT[1]
    line = "a tommy and a tommy and a "
    assert SPELLER.predict(line).words[0].word == "tommy"
    for hidden in (["Tommy"], ["tommy", "cat"]):
        predictor = Predictor(CHECKPOINT, LEXICON, context, hidden=hidden, floor=0.0)
        for typed in ("", "to", "tomm"):
            assert "tommy" not in [each.word for each in predictor.predict(line + typed, count=30).words]


@pytest.mark.parametrize("line", ["The cat", "on a cat", "The cat sat. I", "there. the cats", "cat sat, on", "I c"])
@pytest.mark.parametrize("among", [None, "catoshen '"])
def test_whether_a_sentence_ends_is_told_by_both_networks(line: str, among: str | None) -> None:
    offered = PREDICTOR.next_characters(line, count=len(VOCABULARY))
    ends = {each.character: each.probability for each in offered if each.character in "\n ,."}
    of_network = probabilities(network_of(), after(network_of(), VOCABULARY.encode(key_of(line))))[0]
    expected = {c: of_network[VOCABULARY.encode(c)[0] if c != "\n" else BOUNDARY] for c in ends}
    if among is not None:  # characters that can come at all: what is known of the others goes to these
        ends = {c: math.exp(PREDICTOR.score(line + c.strip("\n"), among)[0][len(line)]) for c in "\n "}
        expected = {c: expected[c] for c in ends}
    unknown = float(of_network[UNKNOWN])
    shares = {c: p / (sum(expected.values()) + unknown) for c, p in expected.items()}
    stops = sum(share for c, share in shares.items() if c in "\n.!?")
    by_words = float(torch_answer(NUMBERED.encode([line], NORMALIZATION).tolist())[BOUNDARY])
    odds = (by_words / (1 - by_words)) ** 0.7 * (stops / (1 - stops)) ** 0.3
    if line == "I c":  # hardly a word
        odds = stops / (1 - stops)
    found = sum(p for c, p in ends.items() if c in "\n.!?")
    others = sum(ends.values()) - found
    left = 1 - stops - unknown / (sum(expected.values()) + unknown)  # what goes on, less what is never shown
    assert found / others == pytest.approx(odds * (1 - stops) / left, rel=1e-3)
    for one, other in pairwise(sorted(c for c in ends if c in "\n.!?")):  # each kind among itself as before
        assert ends[one] / ends[other] == pytest.approx(shares[one] / shares[other], rel=1e-3)


@given(lines, st.sampled_from(["I", "cat", "can't", "zebra", "1"]))
def test_network_of_words_says_as_torch_does_whether_a_sentence_ends(before: str, typed: str) -> None:
    words, text = next_words(), before + typed
    expected = float(torch_answer(words.numbers(text + " "))[BOUNDARY])
    assert words.sentence_ends(text) == pytest.approx(expected, rel=1e-3)
    assert next_words(network=False).sentence_ends(text) is None


def letters_after(line: str) -> dict[str, float]:
    return {each.character: each.probability for each in SPELLER.next_characters(line, count=len(VOCABULARY))}


def test_apostrophe_may_close_a_quotation() -> None:
    plain, quoted = "the cat sat on the cat", "the cat sat on 'the cat"
    for line, chance in ((plain, 0.0005), (quoted, 0.18)):
        tree = SearchTree(SPELLER.model(line.removesuffix("cat")))
        node = ROOT
        for symbol in VOCABULARY.encode("cat"):
            node = tree.child(node, symbol)
        row = np.exp(tree.log_probabilities(node))
        inside, end = row[VOCABULARY.encode("'")[0]], row[BOUNDARY]
        found = letters_after(line)
        assert found["'"] == pytest.approx(inside + chance * end, rel=1e-3)
        # What comes after it: the same word, or what comes after one.
        closed = chance * end / (inside + chance * end)
        beyond = np.exp(tree.log_probabilities(tree.child(node, VOCABULARY.encode("'")[0])))
        letter = VOCABULARY.encode("s")[0]
        assert letters_after(line + "'")["s"] == pytest.approx((1 - closed) * beyond[letter], rel=1e-3)
        shown = SPELLER.predict(line + "'")
        assert shown.typed[-1].probability == pytest.approx(found["'"], rel=1e-3)
        assert shown.whole == pytest.approx((1 - closed) * beyond[BOUNDARY], rel=1e-3)


@pytest.mark.parametrize("members", ["mixture", "words"])
def test_word_that_has_certainly_been_closed_does_not_go_on(members: Members) -> None:
    context = {**CONTEXT[0], **RARE}, CONTEXT[1]
    predictor = Predictor(CHECKPOINT, LEXICON, context, members=members, floor=0.0)
    for word in predictor.predict("on a monday'").words:
        assert 0 <= word.probability < 1
        assert members == "mixture" or word.probability == 0


@settings(max_examples=25)
@given(lines, st.booleans())
def test_next_characters_of_any_line_sum_to_one(line: str, spells: bool) -> None:
    predictor = SPELLER if spells else PREDICTOR
    shown = predictor.next_characters(line, count=len(VOCABULARY))
    assert all(each.probability >= 0 for each in shown)
    characters = {each.character.lower(): each.probability for each in shown}
    assert len(characters) == len(shown)
    unknown = math.exp(predictor.score(line + "q")[0][len(line)])  # what the vocabulary lacks is never shown
    assert sum(characters.values()) + unknown == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("line", ["", "the", "the ", "I can't", "Sat. O", "the  c"])
def test_score_of_a_line_is_that_of_its_characters_one_after_the_other(line: str) -> None:
    logs, ranks = PREDICTOR.score(line)
    assert logs.shape == ranks.shape == (len(line) + 1,)
    assert (logs <= 0).all()
    for i, character in enumerate([*line, "\n"]):
        offered = PREDICTOR.next_characters(line[:i], count=len(VOCABULARY))
        place = [each.character.lower() for each in offered].index(character.lower())
        assert math.exp(logs[i]) == pytest.approx(offered[place].probability, rel=1e-4)
        assert ranks[i] <= place + 1  # the unknown character counts, and is not offered
    following = [PREDICTOR.score(line + character)[0][len(line)] for character in (*VOCABULARY.characters, "q")]
    assert np.exp([*following, logs[-1]]).sum() == pytest.approx(1, abs=1e-4)


def test_score_among_some_characters_rules_the_others_out() -> None:
    line, among = "the cat", "the cas"
    (every, _), (logs, ranks) = PREDICTOR.score(line), PREDICTOR.score(line, among)
    for i in range(len(line) + 1):
        possible = [*sorted(set(among)), "q"]  # which the vocabulary lacks
        following = [PREDICTOR.score(line[:i] + character, among)[0][i] for character in possible]
        ended = PREDICTOR.score(line[:i], among)[0][i]
        assert np.exp([*following, ended]).sum() == pytest.approx(1, abs=1e-4)
    assert (logs > every).all()
    assert (ranks < 2 + len(set(among))).all()


def offered(text: str, predictor: Predictor = PREDICTOR, count: int = 5) -> list[str]:
    return [each.word for each in predictor.suggest(text, count)]


def test_words_are_suggested_before_their_first_letter() -> None:
    for text in ["", "the ", "The cat. "]:
        suggestions = PREDICTOR.suggest(text)
        assert len(suggestions) == 5
        assert all(each.word == each.insert for each in suggestions)


def test_suggestions_depend_on_the_line() -> None:
    one, other = (PREDICTOR.suggest(text + "s", count=50) for text in ("the cat ", "I can't "))
    by_word = {each.word: each.probability for each in other}
    assert {e.word: e.probability for e in one}["sat"] != pytest.approx(by_word["sat"], rel=0.01)
    alone = [replace(CHECKPOINT, unit="words"), LEXICON]
    assert offered("the cat s", Predictor(*alone)) == offered("I can't s", Predictor(*alone))


def test_answers_do_not_depend_on_the_lines_before() -> None:
    used = Predictor(CHECKPOINT, LEXICON, CONTEXT, floor=0.0)
    texts = ["the cat s", "the cat", "the", "I can't sat. ", "the cat s", "", "on a m", "the cat s"]
    for text in texts:
        fresh = Predictor(CHECKPOINT, LEXICON, CONTEXT, floor=0.0)
        for one, expected in zip(used.suggest(text), fresh.suggest(text), strict=True):
            assert one.word == expected.word
            assert one.probability == pytest.approx(expected.probability, rel=ROUNDING)


def test_hidden_words_are_never_offered_and_can_still_be_typed() -> None:
    hidden = Predictor(CHECKPOINT, LEXICON, CONTEXT, hidden=["Cat", "sat", "zebra", "notaword"])
    shown = Predictor(CHECKPOINT, LEXICON, CONTEXT)
    for text in ["", "c", "ca", "cat", "the ca", "the cat", "S", "the CA"]:
        there, here = (predictor.predict(text, 20) for predictor in (shown, hidden))
        assert here.exact
        assert not {each.word.lower() for each in here.words} & {"cat", "sat"}
        assert here.next == there.next
        rest = [each for each in there.words if each.word.lower() not in ("cat", "sat")]
        for one, other in zip(rest, here.words, strict=False):
            assert (one.word, one.insert, one.exact) == (other.word, other.insert, other.exact)
            assert one.probability == pytest.approx(other.probability, rel=ROUNDING)
    assert hidden.predict("the cat").whole == 0 < shown.predict("the cat").whole
    assert "cat" in offered("ca", shown)
    assert "cats" in offered("cat", hidden)
    assert offered("cat", hidden)[0] == "cats"
    np.testing.assert_allclose(hidden.score("the cat sat")[0], shown.score("the cat sat")[0], rtol=1e-4)


@pytest.mark.parametrize(
    ("typed", "word", "insert"),
    [
        ("can'", "can't", "t"),
        ("can’", "can’t", "t"),
        ("CAN'", "CAN'T", "T"),
        ("mond", "monday", "ay"),
        ("Mond", "Monday", "ay"),
    ],
)
def test_apostrophes_and_capitals_are_as_the_typist_has_them(typed: str, word: str, insert: str) -> None:
    best = next(each for each in PREDICTOR.suggest(typed, count=20) if each.word.lower() == word.lower())
    assert (best.word, best.insert) == (word, insert)


def test_surfaces_of_the_lexicon_are_offered() -> None:
    assert {"Monday", "I"} <= set(offered("", count=40))


def test_word_that_begins_with_an_apostrophe_takes_nothing_from_the_others() -> None:
    predictor = Predictor(CHECKPOINT, LEXICON | {"'tis": 30.0}, floor=0.0)
    total = sum(each.probability for each in predictor.next_characters("the ", count=100))
    unknown = math.exp(predictor.score("the q")[0][4])
    assert total + unknown == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (CONTEXT, ("mixture", "network", "lexicon", "ngrams", "words")),
        (random_context(network=False), ("mixture", "network", "lexicon", "ngrams")),
        (None, ("mixture", "network", "lexicon")),
    ],
)
def test_members_are_those_that_the_checkpoint_has(context, expected: tuple[str, ...]) -> None:
    assert Predictor(CHECKPOINT, LEXICON, context).members == expected
    assert Predictor(CHECKPOINT, {}).members == ("mixture", "network")


def test_member_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(CheckpointError, match="has no member words; it has mixture, network, lexicon, ngrams"):
        Predictor(CHECKPOINT, LEXICON, random_context(network=False), members="words")
    with pytest.raises(CheckpointError, match="no lexicon; ask its network"):
        Predictor(CHECKPOINT, {}, members="lexicon")
    with pytest.raises(CheckpointError, match="has no member ngrams; it has mixture, network, lexicon"):
        Predictor(replace(CHECKPOINT, unit="words"), LEXICON, CONTEXT, members="ngrams")


@pytest.mark.parametrize("members", ["mixture", "network", "lexicon", "ngrams", "words"])
def test_each_member_answers_alone(members: Members) -> None:
    predictor = Predictor(CHECKPOINT, LEXICON, CONTEXT, members=members, floor=0.0)
    oracle = LongWay("the cat ")
    found = {each.word.lower(): each.probability for each in predictor.suggest("the cat s", count=40)}
    total = sum(each.probability for each in predictor.next_characters("the cat s", count=100))
    unknown = math.exp(predictor.score("the cat sq")[0][9])
    assert total + unknown == pytest.approx(1, abs=1e-4)
    if members == "network":
        assert predictor.predict("the cat s").whole == pytest.approx(oracle.ends("s"), rel=1e-3)
    elif members != "mixture":
        assert set(found) == {"sat"}


def test_text_without_a_context_has_lexicon_and_network_only() -> None:
    predictor = Predictor(CHECKPOINT, LEXICON, floor=0.0)
    shares = dict(zip(KEYS, (NUMBERED.counts / NUMBERED.counts.sum()).tolist(), strict=True))
    oracle = LongWay("the ")
    oracle.known, oracle.weight = shares, CHECKPOINT.network_prior
    for each in predictor.suggest("the ca", count=4):
        expected = oracle.word(each.word.lower()) / oracle.prefix("ca")
        assert each.probability == pytest.approx(expected, rel=1e-3)
