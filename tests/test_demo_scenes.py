"""The scenes triangle, memory, gradient and state: what they compute is right, and what they draw fits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from pictures import checked, lines
from torch.autograd.functional import jacobian
from torch.nn import functional

from autocomplete import Predictor
from autocomplete.demo import gradient, memory, state, triangle
from autocomplete.demo.beginnings import choose_contrast, read_beginnings
from autocomplete.demo.scene import Scene, Size
from autocomplete.demo.sentences import SENTENCES
from autocomplete.errors import SettingsError
from autocomplete.evaluation.known import known_words
from autocomplete.evaluation.measures import keys
from autocomplete.evaluation.simulation import Simulation
from autocomplete.lab.gradients import clip_gradient, scale_recurrent, state_gradients
from autocomplete.lab.training import draw_words, train_alike, word_rows
from autocomplete.lab.units import FEATURES, correlations, find_units, hidden_states
from autocomplete.lab.windows import CausalConvolution, FeedForwardWindow, answers, influence
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.storage.lookup import DEFAULT, find_checkpoint
from autocomplete.text.vocabulary import Vocabulary
from autocomplete.training.batching.streams import Streams, stream_loss
from autocomplete.training.networks.recurrent import CharRNN

SIZES = [Size(80, 18), Size(120, 34)]
SCENES = [triangle.SCENE, memory.SCENE, gradient.SCENE, state.SCENE]
CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")
LETTERS = Vocabulary("abcdefghijklmnopqrstuvwxyz'")
WORDS = ["name", "nation", "trial", "triangle", "banana", "station"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for a few steps only: how it looks does not depend on how many they are."""
    for scene in (memory, gradient):
        monkeypatch.setattr(scene, "_STEPS", 4)
        monkeypatch.setattr(scene, "_FRAMES", 2)


def network(cell: Cell, layers: int = 1, seed: int = 0) -> CharRNN:
    torch.manual_seed(seed)
    return CharRNN(Configuration(len(LETTERS), cell, layers, hidden=10, embedding=6))


def ids(word: str) -> torch.Tensor:
    return torch.tensor([0, *LETTERS.encode(word)])


@pytest.mark.parametrize("scene", [memory, gradient])
def test_where_the_time_is_up_training_ends_early_and_the_scene_goes_on_to_its_end(
    scene: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "_SECONDS", 0.0)
    frames = list(scene.SCENE.play(scene.SCENE.word, SIZES[0]))
    trained = [frame.caption for frame in frames if "learn" in frame.caption]
    assert len(trained) == 1
    assert "tell the two apart" in frames[-1].caption or "of the gradient is left" in frames[-1].caption


# Gradients


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_gradient_norms_are_those_of_the_product_of_the_jacobians_of_the_steps(cell: Cell, layers: int) -> None:
    model, symbols = network(cell, layers).double(), ids("triangular")
    parts = 2 if cell == "lstm" else 1
    shape = (parts, layers, 1, 10)

    def step(flat: torch.Tensor, symbol: torch.Tensor) -> torch.Tensor:
        given = flat.reshape(shape)
        after = model.continue_from((given[0], given[1]) if parts == 2 else given[0], symbol[None, None])[1]
        return torch.stack(list(after) if parts == 2 else [after]).flatten()

    def loss(flat: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(model.decoder(flat.reshape(shape)[0, -1]), symbols[-1:])

    flat, before = torch.zeros(shape, dtype=torch.float64).flatten(), []
    for symbol in symbols[:-1]:
        before.append(jacobian(lambda value, symbol=symbol: step(value, symbol), flat))
        flat = step(flat, symbol).detach()
    row = jacobian(loss, flat)
    expected = [row.reshape(parts, -1).norm(dim=1)]
    for matrix in reversed(before[1:]):
        row = row @ matrix
        expected.append(row.reshape(parts, -1).norm(dim=1))

    found = state_gradients(model, symbols)
    np.testing.assert_allclose(found.hidden, [norms[0] for norms in expected], rtol=1e-9)
    if found.cell is None:
        assert parts == 1
    else:
        np.testing.assert_allclose(found.cell, [norms[1] for norms in expected], rtol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_truncation_changes_nothing_up_to_the_cut_and_leaves_exactly_nothing_beyond(cell: Cell) -> None:
    model, symbols = network(cell), ids("antidisestablish")  # 16 steps: cut after 7 and 14
    whole, cut = state_gradients(model, symbols), state_gradients(model, symbols, bptt=7)
    np.testing.assert_array_equal(cut.hidden[:2], whole.hidden[:2])
    assert (cut.hidden[:2] > 0).all()
    assert (cut.hidden[2:] == 0).all()
    assert (whole.hidden > 0).all()
    assert cut.loss == whole.loss
    if cut.cell is not None:
        assert (cut.cell[2:] == 0).all()


def test_large_recurrent_weights_make_the_gradient_explode_and_clipping_bounds_it_without_turning_it() -> None:
    model, symbols = network("rnn"), ids("the" * 20)
    large = scale_recurrent(model, 3.0)
    assert torch.equal(large.recurrent.weight_hh_l0, 3 * model.recurrent.weight_hh_l0)
    small_norms, large_norms = state_gradients(model, symbols).hidden, state_gradients(large, symbols).hidden
    assert small_norms[-1] < 1e-2 * small_norms[1]
    assert large_norms[-1] > 1e2 * large_norms[1]
    clipped = clip_gradient(large, symbols, clip=1.0)
    assert clipped.before > 100
    assert clipped.after == pytest.approx(1.0, abs=1e-5)
    assert clipped.cosine == pytest.approx(1.0, abs=1e-9)
    kept = clip_gradient(large, symbols, clip=1e9)
    assert kept.after == kept.before == pytest.approx(clipped.before)


# Networks that see a window


def test_one_letter_gives_the_same_answer_after_na_and_tria_and_a_recurrent_network_does_not() -> None:
    torch.manual_seed(0)
    networks = {
        "one": FeedForwardWindow(len(LETTERS), 1, embedding=6, hidden=10),
        "window": FeedForwardWindow(len(LETTERS), 3, embedding=6, hidden=10),
        "convolution": CausalConvolution(len(LETTERS), embedding=6, hidden=10),
        "rnn": network("rnn"),
    }
    batches = draw_words(word_rows(WORDS, LETTERS), np.ones(len(WORDS)))
    losses = list(train_alike(networks, batches, steps=40))
    for name in networks:
        assert losses[-1][name] < losses[0][name] - 0.5
    found = {name: answers(trained, ["na", "tria"], LETTERS) for name, trained in networks.items()}
    assert (found["one"][0] == found["one"][1]).all()
    for name in ("window", "convolution", "rnn"):
        assert np.abs(found[name][0] - found[name][1]).sum() > 0.1, name
    ends = {name: answers(trained, ["nation", "station"], LETTERS) for name, trained in networks.items()}
    assert (ends["window"][0] == ends["window"][1]).all()
    assert not np.array_equal(ends["convolution"][0], ends["convolution"][1])
    assert not np.array_equal(ends["rnn"][0], ends["rnn"][1])


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (lambda: FeedForwardWindow(len(LETTERS), 1, 6, 10), 1),
        (lambda: FeedForwardWindow(len(LETTERS), 4, 6, 10, layers=2), 4),
        (lambda: CausalConvolution(len(LETTERS), 6, 10, layers=3, kernel=2), 8),
        (lambda: CausalConvolution(len(LETTERS), 6, 10, layers=2, kernel=3), 7),
    ],
)
def test_an_answer_depends_on_exactly_the_symbols_in_the_window(make, seen: int) -> None:
    torch.manual_seed(1)
    model = make()
    assert model.seen == seen
    inputs = torch.randint(2, len(LETTERS), (1, 20))
    logits = model(inputs)
    assert logits.shape == (1, 20, len(LETTERS))
    for place in range(20):
        changed = inputs.clone()
        changed[0, place] = 2 + (inputs[0, place] - 1) % (len(LETTERS) - 2)
        moved = (model(changed) != logits).any(dim=2)[0].nonzero().flatten().tolist()
        assert moved == list(range(place, min(20, place + seen)))


@pytest.mark.parametrize("make", [FeedForwardWindow, CausalConvolution])
def test_a_text_read_in_pieces_gives_the_answers_of_the_whole(make) -> None:
    torch.manual_seed(2)
    model = make(len(LETTERS), 5, 6, 10) if make is FeedForwardWindow else make(len(LETTERS), 6, 10)
    inputs = torch.randint(0, len(LETTERS), (2, 15))
    state, pieces = None, []
    for piece in (inputs[:, :1], inputs[:, 1:9], inputs[:, 9:]):
        logits, state = model.continue_from(state, piece)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(inputs))


def test_a_window_trains_on_running_text_as_a_recurrent_network_does() -> None:
    torch.manual_seed(0)
    model = FeedForwardWindow(len(LETTERS), 4, 8, 32)
    streams = Streams(LETTERS.encode_lines(WORDS * 20), 4, 16, np.random.default_rng(0))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    losses = []
    for _ in range(60):
        loss, _ = stream_loss(model, streams, 0.0, "fp32")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_influence_is_nothing_beyond_the_window_and_something_within() -> None:
    torch.manual_seed(3)
    beginnings = ["nation", "banana", "trials"]
    window = influence(FeedForwardWindow(len(LETTERS), 2, 6, 10), beginnings, "abcdefgh", LETTERS)
    assert (window[:2] > 0).all()
    assert (window[2:] == 0).all()
    assert (influence(network("rnn"), beginnings, "abcdefgh", LETTERS) > 0).all()


# Beginnings of words


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "no word is given"),
        ("   ", "no word is given"),
        ("na tri", "na ends in a, tri in i"),
        ("na na", "na is given twice"),
        ("a b c", "3 words are given"),
        ("ñandú", "not in the letters a to z"),
        ("w" * 30, "has 30 letters"),
    ],
)
def test_beginnings_that_cannot_be_shown_are_refused_in_one_line(given: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as error:
        next(memory.SCENE.play(given, SIZES[0]))
    assert "\n" not in str(error.value)


def test_a_contrast_ends_alike_and_goes_on_differently() -> None:
    words = {"name": 5.0, "names": 1.0, "lamp": 5.0, "lamb": 4.0, "same": 9.0}
    assert (
        choose_contrast("na", words) == "la"
    )  # after `sa` there is an m as well, after `la` there is one, too: p and b no
    words |= {"batch": 5.0}
    assert choose_contrast("na", words) == "ba"
    assert read_beginnings("NA TRIA", words) == ("na", "tria")
    with pytest.raises(SettingsError, match="no other beginning"):
        choose_contrast("z", words)


# When a word is known


def test_places_and_keys_of_a_word_are_those_of_the_evaluation() -> None:
    predictor = Predictor.load()
    text = "where are you going my triangle"
    offered = [predictor.predict(text[:i], 5) for i in range(len(text) + 1)]
    words = known_words(text, offered, predictor.checkpoint.alphabet)
    assert [word.word for word in words] == text.split()
    for word in words:
        assert len(word.places) == len(word.word)
        for letters, place in enumerate([*word.places, 0]):  # what stands there whole is not offered
            candidates = [offer.word.casefold() for offer in offered[word.start + letters].words]
            assert place == (candidates.index(word.word) + 1 if word.word in candidates else 0)
        if word.offered is not None:
            assert word.places[word.offered] > 0
            assert not any(word.places[: word.offered])
    ranks = [place for word in words for place in (*word.places, *[0] * word.space)]
    assert sum(word.pressed for word in words) == keys(Simulation.of([text], ranks), 5)
    assert sum(word.keys for word in words) == len(text)


def test_a_word_that_is_never_offered_spares_nothing() -> None:
    predictor = Predictor.load()
    text = "xqzvbkj"
    (word,) = known_words(
        text, [predictor.predict(text[:i]) for i in range(len(text) + 1)], predictor.checkpoint.alphabet
    )
    assert word.offered is None
    assert word.first is None
    assert word.pressed == word.keys == 7


# Units


def test_correlations_are_those_of_numpy() -> None:
    generator = np.random.default_rng(0)
    states = generator.normal(size=(200, 7)).astype(np.float32)
    states[:, 3] = 0.25  # never changes
    values = generator.normal(size=200) + states[:, 5]
    found = correlations(states, values)
    for unit in (0, 1, 2, 4, 5, 6):
        assert found[unit] == pytest.approx(np.corrcoef(states[:, unit], values)[0, 1], abs=1e-9)
    assert found[3] == 0
    assert (correlations(states, np.ones(200)) == 0).all()


def test_a_unit_is_chosen_on_every_other_line_and_judged_on_the_rest() -> None:
    checkpoint = read_checkpoint(find_checkpoint(DEFAULT))
    found = {unit.feature: unit for unit in find_units(checkpoint, SENTENCES)}
    assert found.keys() == FEATURES.keys()
    unit = found["in a quotation"]
    for lines_, figure in ((SENTENCES[::2], unit.chosen), (SENTENCES[1::2], unit.held_out)):
        states = np.concatenate([hidden_states(checkpoint, line) for line in lines_])[:, unit.unit]
        values = np.concatenate([FEATURES[unit.feature](line) for line in lines_])
        assert figure == pytest.approx(np.corrcoef(states.astype(np.float64), values)[0, 1], abs=1e-6)
    assert abs(found["in a quotation"].held_out) > 0.5  # the network that is shipped knows where it is
    assert abs(found["after a space"].held_out) > 0.5


def test_states_over_a_line_are_those_of_torch() -> None:
    checkpoint = read_checkpoint(find_checkpoint(DEFAULT))
    model = CharRNN(checkpoint.configuration)
    model.load_state_dict({name: torch.from_numpy(np.float32(value)) for name, value in checkpoint.tensors.items()})
    line = 'she said "yes"'
    with torch.no_grad():
        outputs, _ = model.recurrent(model.embedding(torch.tensor([[0, *checkpoint.vocabulary.encode(line)]])))
    np.testing.assert_allclose(hidden_states(checkpoint, line), outputs[0, 1:].numpy(), atol=1e-5)


def test_features_say_what_their_names_say() -> None:
    line = 'no "a bc" d'
    assert FEATURES["in a quotation"](line).tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0]
    assert FEATURES["in a quotation"]("x “a” y").tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert FEATURES["inside a word"](line).tolist() == [1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1]
    assert FEATURES["letters of the word"](line).tolist() == [1, 2, 0, 0, 1, 0, 1, 2, 0, 0, 1]
    assert FEATURES["after a space"](line).tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0]


# What is drawn

NARROW, WIDE = SIZES
HARD = [("naïve", NARROW), ("日本語 and 🙂", WIDE), ("don't tell Eleanor " * 9, NARROW)]


@pytest.mark.parametrize(
    ("word", "size"),
    [
        *HARD,
        ("triangle", NARROW),
        ("triangle", WIDE),
        ("a", NARROW),
        ("x" * 120, WIDE),
        ("e\u0301\u0301 \u200b o", WIDE),
    ],
)
@pytest.mark.parametrize("scene", [triangle.SCENE, state.SCENE], ids=lambda scene: scene.name)
def test_frames_fit(scene: Scene, word: str, size: Size) -> None:
    frames = list(scene.play(word, size))
    assert sum(frame.seconds for frame in frames) < 20
    checked(iter([*frames[:3], frames[len(frames) // 2], *frames[-3:]]), size)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("word", "size"),
    [("na tria", NARROW), ("nation station", WIDE), ("establishments commencements", NARROW), ("a", WIDE)],
)
def test_frames_of_memory_fit(word: str, size: Size) -> None:
    drawn = checked(memory.SCENE.play(word, size), size)
    assert any("the same answers" in line for line in drawn[-1])


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("word", "size"), [("ab", NARROW), *HARD])
def test_frames_of_gradient_fit(word: str, size: Size) -> None:
    drawn = checked(gradient.SCENE.play(word, size), size)
    assert any("clip" in line for line in drawn[-1])
    assert any("·" in line for line in drawn[-1])  # what is cut


@pytest.mark.usefixtures("short")
def test_gradient_shows_the_norms_of_the_tensors() -> None:
    (*_, last) = checked(gradient.SCENE.play("the letters", SIZES[0]), SIZES[0])
    first = next(line for line in last if "fresh" in line)
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_words([sentence.casefold() for sentence in SENTENCES])
    model = CharRNN(Configuration(len(vocabulary), "rnn", 1, 64, 24))
    norms = state_gradients(model, torch.tensor([0, *vocabulary.encode("the letters")])).hidden
    rate = (norms[-1] / norms[1]) ** (1 / (len(norms) - 2))
    assert first.split()[-2:] == [f"{norms[-1]:.1e}", f"×{rate:.2f}"]


def test_triangle_tells_in_its_still_picture_when_the_word_is_known_and_what_that_spares() -> None:
    *_, end, last = triangle.SCENE.play("triangle", SIZES[0])
    assert "triangle stands there whole" in "\n".join(lines(end, SIZES[0]))
    text = "\n".join(lines(last, SIZES[0]))
    assert "one of five" in text
    assert "first of all" in text
    predictor = Predictor.load()
    after = next(i for i in range(9) if "triangle" in [offer.word for offer in predictor.suggest("triangle"[:i])])
    assert f"known after {after} letters" in last.caption
    assert f"{8 - after - 1} keys saved" in text


def test_triangle_shows_the_words_that_were_offered_whole_where_there_is_room() -> None:
    predictor = Predictor.load()
    # On narrow lines up to `trian`, whose words are longer; on wide ones, all.
    for size, every, longer in (
        (SIZES[0], ("", "tria"), "\n trian "),
        (SIZES[1], ("", "tria", "trian", "triang"), "\n\n"),
    ):
        *_, last = triangle.SCENE.play("triangle", size)
        table = "\n".join(lines(last, size))
        for typed in every:
            assert all(f" {offer.word} " in table.replace("▸", " ") for offer in predictor.suggest(typed, 5))
        assert "…" not in table[: table.index(longer)]


def test_triangle_leaves_out_what_is_typed_of_a_word_that_is_too_long_for_its_column() -> None:
    *_, last = triangle.SCENE.play("characteristically", SIZES[0])
    [line] = [line for line in lines(last, SIZES[0]) if line.split()[:1] == ["chara"]]
    offers = [offer.insert for offer in Predictor.load().suggest("chara", 5)]
    assert len(line.split()) == 1 + len(offers)
    for shown, insert in zip(line.split()[1:], offers, strict=True):
        assert shown[0] == "…"
        assert insert.startswith(shown.strip("…"))


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("word", ["", " \n\t "])
def test_nothing_to_show_is_refused_in_one_line(scene: Scene, word: str) -> None:
    with pytest.raises(SettingsError, match="give") as error:
        list(scene.play(word, SIZES[0]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("scene", "word"),
    [(triangle.SCENE, "!?"), (triangle.SCENE, "x" * 999), (state.SCENE, "y " * 999), (gradient.SCENE, "z"),
     (gradient.SCENE, "z " * 999)],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_one_line(scene: Scene, word: str) -> None:
    with pytest.raises(SettingsError, match="give") as error:
        next(scene.play(word, SIZES[0]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_texts_of_a_scene_fit(scene: Scene) -> None:
    assert all(len(line) <= 76 for line in scene.equations.splitlines())
    assert scene.word
    assert len(scene.title) <= 70


def test_scenes_are_imported_without_torch() -> None:
    names = [f"autocomplete.demo.{scene.name}" for scene in SCENES]
    program = (
        f"import sys, {', '.join(names)}; sys.exit(any(n in sys.modules for n in ('torch', 'autocomplete.training')))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent.parent, check=False).returncode == 0
    )
