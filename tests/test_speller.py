"""The network as a model of words in no list, against the same network stepped from the unknown symbol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from oracles import spelled_apart
from test_text_training import SMALL, corpus_of, run

from autocomplete.inference.predictor import Predictor
from autocomplete.models.lexicon import Lexicon
from autocomplete.models.out_of_vocabulary import OOVCharacterModel, out_of_vocabulary_model
from autocomplete.models.protocol import CharacterLanguageModel
from autocomplete.models.rare_words import LISTED, RareWordList, RareWords
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.checkpoint import read_checkpoint, read_context, read_lexicon
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train
from autocomplete.training.words import context as context_module
from autocomplete.training.words.context import flattened

CHECKPOINT = random_checkpoint(["blorf's. -"])
VOCABULARY = CHECKPOINT.vocabulary
NETWORK = RecurrentNetwork(CHECKPOINT.configuration, CHECKPOINT.tensors)

WORDS = [letter + rest for letter in "blorfs" for rest in ("", "o", "ob", "of's", "olf", "'")]

words = st.lists(
    st.text("blorfs'", min_size=1, max_size=5).filter(lambda word: word[0] != "'"), min_size=1, max_size=12
)


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


def by_network(word: str) -> float:
    """Return the probability of a whole word under the network."""
    symbols = [*VOCABULARY.encode(word), BOUNDARY]
    return float(np.prod([expected_after(word[:end])[symbol] for end, symbol in enumerate(symbols)]))


SPELLED = {word: by_network(word) for word in WORDS}


def counted(known: Sequence[str], times: float = 1.0) -> tuple[Lexicon, float]:
    """Return words of a lexicon by what the network gives to them, and the sum of that."""
    counts = [times * SPELLED[word] for word in known]
    return Lexicon(known, counts, VOCABULARY), sum(counts)


def probability(model: CharacterLanguageModel, word: str) -> float:
    """Return the probability of a whole word, each row on the way being a distribution."""
    state, found = model.start(), 1.0
    for symbol in [*VOCABULARY.encode(word), BOUNDARY]:
        row = np.exp(model.log_probabilities(state)[0].astype(np.float64))
        assert row.sum() == pytest.approx(1, abs=1e-4)
        found *= row[symbol]
        if symbol != BOUNDARY:
            state = model.step(state, [symbol])
    return found


@given(st.lists(st.sampled_from(WORDS), min_size=1, unique=True), words)
def test_words_have_what_the_network_gives_less_that_of_the_lexicon(known: list[str], asked: list[str]) -> None:
    lexicon, share = counted(known)
    assert share < 1
    speller = OOVCharacterModel(NETWORK, VOCABULARY, lexicon, share)
    for word in [*known, *asked]:
        expected = 0 if word in known else by_network(word) / (1 - share)
        assert probability(speller, word) == pytest.approx(expected, rel=0.01)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5, unique=True), words)
def test_words_of_a_lexicon_that_takes_all_can_still_be_spelled_on(known: list[str], asked: list[str]) -> None:
    """What the lexicon has is rounded: it may be more than the network gives to a prefix."""
    lexicon, _ = counted(known, times=100.0)
    speller = OOVCharacterModel(NETWORK, VOCABULARY, lexicon, 0.98)
    for word in {*asked} - {*known}:
        assert 0 < probability(speller, word) < 1
    assert [probability(speller, word) for word in known] == [0] * len(known)


@given(words)
def test_words_are_stepped_together_as_alone(asked: list[str]) -> None:
    lexicon, share = counted(WORDS[:8])
    models = (
        OOVCharacterModel(NETWORK, VOCABULARY, lexicon, share),
        RareWordList(RareWords.of({*asked}, VOCABULARY), VOCABULARY),
    )
    for model in models:
        states = tuple(np.repeat(array, len(asked), axis=0) for array in model.start())
        states = model.step(states, [VOCABULARY.encode(word)[0] for word in asked])
        every = model.log_probabilities(states)
        for row, word in enumerate(asked):
            alone = model.log_probabilities(model.step(model.start(), VOCABULARY.encode(word[0])))[0]
            np.testing.assert_allclose(np.exp(every[row]), np.exp(alone), rtol=1e-4, atol=1e-6)


@given(words)
def test_words_of_a_list_are_all_as_probable(listed: list[str]) -> None:
    every = {*listed}
    model = RareWordList(RareWords.of(every, VOCABULARY), VOCABULARY)
    for word in every:
        assert probability(model, word) == pytest.approx(1 / len(every), rel=1e-4)
        state = model.start()
        for end, symbol in enumerate([*VOCABULARY.encode(word), BOUNDARY]):
            best = model.best(state)
            assert best[0, symbol] == pytest.approx(1 / sum(other.startswith(word[:end]) for other in every))
            state = model.step(state, [symbol]) if symbol else state
    absent = model.step(model.start(), VOCABULARY.encode("-"))
    assert model.log_probabilities(absent)[0, BOUNDARY] == 0  # it rules the letter out, and has nothing to add


@given(words, words)
def test_list_and_network_are_weighed_by_what_they_foresaw(listed: list[str], asked: list[str]) -> None:
    every = {*listed} - {*WORDS}
    lexicon, share = counted(WORDS)
    listed = RareWords.of(every, VOCABULARY)
    model = out_of_vocabulary_model(NETWORK, VOCABULARY, lexicon, np.log(lexicon.counts), listed)
    speller = OOVCharacterModel(NETWORK, VOCABULARY, lexicon, share)
    for word in [*asked, *every]:
        state, alone = model.start(), speller.start()
        weight = LISTED if every else 0.0  # of the list
        for end, symbol in enumerate([*VOCABULARY.encode(word), BOUNDARY]):
            begun = [other for other in every if other.startswith(word[:end])]
            going_on = [other for other in begun if (other.startswith(word[: end + 1]) if symbol else other == word)]
            by_list = len(going_on) / len(begun) if begun else 0.0
            spelled = float(speller.probabilities(alone)[0, symbol])
            found = float(np.exp(model.log_probabilities(state)[0, symbol]))
            if begun or not every:
                assert found == pytest.approx((1 - weight) * spelled + weight * by_list, rel=0.01)
            if symbol and (spelled or by_list):
                ours, theirs = (1 - weight) * spelled, weight * by_list
                # Neither is given up before it has ruled a letter out.
                ours, theirs = (share and max(share / (ours + theirs), 0.1) for share in (ours, theirs))
                weight = theirs / (ours + theirs) if every else 0.0
                state, alone = model.step(state, [symbol]), speller.step(alone, [symbol])


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
    expected = [
        np.log(0.5 * np.exp(log) + 0.5 / 400 * (word == listed)) for word, log in zip(words, by_network, strict=True)
    ]
    lexicon = read_lexicon(trained)
    spelled = context[0]["spelled"].astype(np.float64)
    known = Lexicon(list(lexicon), list(lexicon.values()), checkpoint.vocabulary)
    np.testing.assert_allclose(spelled, spelled_apart(model, checkpoint.vocabulary, known.words), rtol=2e-3)
    share = float(np.exp(spelled).sum())
    network = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors)
    unknown = out_of_vocabulary_model(network, checkpoint.vocabulary, known, context[0]["spelled"], every)
    for word, log in zip(words, expected, strict=True):
        state, found = unknown.start(), 0.0
        for symbol in [*checkpoint.vocabulary.encode(word), BOUNDARY]:
            found += float(unknown.log_probabilities(state)[0, symbol])
            if symbol != BOUNDARY:
                state = unknown.step(state, [symbol])
        # A member that was wrong keeps a tenth of the weight; what the lexicon has is left to the others.
        assert log - 0.2 < found < log - np.log1p(-share) + 2.5


def test_prefixes_that_are_kept_are_begun_anew_when_they_are_many(
    trained: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"the cat saw the {word[:end]}" for word in ("kalo", "renzi", "house") for end in range(len(word))]
    expected = [predictor.predict(line) for line in lines]
    monkeypatch.setattr("autocomplete.inference.word_models._OOV_MEMORY", 20_000)
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
    for _ in train(TrainingInputs(corpus, tmp_path / "mine", settings, source=trained)):
        pass
    assert len(listed_in(trained) & listed_in(tmp_path / "mine")) > 350
    for _ in train(TrainingInputs(corpus, tmp_path / "other", replace(settings, rare=0.0), source=trained)):
        pass
    context = read_context(tmp_path / "other")
    assert context is not None
    assert not any(name.startswith("rare.") for name in context[0])


def test_weights_of_words_in_no_list_are_for_text_that_has_more_of_them() -> None:
    weights = np.array([[0.02, 0.08, 0.9], [0.3, 0.2, 0.5]])
    flat = flattened(weights, spells=True)
    np.testing.assert_allclose(flat[:, 0], [0.06 / 1.04, 0.9 / 1.6])
    np.testing.assert_allclose(flat[:, 2] / flat[:, 1], (weights[:, 2] / weights[:, 1]) ** 0.7)
    np.testing.assert_allclose(flat.sum(axis=1), 1)
    every = weights**0.7
    np.testing.assert_allclose(flattened(weights, spells=False), every / every.sum(axis=1, keepdims=True))
