"""The network as a model of words in no list, against the same network stepped from the unknown symbol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import random_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from test_text_training import SMALL, corpus_of, run

from autocomplete.checkpoint import read_checkpoint, read_context, read_lexicon
from autocomplete.inference import predictor as predictor_module
from autocomplete.inference.model import States, Symbols
from autocomplete.inference.predictor import Predictor
from autocomplete.inference.recurrent import RecurrentNetwork
from autocomplete.inference.speller import Speller
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.context import flattened

CHECKPOINT = random_checkpoint(["blorf's. -"])
VOCABULARY = CHECKPOINT.vocabulary
NETWORK = RecurrentNetwork(CHECKPOINT.configuration, CHECKPOINT.tensors)

words = st.lists(st.text("blorfs'", max_size=5), min_size=1, max_size=12)


def expected_after(prefix: str) -> np.ndarray:
    """Return (vocabulary,) what the network expects there, all that is no letter of a word being its end."""
    state = NETWORK.start(UNKNOWN)
    for symbol in VOCABULARY.encode(prefix):
        state = NETWORK.step(state, [symbol])
    found = np.exp(NETWORK.log_probabilities(state)[0].astype(np.float64))
    inside = [character.isalpha() or (character == "'" and prefix != "") for character in VOCABULARY.characters]
    found[[BOUNDARY, UNKNOWN]] = 0
    found[2:] *= inside
    if not prefix:
        return found / found.sum()
    found[BOUNDARY] = 1 - found.sum()
    return found


def together(speller: Speller, prefixes: list[str]) -> np.ndarray:
    """Return what follows each prefix, all of a length stepped at once."""
    states = {"": speller.start()[0][0]}
    every = sorted({prefix[:end] for prefix in prefixes for end in range(1, len(prefix) + 1)}, key=len)
    for length in range(1, 1 + max(map(len, prefixes))):
        level = [prefix for prefix in every if len(prefix) == length]
        rows = np.array([states[prefix[:-1]] for prefix in level])
        (found,) = speller.step((rows,), [VOCABULARY.encode(prefix)[-1] for prefix in level])
        states.update(zip(level, found, strict=True))
    return speller.probabilities((np.array([states[prefix] for prefix in prefixes]),))


@given(st.lists(words, min_size=1, max_size=3), st.booleans())
def test_prefix_is_followed_as_the_network_says_however_often_it_is_asked(asked: list[list[str]], forget: bool) -> None:
    speller = Speller(NETWORK, VOCABULARY)
    for prefixes in [*asked, *asked]:
        found = together(speller, prefixes)
        np.testing.assert_allclose(found, [expected_after(prefix) for prefix in prefixes], rtol=1e-4, atol=1e-6)
        if forget:
            speller.forget()
            assert len(speller) == 1


def test_prefix_is_stepped_once() -> None:
    steps: list[int] = []

    class Counted(RecurrentNetwork):
        def step(self, states: States, symbols: Symbols) -> States:
            steps.append(len(symbols))
            return super().step(states, symbols)

    speller = Speller(Counted(CHECKPOINT.configuration, CHECKPOINT.tensors), VOCABULARY)
    steps.clear()
    together(speller, ["blorf", "blob", "bl"])
    assert steps == [1, 1, 1, 2, 1]
    together(speller.where(0.5), ["blobs", "blorf"])  # what comes of it shares what it keeps
    assert steps == [1, 1, 1, 2, 1, 1]
    assert len(speller) == 1 + len(["b", "bl", "blo", "blor", "blob", "blorf", "blobs"])


def test_many_prefixes_find_room() -> None:
    speller = Speller(NETWORK, VOCABULARY)
    letters = "blorf"
    prefixes = [a + b + c + d + e for a in letters for b in letters for c in letters for d in letters for e in letters]
    found = together(speller, prefixes)
    assert len(speller) == sum(5**length for length in range(6))
    for place in (0, 1_000, len(prefixes) - 1):
        np.testing.assert_allclose(found[place], expected_after(prefixes[place]), rtol=1e-4, atol=1e-6)


def test_word_may_not_begin_at_all() -> None:
    speller = Speller(NETWORK, VOCABULARY)
    found, other = (
        probabilities[0] for probabilities in (together(speller, [""]), together(speller.where(0.25), [""]))
    )
    np.testing.assert_allclose(other[1:], 0.25 * found[1:], rtol=1e-5)
    assert other[BOUNDARY] == pytest.approx(0.75)
    np.testing.assert_array_equal(together(speller.where(0.25), ["b"]), together(speller, ["b"]))


# In training.

SYLLABLES = ["ka", "lo", "mi", "ren", "sul", "tor", "va", "zi"]
RARE = [a + b + c + d for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES for d in SYLLABLES[:3]]
LINES = ["the cat saw the red house", "a dog likes the cat", "the dog saw a red cat today", "a house likes the dog"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rare")
    generator = np.random.default_rng(1)
    names = generator.permutation(RARE)
    text = [f"{generator.choice(LINES)} {name}" for name in names[:1_200]]
    corpus = corpus_of(folder, text="\n".join(text) + "\n")
    held_out = [f"{generator.choice(LINES)} {name}" for name in names[1_200:1_300]]
    run(corpus, folder / "mine", SMALL, validation=held_out)
    return folder / "mine"


@pytest.fixture
def predictor(trained: Path) -> Iterator[Predictor]:
    yield Predictor.load(str(trained))


def test_words_in_no_list_are_spelled_like_rare_ones(trained: Path, predictor: Predictor) -> None:
    context = read_context(trained)
    assert context is not None
    assert context[1] == {"spells": True}
    figures = read_checkpoint(trained).figures["mixture"]
    assert 0.1 < figures["unknown_words"] < 0.2
    assert figures["bits_per_unknown_word"] < 20  # nine letters of a-z would be 42, four syllables of eight are 11
    new = next(word for word in RARE if word not in read_lexicon(trained))
    logs, _ = predictor.score(f"the cat saw the {new}")
    odd, _ = predictor.score("the cat saw the " + "xqjwpfgby"[: len(new)])
    assert logs[-len(new) - 1 :].sum() > odd[-len(new) - 1 :].sum() + 10
    assert predictor.suggest("the cat saw the kalo")[0].word.startswith("kalo")


def test_prefixes_that_are_kept_are_begun_anew_when_they_are_many(
    trained: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"the cat saw the {word[:end]}" for word in ("kalo", "renzi", "house") for end in range(len(word))]
    expected = [predictor.predict(line) for line in lines]
    monkeypatch.setattr(predictor_module, "_PREFIXES", 5)
    forgetful = Predictor.load(str(trained))
    for line, before in zip(lines, expected, strict=True):
        found = forgetful.predict(line)
        assert [word.word for word in found.words] == [word.word for word in before.words]
        assert [w.probability for w in found.words] == pytest.approx([w.probability for w in before.words], rel=1e-4)


def test_weights_of_words_in_no_list_are_for_text_that_has_more_of_them() -> None:
    weights = np.array([[0.02, 0.08, 0.9], [0.3, 0.2, 0.5]])
    flat = flattened(weights, spells=True)
    np.testing.assert_allclose(flat[:, 0], [0.06 / 1.04, 0.9 / 1.6])
    np.testing.assert_allclose(flat[:, 2] / flat[:, 1], np.sqrt(weights[:, 2] / weights[:, 1]))
    np.testing.assert_allclose(flat.sum(axis=1), 1)
    every = np.sqrt(weights)
    np.testing.assert_allclose(flattened(weights, spells=False), every / every.sum(axis=1, keepdims=True))
