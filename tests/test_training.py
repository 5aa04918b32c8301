"""Real trainings of a second or less each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bf16 import needs_bf16
from safetensors.numpy import load_file

from autocomplete.corpus.corpus import Corpus, entropy
from autocomplete.errors import CheckpointError, SettingsError
from autocomplete.inference.predictor import Predictor
from autocomplete.storage.checkpoint import RESUME, read_checkpoint, read_lexicon
from autocomplete.storage.configuration import Cell
from autocomplete.text.vocabulary import Vocabulary
from autocomplete.training.batching.prefixes import Words
from autocomplete.training.events import Event, Finished, Progress, Started, Validated
from autocomplete.training.measure import measure, tune_prior, unseen_rate
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.validation import hold_out
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

Make = Callable[[str | bytes], Corpus]

SMALL = TrainingSettings(
    hidden=16, embedding=8, draws=64, steps=60, warmup=5, held_out=0.0, precision="fp32", patience=99
)
LIST = "name\t50\ntriangle\t30\nmy\t20\ntrial\t9\nMonday\t7\ntried\t3\nnames\t2\nmany\t1\nangle\t1\nlane\t1\n"


pytestmark = pytest.mark.usefixtures("one_thread")


def run(
    corpus: Corpus, folder: Path, settings: TrainingSettings = SMALL, **options: bool
) -> tuple[list[Event], Finished]:
    events = list(train(TrainingInputs(corpus, folder, settings, **options)))
    finished = events[-1]
    assert isinstance(finished, Finished)
    return events, finished


def interrupted(corpus: Corpus, folder: Path, step: int, settings: TrainingSettings = SMALL) -> Finished:
    """Train and ask to stop after some steps."""
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == step

    *_, finished = train(TrainingInputs(corpus, folder, settings, should_stop=should_stop))
    assert isinstance(finished, Finished)
    return finished


def weights(folder: Path) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in read_checkpoint(folder).tensors.items()}


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_corpus_of_one_word_is_learned(make_corpus: Make, tmp_path: Path, cell: Cell) -> None:
    _, finished = run(make_corpus("name\n"), tmp_path / "mine", replace(SMALL, cell=cell, steps=150))
    predictor = Predictor(read_checkpoint(tmp_path / "mine"), {}, members="network")
    for typed, following in [("", "n"), ("n", "a"), ("na", "m"), ("nam", "e"), ("name", " ")]:
        best = predictor.next_characters(typed, 1)[0]
        assert best.character == following
        assert best.probability > 0.9
    assert predictor.suggest("na")[0].word == "name"
    assert finished.figures["all"]["accuracy_top_1"] == 1
    assert finished.figures["entropy"] == 0


def test_list_is_learned_and_its_checkpoint_predicts(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(LIST)
    run(corpus, tmp_path / "mine", replace(SMALL, steps=150))
    predictor = Predictor.load(str(tmp_path / "mine"))
    assert predictor.suggest("tria")[0].word == "triangle"
    assert predictor.suggest("Nam")[0].word == "Name"
    assert list(read_lexicon(tmp_path / "mine")) == [corpus.surface(word) for word in sorted(corpus.words)]
    assert read_checkpoint(tmp_path / "mine").corpus["sha256"] == corpus.sha256


def test_figures_hold_together(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(LIST)
    _, finished = run(corpus, tmp_path / "mine", replace(SMALL, held_out=0.4))
    figures = finished.figures
    network = figures["all"]["bits_per_word"]
    assert figures["entropy"] == pytest.approx(entropy(corpus.counts))
    assert entropy(corpus.counts) <= figures["mixture_bits_per_word"] < network
    assert figures["training"]["bits_per_word"] >= figures["training_entropy"]
    assert figures["held_out"]["bits_per_word"] > 0
    for part in ("training", "held_out", "all"):
        assert 0 <= figures[part]["accuracy_top_1"] <= figures[part]["accuracy_top_3"] <= 1
        assert figures[part]["bits_per_character"] < figures[part]["bits_per_word"]
    assert 0 < figures["network_prior"] < 1
    assert read_checkpoint(tmp_path / "mine").figures == json.loads(json.dumps(figures))
    assert finished.steps == figures["steps"] == 60


def test_figures_are_those_of_the_network_on_the_disk(make_corpus: Make, tmp_path: Path) -> None:
    """Bits per word, computed again in numpy from the file alone."""
    corpus = make_corpus(LIST)
    _, finished = run(corpus, tmp_path / "mine")
    checkpoint = read_checkpoint(tmp_path / "mine")
    model = Predictor.network(checkpoint.configuration, checkpoint.tensors)
    bits = []
    for word in corpus.words:
        states, total = model.start(), 0.0
        for symbol in [*checkpoint.vocabulary.encode(word), 0]:
            total -= float(model.log_probabilities(states)[0, symbol]) / math.log(2)
            states = model.step(states, [symbol])
        bits.append(total)
    expected = float(corpus.counts @ np.array(bits) / corpus.counts.sum())
    assert finished.figures["all"]["bits_per_word"] == pytest.approx(expected, rel=1e-4)


def test_loss_falls_and_events_come_in_order(make_corpus: Make, tmp_path: Path) -> None:
    events, finished = run(make_corpus(LIST), tmp_path / "mine")
    assert isinstance(events[0], Started)
    assert (events[0].steps_done, events[0].precision) == (0, "fp32")
    steps = [event for event in events if isinstance(event, Progress)]
    assert [event.step for event in steps] == list(range(1, 61))
    assert [event.progress for event in steps] == pytest.approx([step / 60 for step in range(1, 61)])
    assert steps[-1].bits_per_character < steps[0].bits_per_character
    validated = [event for event in events if isinstance(event, Validated)]
    assert len(finished.curve) == len(validated)
    assert validated[0].best
    assert validated[-1].step == 60
    assert all(len(event.samples) == 8 for event in validated)
    assert all(event.gradient_norm > 0 for event in steps)
    assert [event.learning_rate for event in steps] == [SMALL.rate(0.01, i, i / 60) for i in range(60)]
    waited, fewest = 0, math.inf
    for event in validated:
        waited = 0 if event.best else waited + 1
        assert event.validations_since_best == waited
        assert event.best_bits <= fewest
        fewest = event.best_bits
    assert finished.reason == "done"
    assert not (tmp_path / "mine" / RESUME).exists()


def test_same_seed_gives_the_same_weights_and_another_seed_others(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(LIST)
    settings = replace(SMALL, steps=20, dropout=0.2, layers=2)
    for name, seed in [("first", 1), ("second", 1), ("third", 2)]:
        run(corpus, tmp_path / name, replace(settings, seed=seed))
    assert weights(tmp_path / "first") == weights(tmp_path / "second")
    assert weights(tmp_path / "first") != weights(tmp_path / "third")


@pytest.mark.parametrize("step", [1, 25, 60])
def test_resumed_run_ends_with_the_weights_of_one_never_interrupted(
    make_corpus: Make, tmp_path: Path, step: int
) -> None:
    corpus = make_corpus(LIST)
    settings = replace(SMALL, dropout=0.1, held_out=0.0)
    run(corpus, tmp_path / "whole", settings)
    stopped = interrupted(corpus, tmp_path / "parts", step, settings)
    assert (stopped.reason, stopped.steps) == ("interrupted", step)
    events, finished = run(corpus, tmp_path / "parts", TrainingSettings(), resume=True)
    assert isinstance(events[0], Started)
    assert events[0].steps_done == step
    assert (finished.reason, finished.steps) == ("done", 60)
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    assert not (tmp_path / "parts" / RESUME).exists()


def test_interrupted_run_keeps_the_best_so_far(make_corpus: Make, tmp_path: Path) -> None:
    finished = interrupted(make_corpus(LIST), tmp_path / "mine", 30)
    assert finished.reason == "interrupted"
    assert (tmp_path / "mine" / RESUME).exists()
    assert finished.figures["all"]["bits_per_word"] > 0
    assert Predictor.load(str(tmp_path / "mine")).suggest("tria")[0].word == "triangle"
    best = min(bits for _, _, bits in finished.curve)
    assert finished.figures["held_out"]["bits_per_character"] == pytest.approx(best, rel=0.01)


def test_run_that_gets_no_better_ends_early(make_corpus: Make, tmp_path: Path) -> None:
    settings = replace(SMALL, learning_rate=1e-9, weight_decay=0.0, steps=150, patience=3)
    _, finished = run(make_corpus(LIST), tmp_path / "mine", settings)
    assert finished.reason == "early"
    assert finished.steps < 150
    assert not (tmp_path / "mine" / RESUME).exists()


def test_minutes_bound_a_run(make_corpus: Make, tmp_path: Path) -> None:
    events, finished = run(make_corpus(LIST), tmp_path / "mine", replace(SMALL, steps=None, minutes=0.003))
    assert finished.reason == "done"
    progress = [event.progress for event in events if isinstance(event, Progress)]
    assert progress == sorted(progress)
    assert progress[-1] == 1


def test_existing_checkpoint_is_left_alone_unless_asked(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(LIST)
    settings = replace(SMALL, steps=5)
    run(corpus, tmp_path / "mine", settings)
    before = weights(tmp_path / "mine")
    with pytest.raises(CheckpointError, match="add --force"):
        run(corpus, tmp_path / "mine", replace(settings, seed=1))
    assert weights(tmp_path / "mine") == before
    run(corpus, tmp_path / "mine", replace(settings, seed=1), overwrite=True)
    assert weights(tmp_path / "mine") != before


def test_what_cannot_be_resumed_is_told(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(LIST)
    folder = tmp_path / "mine"
    with pytest.raises(CheckpointError, match="no interrupted training here"):
        run(corpus, folder, resume=True)
    interrupted(corpus, folder, 3)
    whole = (folder / RESUME).read_bytes()
    with pytest.raises(CheckpointError, match="began on another corpus"):
        run(make_corpus("other\nwords\n"), folder, resume=True)
    for damaged in [b"", b"garbage", whole[: len(whole) // 2], whole.replace(b'"settings', b'"sittings')]:
        (folder / RESUME).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"damaged") as raised:
            run(corpus, folder, resume=True)
        assert len(str(raised.value).splitlines()) == 1
    (folder / RESUME).write_bytes(whole)
    assert run(corpus, folder, resume=True)[1].reason == "done"


def test_place_that_cannot_be_written_is_told_before_training(make_corpus: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CheckpointError, match="cannot be written"):
        next(train(TrainingInputs(make_corpus(LIST), tmp_path / "file" / "mine", SMALL)))


def test_norm_of_a_gradient_is_that_before_it_is_clipped() -> None:
    torch.manual_seed(0)
    model = CharRNN(SMALL.configuration(9))
    loss = 100 * model(torch.tensor([[0, 2, 3]])).square().mean()
    gradients = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    norm = training_step(model, new_optimizer(model, 0.0), loss, rate=0.01, clip=1.0)
    assert float(norm) == pytest.approx(math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients)))
    assert float(norm) > 1
    clipped = math.sqrt(sum(float(each.grad.square().sum()) for each in model.parameters() if each.grad is not None))
    assert clipped == pytest.approx(1, rel=1e-4)


def test_loss_that_is_no_number_is_told(make_corpus: Make, tmp_path: Path) -> None:
    settings = replace(
        SMALL, learning_rate=10, weight_decay=10, warmup=0, steps=150
    )  # each step makes weights 99 times larger
    with pytest.raises(SettingsError, match=r"the loss became .* lower --learning-rate than 10$") as raised:
        run(make_corpus(LIST), tmp_path / "mine", settings)
    assert len(str(raised.value).splitlines()) == 1
    assert read_checkpoint(tmp_path / "mine").figures["steps"] < 150


def test_validation_that_is_no_number_is_told_and_the_run_before_it_kept(make_corpus: Make, tmp_path: Path) -> None:
    settings = replace(
        SMALL, cell="rnn", learning_rate=10, weight_decay=10, warmup=0, steps=50
    )  # each step is validated
    with pytest.raises(SettingsError, match=r"validation at step .* nan .* the best so far is in .*/mine") as raised:
        run(make_corpus(LIST), tmp_path / "mine", settings)
    assert len(str(raised.value).splitlines()) == 1
    for path in (tmp_path / "mine").glob("*.safetensors"):
        assert not any(np.isnan(tensor).any() for tensor in load_file(path).values())


def test_loss_that_climbs_above_the_start_ends_the_run_and_the_best_is_kept(make_corpus: Make, tmp_path: Path) -> None:
    events = []
    with pytest.raises(
        SettingsError, match=r"the loss climbed from 4.0 to .* lower --learning-rate than 10$"
    ) as raised:
        for event in train(
            TrainingInputs(
                make_corpus(LIST), tmp_path / "mine", replace(SMALL, learning_rate=10, cell="rnn", steps=200)
            )
        ):
            events.append(event)  # noqa: PERF402  # those before the error, too
    assert len(str(raised.value).splitlines()) == 1
    steps = [event for event in events if isinstance(event, Progress)]
    assert all(event.bits_per_character > steps[0].bits_per_character + 1 for event in steps[-49:])
    best = [event.step for event in events if isinstance(event, Validated) and event.best]
    assert read_checkpoint(tmp_path / "mine").figures["steps"] == best[-1] < len(steps)
    assert (tmp_path / "mine" / RESUME).exists()


@needs_bf16
def test_precision_is_to_be_tried_where_it_is_not_the_highest(make_corpus: Make, tmp_path: Path) -> None:
    settings = replace(SMALL, precision="bf16", learning_rate=10, weight_decay=10, warmup=0, steps=150)
    with pytest.raises(SettingsError, match="--learning-rate than 10 or --precision fp32"):
        run(make_corpus(LIST), tmp_path / "mine", settings)


def test_frequent_half_of_a_corpus_is_always_learned() -> None:
    counts = np.array([1.0, 60.0, 1.0, 1.0, 30.0, 1.0, 1.0, 1.0, 1.0, 3.0])
    for seed in range(20):
        seen, held_out = hold_out(counts, 0.5, np.random.default_rng(seed))
        assert 1 in seen
        assert len(held_out) == 4
        assert sorted([*seen, *held_out]) == list(range(10))
        assert seen.tolist() == sorted(seen)
        assert held_out.tolist() == sorted(held_out)


@pytest.mark.parametrize("counts", [[5.0], [1.0, 1.0]])
def test_list_too_short_to_spare_a_word_is_measured_on_its_own(counts: list[float]) -> None:
    seen, held_out = hold_out(np.array(counts), 0.05, np.random.default_rng(0))
    assert seen.tolist() == held_out.tolist() == list(range(len(counts)))


def test_prior_is_the_one_under_which_the_words_are_most_probable() -> None:
    generator = np.random.default_rng(0)
    network = np.log(generator.dirichlet(np.ones(30)) * 0.5)
    lexicon = np.where(np.arange(30) < 20, np.log(1 / 20), -np.inf)
    typed = generator.random(30)
    prior = tune_prior(network, lexicon, typed)
    grid = np.linspace(0.001, 0.999, 999)[:, None]
    likelihoods = np.logaddexp(np.log(grid) + network, np.log1p(-grid) + lexicon) @ typed
    assert prior == pytest.approx(float(grid[likelihoods.argmax(), 0]), abs=0.002)


def test_share_of_words_seen_once_is_that_of_words_to_come() -> None:
    assert unseen_rate(np.array([1.0, 1.0, 8.0])) == pytest.approx(0.2)
    assert unseen_rate(np.ones(5)) == 1
    assert unseen_rate(np.array([2.0, 8.0])) == 0


def test_measure_is_the_same_in_any_number_of_parts(make_corpus: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(LIST)
    vocabulary = Vocabulary.from_words(corpus.words)
    words = Words(corpus.words, vocabulary)
    torch.manual_seed(0)
    model = CharRNN(SMALL.configuration(len(vocabulary)))
    whole = measure(model, words, np.arange(len(words)))
    monkeypatch.setattr("autocomplete.training.measure._WORDS_AT_ONCE", 3)
    parts = measure(model, words, np.arange(len(words)))
    for name in ("log_probabilities", "characters", "top_1", "top_3"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5)
    assert whole.characters.tolist() == [len(corpus.words[i]) + 1 for i in words.order]
    assert model.training


def test_rate_rises_then_falls() -> None:
    settings = TrainingSettings(learning_rate=0.01, warmup=10, steps=100)
    rates = [settings.rate(0.5, step, settings.progress(step, 0.0)) for step in range(101)]
    assert rates[0] == pytest.approx(0.01 / 11)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.01 * 0.02)
    assert max(rates) <= 0.01


@pytest.mark.parametrize(
    "wrong",
    [
        {"cell": "gpt"},
        {"layers": 0},
        {"hidden": -1},
        {"embedding": 0},
        {"dropout": 1.0},
        {"alpha": -0.1},
        {"draws": 0},
        {"steps": 0},
        {"minutes": 0.0},
        {"minutes": math.nan},
        {"minutes": math.inf},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"held_out": 0.9},
        {"patience": 0},
        {"seed": -1},
        {"precision": "fp8"},
    ],
    ids=str,
)
def test_setting_out_of_its_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as raised:
        TrainingSettings(**wrong)  # type: ignore[arg-type]
    assert len(str(raised.value).splitlines()) == 1
