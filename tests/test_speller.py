"""The network as a model of words in no list, against the same network stepped from the unknown symbol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
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
from autocomplete.text.rare_words import LISTED, RareWords
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training import context as context_module
from autocomplete.training.context import flattened, spelled_apart
from autocomplete.training.model import CharRNN
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.trainer import train

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
            kept = len(speller)
            speller.forget()
            assert len(speller) <= max(1, kept / 2)


def counted() -> tuple[list[int], RecurrentNetwork]:
    """Return a network, and the list to which it adds the size of the batch at each step."""
    steps: list[int] = []

    class Counted(RecurrentNetwork):
        def step(self, states: States, symbols: Symbols) -> States:
            steps.append(len(symbols))
            return super().step(states, symbols)

    return steps, Counted(CHECKPOINT.configuration, CHECKPOINT.tensors)


def test_prefix_is_stepped_once() -> None:
    steps, network = counted()
    speller = Speller(network, VOCABULARY)
    steps.clear()
    together(speller, ["blorf", "blob", "bl"])
    assert steps == [1, 1, 1, 2, 1]
    together(speller.where(0.5), ["blobs", "blorf"])  # what comes of it shares what it keeps
    assert steps == [1, 1, 1, 2, 1, 1]
    assert len(speller) == 1 + len(["b", "bl", "blo", "blor", "blob", "blorf", "blobs"])


def test_prefixes_asked_for_most_often_are_kept() -> None:
    steps, network = counted()
    speller = Speller(network, VOCABULARY)
    together(speller, ["blorf", "slob", "fob", "sob", "rob"])
    for _ in range(3):
        together(speller, ["blo"])
    kept = len(speller)
    speller.forget()
    assert 4 <= len(speller) < kept / 2
    steps.clear()
    np.testing.assert_allclose(together(speller, ["blo"])[0], expected_after("blo"), rtol=1e-4, atol=1e-6)
    assert steps == []
    np.testing.assert_allclose(together(speller, ["rob"])[0], expected_after("rob"), rtol=1e-4, atol=1e-6)
    assert steps == [1, 1, 1]


def test_many_prefixes_find_room() -> None:
    speller = Speller(NETWORK, VOCABULARY)
    letters = "blorf"
    prefixes = [a + b + c + d + e for a in letters for b in letters for c in letters for d in letters for e in letters]
    found = together(speller, prefixes)
    assert len(speller) == sum(5**length for length in range(6))
    for place in (0, 1_000, len(prefixes) - 1):
        np.testing.assert_allclose(found[place], expected_after(prefixes[place]), rtol=1e-4, atol=1e-6)


@given(words, words)
def test_list_and_network_are_weighed_by_what_they_foresaw(listed: list[str], asked: list[str]) -> None:
    every = {word for word in listed if word and word[0] != "'"}
    asked = [word for word in [*asked, *every] if word and word[0] != "'"]
    speller = Speller(NETWORK, VOCABULARY, RareWords.of(every, VOCABULARY))
    for word in asked:
        state, network, of_list = speller.start(), 1.0, 1.0
        for end, symbol in enumerate([*VOCABULARY.encode(word), BOUNDARY]):
            begun = [other for other in every if other.startswith(word[:end])]
            going_on = (
                [other for other in begun if other.startswith(word[: end + 1])] if symbol else [word] * (word in begun)
            )
            share = LISTED * of_list / (LISTED * of_list + (1 - LISTED) * network) if every else 0.0
            found = speller.probabilities(state)[0]
            by_network = expected_after(word[:end])[symbol]
            by_list = len(going_on) / len(begun) if begun else 0.0
            assert found.sum() == pytest.approx(1, abs=1e-4)
            assert found[symbol] == pytest.approx((1 - share) * by_network + share * by_list, rel=0.01)
            network, of_list = network * by_network, of_list * by_list
            state = speller.step(state, [symbol]) if symbol else state


def test_network_spells_on_however_sure_the_list_is() -> None:
    word = "blorfsblorfsblorfsbl"
    speller = Speller(NETWORK, VOCABULARY, RareWords.of([word], VOCABULARY))
    state = speller.start()
    for symbol in VOCABULARY.encode(word[:-1]):
        state = speller.step(state, [symbol])
    letters = [character.isalpha() for character in VOCABULARY.characters]
    assert (speller.probabilities(state)[0, 2:][letters] > 0).all()


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
def names() -> list[str]:
    return np.random.default_rng(1).permutation(RARE).tolist()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> Iterator[Path]:
    """A checkpoint whose lexicon takes 300 words only, and whose list of rare ones 400."""
    folder = tmp_path_factory.mktemp("rare")
    generator = np.random.default_rng(1)
    corpus = corpus_of(folder, text="".join(f"{generator.choice(LINES)} {name}\n" for name in names[:1_200]))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"_MOST_WORDS": 300, "_RARE": 500, "_LISTED": 400}.items():
            patch.setattr(context_module, name, value)
        held_out = "".join(f"{generator.choice(LINES)} {name}\n" for name in names[1_000:1_300])
        run(corpus, folder / "mine", SMALL, validation=held_out)
    yield folder / "mine"


@pytest.fixture
def predictor(trained: Path) -> Predictor:
    return Predictor.load(str(trained))


def listed_in(folder: Path) -> set[str]:
    context = read_context(folder)
    assert context is not None
    listed = RareWords.from_tensors(**{name: context[0][f"rare.{name}"] for name in ("same", "rest")})
    return set(listed.words(read_checkpoint(folder).vocabulary))


def test_words_that_the_lexicon_has_no_room_for_are_listed(trained: Path, names: list[str]) -> None:
    lexicon, listed = set(read_lexicon(trained)), listed_in(trained)
    assert (len(lexicon), len(listed)) == (300, 400)
    assert listed < set(names[:1_200]) - lexicon


def test_words_in_no_list_are_spelled_like_rare_ones(trained: Path, predictor: Predictor, names: list[str]) -> None:
    figures = read_checkpoint(trained).figures
    assert 0.1 < figures["mixture"]["unknown_words"] < 0.2
    assert (
        figures["mixture"]["bits_per_unknown_word"] < 20
    )  # nine letters of a-z would be 42, four syllables of eight are 11
    assert 0 < figures["rare_words"]["bits_per_character"] < 2.5
    new = names[1_250]
    assert new not in read_lexicon(trained).keys() | listed_in(trained)
    logs, _ = predictor.score(f"the cat saw the {new}")
    odd, _ = predictor.score("the cat saw the " + "xqjwpfgbyhcd"[: len(new)])
    assert logs[-len(new) - 1 :].sum() > odd[-len(new) - 1 :].sum() + 10


def test_listed_words_are_more_probable_and_offered(trained: Path, predictor: Predictor, names: list[str]) -> None:
    listed = min(listed_in(trained))
    new = names[1_250]
    surprise = {word: -predictor.score(f"the cat saw the {word}")[0][16:].sum() for word in (listed, new)}
    assert surprise[listed] < surprise[new]
    assert listed in [each.word for each in predictor.suggest(f"the cat saw the {listed[:-2]}")]


def test_bits_of_words_in_no_lexicon_are_what_the_predictor_needs_for_them(trained: Path, predictor: Predictor) -> None:
    """Of one word by its letters, through the whole of inference, against the probabilities of its parts."""
    checkpoint, context = read_checkpoint(trained), read_context(trained)
    assert context is not None
    model = CharRNN(checkpoint.configuration)
    model.load_state_dict(
        {name: torch.from_numpy(array.astype(np.float32)) for name, array in checkpoint.tensors.items()}
    )
    listed = min(listed_in(trained))
    words = [listed, listed + "zi", "zizizi"]
    by_network = spelled_apart(model, checkpoint.vocabulary, words)
    every = RareWords.of(listed_in(trained), checkpoint.vocabulary)
    expected = every.beside(by_network, words, checkpoint.vocabulary)
    assert expected[0] == pytest.approx(np.log(0.5 * np.exp(by_network[0]) + 0.5 / 400))
    assert expected[1] == pytest.approx(np.log(0.5) + by_network[1])
    network = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
    speller = Speller(network, checkpoint.vocabulary, every)
    for word, log in zip(words, expected, strict=True):
        state, found = speller.start(), 0.0
        for symbol in [*checkpoint.vocabulary.encode(word), BOUNDARY]:
            found += float(speller.log_probabilities(state)[0, symbol])
            if symbol != BOUNDARY:
                state = speller.step(state, [symbol])
        assert found == pytest.approx(log, abs=0.2)  # after 90 steps, some other symbols are still thought possible


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


def test_old_list_is_learned_again_where_a_training_starts_from_another(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"_MOST_WORDS": 300, "_RARE": 500, "_LISTED": 800}.items():
        monkeypatch.setattr(context_module, name, value)
    corpus = corpus_of(tmp_path, text="".join(f"{line} {name}\n" for line in LINES for name in ("Ann", "Bob", "Cid")))
    settings = TrainingSettings(steps=5, precision="fp32")
    for _ in train(corpus, tmp_path / "mine", settings, source=trained):
        pass
    assert len(listed_in(trained) & listed_in(tmp_path / "mine")) > 350
    for _ in train(corpus, tmp_path / "other", replace(settings, rare=0.0), source=trained):
        pass
    context = read_context(tmp_path / "other")
    assert context is not None
    assert not any(name.startswith("rare.") for name in context[0])


def test_weights_of_words_in_no_list_are_for_text_that_has_more_of_them() -> None:
    weights = np.array([[0.02, 0.08, 0.9], [0.3, 0.2, 0.5]])
    flat = flattened(weights, spells=True)
    np.testing.assert_allclose(flat[:, 0], [0.06 / 1.04, 0.9 / 1.6])
    np.testing.assert_allclose(flat[:, 2] / flat[:, 1], np.sqrt(weights[:, 2] / weights[:, 1]))
    np.testing.assert_allclose(flat.sum(axis=1), 1)
    every = np.sqrt(weights)
    np.testing.assert_allclose(flattened(weights, spells=False), every / every.sum(axis=1, keepdims=True))
