"""Real trainings on running text, of a second or so each; one with a network of words in its process."""

from __future__ import annotations

import json
import math
import multiprocessing
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from command_line import autocomplete, interrupted_training
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles import word_log_probabilities
from safetensors.numpy import load_file

from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.corpus.running_text import RunningText
from autocomplete.errors import CheckpointError, SettingsError
from autocomplete.inference.predictor import Predictor
from autocomplete.models.word_ngrams import NGrams
from autocomplete.storage.byte_matrix import ByteMatrix, dequantize, unpacked
from autocomplete.storage.checkpoint import (
    CONTEXT,
    LEXICON,
    MODEL,
    RESUME,
    read_checkpoint,
    read_context,
    read_lexicon,
    write_context,
)
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.tensor_files import named
from autocomplete.text.normalization import without_marks
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.events import Event, Finished, Progress, Started, Validated
from autocomplete.training.measure import tune_weights
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train
from autocomplete.training.words.word_network import WordNetworkTraining

SMALL = TrainingSettings(
    hidden=32, embedding=12, batch=8, bptt=16, steps=90, warmup=5, precision="fp32", patience=99, learning_rate=0.02
)
SUBJECTS = ["the cat", "a dog", "my friend", "Anna", "the old man", "I"]
VERBS = ["saw", "likes", "doesn't like", "wants"]
OBJECTS = ["the red house", "a green apple", "my iPhone", "the river"]
ENDS = ["on Monday", "today", "in the garden", "again"]
WORDS = "the\t500\nzebra\t40\nhouseboat\t30\nMarch\t20\ndon't\t10\niPhone\t5\n"
PAIRS = "my zebra\t300\nmy houseboat\t100\nthe zebra\t200\ngreen apple\t50\nno such\t9\n"


def sentences(count: int, seed: int) -> str:
    """Return lines of a grammar small enough to be learned in a second: a sentence or two each."""
    choose = np.random.default_rng(seed).choice
    lines = []
    for number in range(count):
        parts = [choose(part) for part in (SUBJECTS, VERBS, OBJECTS, ENDS)]
        sentence = " ".join(parts)
        more = " It rains." if number % 5 == 0 else ""
        lines.append(f"{sentence[0].upper()}{sentence[1:]}.{more}")
    return "\n".join(lines) + "\n"


pytestmark = pytest.mark.usefixtures("one_thread")


def corpus_of(folder: Path, **files: str) -> Corpus:
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content, encoding="utf-8")
    return read_corpus([folder / f"{name}.txt" for name in files])


def text_of(path: Path, lines: tuple[str, ...]) -> RunningText | None:
    """Return lines as a text to train beside, in a file; nothing for none."""
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_corpus([path]).text if lines else None


def run(corpus: Corpus, folder: Path, settings: TrainingSettings = SMALL, **options) -> tuple[list[Event], Finished]:
    for name in {"validation", "background"} & options.keys():
        options[name] = text_of(folder.with_name(f"{folder.name}-{name}.txt"), options[name])
    events = list(train(TrainingInputs(corpus, folder, settings, **options)))
    finished = events[-1]
    assert isinstance(finished, Finished)
    return events, finished


def words(predictor: Predictor, text: str, count: int = 5) -> list[str]:
    return [suggestion.word for suggestion in predictor.suggest(text, count)]


VALIDATION = tuple(sentences(40, seed=2).splitlines())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Corpus, list[Event], Finished]:
    """A text alone, the end of it held out."""
    folder = tmp_path_factory.mktemp("text")
    torch.set_num_threads(1)
    corpus = corpus_of(folder, text=sentences(300, seed=1))
    events, finished = run(corpus, folder / "mine")
    return folder / "mine", corpus, events, finished


@pytest.fixture(scope="module")
def predictor(trained) -> Predictor:
    return Predictor.load(str(trained[0]))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Corpus, list[Event], Finished]:
    """Text, list and pairs, with lines to validate on and a network of words, trained in a process of its own."""
    folder = tmp_path_factory.mktemp("together")
    torch.set_num_threads(1)
    corpus = corpus_of(folder, text=sentences(300, seed=1), words=WORDS, pairs=PAIRS)
    settings = replace(SMALL, word_hidden=12, word_embedding=8, word_vocabulary=100, word_dropout=0.0)
    events, finished = run(corpus, folder / "mine", settings, validation=VALIDATION)
    return folder / "mine", corpus, events, finished


# A text alone.


def test_events_of_a_text_are_those_of_any_run(trained) -> None:
    _, corpus, events, finished = trained
    assert isinstance(events[0], Started)
    assert events[0].held_out == 15  # lines: a twentieth
    steps = [event for event in events if isinstance(event, Progress)]
    assert [event.step for event in steps] == list(range(1, 91))
    assert steps[-1].bits_per_character < 0.6 * steps[0].bits_per_character
    validated = [event for event in events if isinstance(event, Validated)]
    assert validated[0].best
    assert validated[-1].step == 90
    assert validated[-1].held_out_bits < validated[0].held_out_bits
    assert len(finished.curve) == len(validated)
    assert (finished.reason, finished.steps) == ("done", 90)
    assert corpus.kinds == ("running text",)


def test_figures_of_a_text_hold_together(trained) -> None:
    folder, _, _, finished = trained
    figures = finished.figures
    for part in ("training", "held_out"):
        assert 0 < figures[part]["bits_per_character"] < 3
        assert 0.4 < figures[part]["accuracy_top_1"] < figures[part]["accuracy_top_3"] < 1
    assert figures["held_out_lines"] == 15
    assert figures["held_out"]["bits_per_character"] == pytest.approx(min(b for *_, b in figures["curve"]), rel=0.01)
    mixture = figures["mixture"]
    assert set(mixture["bits_per_word"]) == {"network", "ngrams", "mixture"}
    assert mixture["bits_per_word"]["mixture"] <= min(mixture["bits_per_word"].values()) + 0.1
    assert mixture["bits_per_word"]["mixture"] < 4
    assert mixture["unknown_words"] == 0
    assert np.array(mixture["weights"]).shape == (3, 2)
    assert np.sum(mixture["weights"], axis=1) == pytest.approx(np.ones(3))
    assert read_checkpoint(folder).figures == json.loads(json.dumps(figures))


def test_files_of_a_text_are_readable_and_fit_together(trained) -> None:
    folder, corpus, _, _ = trained
    assert {path.name for path in folder.iterdir()} == {MODEL, LEXICON, CONTEXT}
    checkpoint, lexicon, context = read_checkpoint(folder), read_lexicon(folder), read_context(folder)
    assert checkpoint.unit == "text"
    assert {"T", "\n"}.isdisjoint(checkpoint.vocabulary.characters)
    assert {" ", ".", "'", "t"} <= set(checkpoint.vocabulary.characters)
    assert set(lexicon) == {corpus.surface(word) for word in corpus.words}
    assert list(lexicon) == sorted(lexicon, key=checkpoint.alphabet.key)
    assert context is not None
    tensors, metadata = context
    assert metadata == {}
    assert len(tensors["ngrams.unigrams"]) == len(lexicon)
    assert tensors["weights"].shape == (3, 2)
    np.testing.assert_array_equal(load_file(folder / CONTEXT)["weights"], tensors["weights"])
    assert Predictor.load(str(folder)).members == ("mixture", "network", "lexicon", "ngrams")


def test_bits_per_word_are_what_the_predictor_needs_for_the_held_out_text(trained) -> None:
    """Word by word through the whole of inference, given that a word begins."""
    folder, corpus, _, finished = trained
    predictor = Predictor.load(str(folder))
    predictor.floor = 0.0
    bits = []
    assert corpus.text is not None
    for line in corpus.text.lines(start=285):
        typed = without_marks(line).split(" ")
        for number, word in enumerate(typed):
            before = " ".join([*typed[:number], ""])
            model = predictor.model(before)
            ends = math.exp(model.log_probabilities(model.start())[0, BOUNDARY])
            found = {s.word.lower(): s.probability for s in predictor.suggest(before, count=30)}
            bits.append(-math.log2(found[word] / (1 - ends)))
    assert np.mean(bits) == pytest.approx(finished.figures["mixture"]["bits_per_word"]["mixture"], rel=0.01)


def test_words_are_foreseen_from_those_before_them(predictor: Predictor) -> None:
    assert words(predictor, "The cat doesn't ")[0] == "like"
    assert words(predictor, "the cat saw my ")[0] == "iPhone"
    assert set(words(predictor, "the cat likes a ", 1)) <= {"green"}
    assert words(predictor, "Anna saw the red h")[0] == "house"
    assert words(predictor, "Anna saw the green a")[0] == "apple"
    assert predictor.suggest("It ")[0].word == "rains"
    assert predictor.predict("the old ").exact


def test_sentence_begins_afresh_after_a_full_stop(predictor: Predictor) -> None:
    begun, after = (set(words(predictor, text, 8)) for text in ("", "I saw the river again. "))
    assert len(begun & after & {"the", "a", "my", "Anna", "I", "it"}) >= 4


def test_case_is_that_of_the_text_where_it_agrees(trained, predictor: Predictor) -> None:
    lexicon = read_lexicon(trained[0])
    assert {"Monday", "iPhone"} <= set(lexicon)
    assert {"the", "a", "my", "today", "like"} <= set(lexicon)
    assert {"monday", "iphone", "The", "My"}.isdisjoint(lexicon)
    assert words(predictor, "I saw the river on mo")[0] == "monday"  # the typist's own letters stay
    assert words(predictor, "I saw the river on ")[0] == "Monday"
    assert words(predictor, "I saw the river on Mo")[0] == "Monday"
    assert words(predictor, "T")[0] == "The"
    assert words(predictor, "My friend likes my ")[0] == "iPhone"


def test_word_within_sentences_is_evidence_of_its_case(tmp_path: Path) -> None:
    """In the grammar above, `I` and `Anna` begin sentences only, and nothing tells how they are written."""
    text = sentences(60, seed=1) + "The cat and I saw Anna. My dog and I like Anna too.\n" * 5
    corpus = corpus_of(tmp_path, text=text)
    run(corpus, tmp_path / "mine", replace(SMALL, steps=2))
    assert {"I", "Anna", "Monday", "iPhone", "the", "my"} <= set(read_lexicon(tmp_path / "mine"))


# With a list, pairs, and a network of words.


def test_network_of_words_is_trained_beside_the_first(together) -> None:
    folder, _, events, finished = together
    assert isinstance(events[0], Started)
    assert events[0].held_out == 40
    assert finished.figures["held_out_lines"] == 40
    mixture = finished.figures["mixture"]
    assert set(mixture["bits_per_word"]) == {"network", "ngrams", "words", "mixture"}
    assert all(0 < bits < 12 for bits in mixture["bits_per_word"].values())
    assert mixture["bits_per_word"]["mixture"] <= min(mixture["bits_per_word"].values()) + 0.1
    assert np.array(mixture["weights"]).shape == (3, 3)
    context = read_context(folder)
    assert context is not None
    tensors, metadata = context
    assert metadata["configuration"]["tied"] is True
    assert metadata["configuration"]["hidden"] == 12
    assert tensors["network.embedding.weight"].dtype == np.int8
    assert tensors["network.decoder.bias"].dtype == np.float16
    assert tensors["network.embedding.weight"].shape == (len(tensors["network.rows"]) + 2, 8)
    assert Predictor.load(str(folder)).members == ("mixture", "network", "lexicon", "ngrams", "words")


def test_network_of_words_in_the_checkpoint_has_learned(together) -> None:
    """It finds a true sentence more probable than its words in disorder."""
    context = read_context(together[0])
    assert context is not None
    tensors, metadata = context
    ngrams = NGrams.from_tensors({k.removeprefix("ngrams."): v for k, v in tensors.items() if k.startswith("ngrams.")})
    network = dequantize(unpacked(named(tensors, "network.")))
    keys = sorted(map(str.lower, read_lexicon(together[0])))
    lines = [
        [ngrams.start, *map(keys.index, line.split())]
        for line in ("the cat saw the red house", "house red the saw cat the")
    ]
    true, turned = (
        word_log_probabilities(Configuration(**metadata["configuration"]), network, [line], ngrams).sum()
        for line in lines
    )
    assert true > turned + 2


def test_words_of_a_list_are_offered_beside_those_of_a_text(together) -> None:
    folder, corpus, _, _ = together
    assert corpus.kinds == ("running text", "word counts", "pair counts")
    lexicon = read_lexicon(folder)
    assert {"zebra", "houseboat", "March", "Monday", "iPhone"} <= set(lexicon)
    predictor = Predictor.load(str(folder))
    assert words(predictor, "I saw the z")[0] == "zebra"
    assert words(predictor, "my houseb")[0] == "houseboat"
    assert words(predictor, "the cat saw my ")[0] == "iPhone"


def test_pairs_from_elsewhere_are_known_after_their_first_word(together) -> None:
    for members in ("mixture", "ngrams"):
        predictor = Predictor.load(str(together[0]), members=members)
        after_my, after_a = (
            {s.word: s.probability for s in predictor.suggest(text, 50)}["zebra"] for text in ("see my ", "see a ")
        )
        assert after_my > 2 * after_a


def test_every_word_of_the_list_has_room_in_a_text_without_it(tmp_path: Path) -> None:
    """Words of a list may stand in none of the lines: digits, rare letters and all."""
    corpus = corpus_of(tmp_path, text=sentences(60, seed=1), words="naïve\t5\nx-ray\t3\nB2B\t9\nœuvre\t1\n")
    run(corpus, tmp_path / "mine", replace(SMALL, steps=2))
    lexicon = read_lexicon(tmp_path / "mine")
    assert {"naïve", "x-ray", "œuvre"} <= set(lexicon)
    assert "B2B" not in lexicon
    assert words(Predictor.load(str(tmp_path / "mine")), "na")[0] == "naïve"


# A background.

BACKGROUND = tuple(f"no zebra ever {verb} the houseboat" for verb in ("paints", "sells", "sinks")) * 30


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """The run of `trained`, with a background."""
    folder = tmp_path_factory.mktemp("beside")
    torch.set_num_threads(1)
    corpus = corpus_of(folder, text=sentences(300, seed=1))
    return folder / "mine", run(corpus, folder / "mine", background=BACKGROUND)[1]


def test_background_is_learned(trained, beside: tuple[Path, Finished]) -> None:
    """The network of characters knows what stands in the background only, and still what is in the corpus."""
    without, with_it = (Predictor.load(str(folder), members="network") for folder in (trained[0], beside[0]))
    line = without_marks(BACKGROUND[0])
    assert with_it.score(line)[0].sum() > without.score(line)[0].sum() + 20
    assert beside[1].figures["held_out"]["accuracy_top_1"] > 0.4


def test_background_adds_no_words_or_characters(trained, beside: tuple[Path, Finished]) -> None:
    one, other = read_checkpoint(trained[0]), read_checkpoint(beside[0])
    assert one.vocabulary == other.vocabulary  # without the z of zebra
    assert one.corpus == other.corpus
    assert one.figures["held_out_lines"] == other.figures["held_out_lines"]
    assert read_lexicon(trained[0]) == read_lexicon(beside[0])


def test_background_counts_in_the_ngrams(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, text="the cat sat\n" * 60)
    probabilities = []
    for name, background in (("without", ()), ("with", ("cat the cat the",) * 30)):
        run(corpus, tmp_path / name, replace(SMALL, steps=2), background=background)
        words = Predictor.load(str(tmp_path / name), members="ngrams").suggest("cat ", 5)
        probabilities.append({word.word: word.probability for word in words}.get("the", 0.0))
    assert probabilities[1] > 1.3 * probabilities[0]


def test_network_of_words_learns_from_the_background_too() -> None:
    """Of ten words, 5 to 8 stand in the background only, a hundred times or two, and 9 thirty times in the corpus."""
    settings = replace(SMALL, word_hidden=12, word_embedding=8, word_dropout=0.0, steps=400)
    corpus, background = [[10, 0, 1], [10, 2, 3], [10, 4, 0]], [[10, 5, 6], [10, 7, 8], [10, 6, 0]]
    shuffled = np.random.default_rng(0).permutation
    tokens, more, held_out = (
        shuffled(np.array(lines * 100, dtype=np.int32)).ravel() for lines in (corpus, background, corpus + background)
    )
    tokens = np.append(tokens, np.array([10, 9] * 30, dtype=np.int32))
    training = WordNetworkTraining(tokens, more, held_out[:300], 10, settings, "fp32")
    while not training.over:
        training.step()
    configuration, tensors = training.network()
    assert tensors["rows"].tolist() == [0, 1, 2, 3, 4, 9, 6, 5, 7, 8]  # by count, of which the background's is a tenth
    assert all((ByteMatrix.of(each).numbers % 4 == 0).all() for each in tensors.values() if each.ndim == 2)
    ngrams = NGrams(np.full(10, 0.1, dtype=np.float32), [])
    for line in corpus + background:
        assert word_log_probabilities(configuration, tensors, [line], ngrams)[1] > math.log(0.3)


# The process that trains it.

WORDS_TOO = replace(SMALL, word_hidden=8, word_embedding=8)


def begun(tmp_path: Path, steps: int = 10) -> Iterator[Event]:
    """Return a run whose second process has just been started."""
    events = train(
        TrainingInputs(
            corpus_of(tmp_path, text=sentences(40, seed=1)), tmp_path / "mine", replace(WORDS_TOO, steps=steps)
        )
    )
    assert isinstance(next(events), Started)
    assert isinstance(next(events), Progress)
    return events


@pytest.fixture
def no_children() -> Iterator[None]:
    """Leave none running, whatever a test has found."""
    yield
    for process in multiprocessing.active_children():
        process.kill()
        process.join()


@pytest.mark.usefixtures("no_children")
def test_death_of_the_process_is_told(tmp_path: Path) -> None:
    events = begun(tmp_path)
    [process] = multiprocessing.active_children()
    process.kill()
    with pytest.raises(SettingsError, match="ended early; try a lower --word-hidden"):
        list(events)
    assert read_checkpoint(tmp_path / "mine").unit == "text"  # what was saved can be used


@pytest.mark.usefixtures("no_children")
def test_interruption_ends_the_network_of_words_too(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, text=sentences(40, seed=1))
    asked = iter(range(1, 1000))
    settings = replace(WORDS_TOO, steps=10_000_000)
    _, finished = run(corpus, tmp_path / "mine", settings, should_stop=lambda: next(asked) == 3)
    assert (finished.reason, finished.steps) == ("interrupted", 3)
    assert multiprocessing.active_children() == []
    assert "words" in finished.figures["mixture"]["bits_per_word"]
    assert Predictor.load(str(tmp_path / "mine")).members[-1] == "words"


@pytest.mark.usefixtures("no_children")
def test_run_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    begun(tmp_path).close()  # type: ignore[attr-defined]
    for process in multiprocessing.active_children():
        process.join(timeout=0.2)
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("no_children")
def test_threads_of_torch_are_as_before_a_run(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    begun(tmp_path).close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == 2


# Edges.


def test_text_with_words_that_are_not_offered_is_learned(tmp_path: Path) -> None:
    text = sentences(60, seed=1).replace("the river", "the 1st river")
    _, finished = run(corpus_of(tmp_path, text=text), tmp_path / "mine", replace(SMALL, steps=4))
    assert 0 <= finished.figures["mixture"]["unknown_words"] < 0.2


def test_validation_without_a_known_word_gives_figures(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, text=sentences(60, seed=1))
    _, finished = run(corpus, tmp_path / "mine", replace(SMALL, steps=2), validation=("zyx wvu", "tsr"))
    assert finished.figures["mixture"]["unknown_words"] == 1


@pytest.mark.parametrize("held_out", [0.0, 0.3])
def test_text_of_one_line_is_enough(tmp_path: Path, held_out: float) -> None:
    settings = replace(SMALL, steps=3, held_out=held_out)
    _, finished = run(corpus_of(tmp_path, text="To be or not to be.\n"), tmp_path / "mine", settings)
    assert finished.figures["held_out_lines"] == 0
    assert "be" in words(Predictor.load(str(tmp_path / "mine")), "to b")


def test_without_haste_and_with_haste_alone(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, text=sentences(60, seed=1))
    vocabularies = []
    for hurried in (0.0, 1.0):
        folder = tmp_path / str(hurried)
        run(corpus, folder, replace(SMALL, steps=2, hurried=hurried))
        vocabularies.append(set(read_checkpoint(folder).vocabulary.characters))
    assert vocabularies[0] - vocabularies[1] == {"."}


# Going on.


@pytest.mark.parametrize("background", [(), BACKGROUND], ids=["alone", "beside a background"])
@pytest.mark.parametrize("step", [1, 31])
def test_resumed_text_ends_with_the_weights_of_one_never_interrupted(
    tmp_path: Path, step: int, background: tuple[str, ...]
) -> None:
    corpus = corpus_of(tmp_path, text=sentences(80, seed=1), pairs=PAIRS)
    settings = replace(SMALL, steps=50, dropout=0.1, hidden=16, unknown=0.01)
    texts = {"validation": VALIDATION, "background": background}
    whole = run(corpus, tmp_path / "whole", settings, **texts)[1]
    parts = tmp_path / "parts"
    asked = iter(range(1, 1000))
    _, stopped = run(corpus, parts, settings, **texts, should_stop=lambda: next(asked) == step)
    assert (stopped.reason, stopped.steps) == ("interrupted", step)
    assert (parts / RESUME).exists()
    assert Predictor.load(str(parts)).suggest("the ")  # what there is so far can be used
    finished = run(corpus, parts, TrainingSettings(), resume=True, **texts)[1]
    assert (finished.reason, finished.steps) == ("done", 50)
    assert not (parts / RESUME).exists()
    one, other = (read_checkpoint(folder).tensors for folder in (tmp_path / "whole", parts))
    assert {name: tensor.tobytes() for name, tensor in one.items()} == {k: v.tobytes() for k, v in other.items()}
    for name in (LEXICON, CONTEXT):
        assert (tmp_path / "whole" / name).read_bytes() == (parts / name).read_bytes()
    one_figures, other_figures = (json.loads(json.dumps(each.figures)) | {"seconds": 0} for each in (whole, finished))
    assert one_figures == other_figures


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({"validation": VALIDATION}, "another background; give the same --background, or none"),
        ({"validation": VALIDATION, "background": BACKGROUND[1:]}, "another background"),
        ({"background": BACKGROUND}, "measured on another text"),
    ],
    ids=["no background", "another background", "no validation"],
)
def test_resumed_run_must_be_given_the_same_texts(
    tmp_path: Path, other: dict[str, tuple[str, ...]], problem: str
) -> None:
    corpus, folder = corpus_of(tmp_path, text=sentences(40, seed=1)), tmp_path / "mine"
    run(corpus, folder, SMALL, validation=VALIDATION, background=BACKGROUND, should_stop=lambda: True)
    with pytest.raises(CheckpointError, match=problem):
        run(corpus, folder, SMALL, resume=True, **other)


def test_same_seed_gives_the_same_text_network_and_another_another(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, text=sentences(40, seed=1))
    found = []
    for name, seed in [("one", 0), ("two", 0), ("three", 1)]:
        run(corpus, tmp_path / name, replace(SMALL, steps=5, seed=seed))
        found.append({k: v.tobytes() for k, v in read_checkpoint(tmp_path / name).tensors.items()})
    assert found[0] == found[1] != found[2]


# The weights of the mixture.


def test_weights_are_those_under_which_the_words_are_the_most_probable() -> None:
    """Against a grid of all weights: enough words that the pull towards those of all of them is nothing."""
    generator = np.random.default_rng(0)
    logs = np.log(generator.dirichlet([0.5, 1.0], 20_000))
    buckets = generator.integers(0, 2, 20_000)
    logs[buckets == 1] = logs[buckets == 1][:, ::-1]
    weights = tune_weights(logs, buckets, 3)
    assert weights.sum(axis=1) == pytest.approx(np.ones(3))
    grid = np.linspace(0.001, 0.999, 999)
    for bucket in (0, 1):
        likelihoods = np.exp(logs[buckets == bucket])
        best = grid[np.argmax([np.log(likelihoods @ [w, 1 - w]).mean() for w in grid])]
        assert weights[bucket, 0] == pytest.approx(best, abs=0.01)
    assert weights[2] == pytest.approx([0.5, 0.5], abs=0.02)  # no word tells: as for all


def test_model_that_rules_words_out_keeps_a_little_weight() -> None:
    logs = np.array([[-1.0, -math.inf], [-2.0, -math.inf]] * 50)
    weights = tune_weights(logs, np.zeros(100, dtype=np.int64), 2)
    assert (weights[:, 1] > 0).all()
    assert (weights[:, 1] < 0.01).all()


# What is on disk.


def test_damaged_context_is_told_in_one_line(trained, tmp_path: Path) -> None:
    whole = (trained[0] / CONTEXT).read_bytes()
    for damaged in (b"", b"garbage", whole[:100], whole[: len(whole) // 2], b"\xff" * 50):
        (tmp_path / CONTEXT).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"context.safetensors: damaged .*train it again") as raised:
            read_context(tmp_path)
        assert len(str(raised.value).splitlines()) == 1
    (tmp_path / CONTEXT).unlink()
    assert read_context(tmp_path) is None


def test_context_that_is_gone_is_told(trained, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained[0], tmp_path / "mine"))
    Predictor.load(str(copy))
    (copy / CONTEXT).unlink()
    with pytest.raises(CheckpointError, match=r"mine/context.safetensors: missing; copy the checkpoint again"):
        Predictor.load(str(copy))


def test_context_is_replaced_in_one_step(tmp_path: Path) -> None:
    write_context(tmp_path, {"weights": np.ones(2, dtype=np.float32)}, {"one": 1})
    write_context(tmp_path, {"weights": np.zeros(3, dtype=np.float32)}, {"two": 2})
    found = read_context(tmp_path)
    assert found is not None
    assert found[0]["weights"].tolist() == [0, 0, 0]
    assert found[1] == {"two": 2}
    assert [path.name for path in tmp_path.iterdir()] == [CONTEXT]
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_context(tmp_path / "nowhere", {}, {})


@given(arrays(st.sampled_from(["<u1", "<u2", "<i4", "<i8"]), st.integers(0, 300)))
def test_numbers_of_a_context_are_read_as_they_were_written(numbers: np.ndarray) -> None:
    with TemporaryDirectory() as folder:
        half = np.ones((2, 3), dtype=np.float16)
        write_context(Path(folder), {"numbers": numbers, "weights": half}, {"one": 1})
        found = read_context(Path(folder))
    assert found is not None
    assert found[0]["numbers"].dtype == numbers.dtype
    np.testing.assert_array_equal(found[0]["numbers"], numbers)
    np.testing.assert_array_equal(found[0]["weights"], half)
    assert found[1] == {"one": 1}


def test_small_numbers_of_a_context_take_little_room(tmp_path: Path) -> None:
    write_context(tmp_path, {"numbers": np.arange(40_000, dtype=np.int32) % 7}, {})
    assert (tmp_path / CONTEXT).stat().st_size < 4_000


# The commands.


def test_text_is_trained_on_and_asked_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(sentences(150, seed=1))
    (tmp_path / "words.txt").write_text(WORDS)
    (tmp_path / "v.txt").write_text(sentences(20, seed=2))
    small = ["--hidden", "16", "--embedding", "8", "--steps", "30", "--batch", "8", "--bptt", "16"]
    completed = autocomplete("train", "text.txt", "words.txt", "--validation", "v.txt", *small, folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    assert "running text and word counts" in completed.stderr.replace("\n", " ")
    for part in ("bits per character", "word n-grams", "all together", "words not in the lexicon"):
        assert part in completed.stdout
    assert {path.name for path in (tmp_path / "checkpoints" / "text").iterdir()} == {MODEL, LEXICON, CONTEXT}

    completed = autocomplete("suggest", "--json", "--checkpoint", "text", "the cat doesn't ", folder=tmp_path)
    assert (completed.returncode, completed.stderr) == (0, "")
    answer = json.loads(completed.stdout)
    assert answer["text"] == "the cat doesn't "
    assert answer["exact"] is True
    assert answer["words"][0]["word"] == answer["words"][0]["insert"] == "like"
    assert len(answer["next"]) == 5
    assert [each["probability"] for each in answer["next"]] == sorted(
        (each["probability"] for each in answer["next"]), reverse=True
    )

    path = tmp_path / "checkpoints" / "text" / CONTEXT
    path.write_bytes(path.read_bytes()[:-10])
    completed = autocomplete("suggest", "--checkpoint", "text", "the cat ", folder=tmp_path)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert len(completed.stderr.splitlines()) == 1, completed.stderr
    for part in ("context.safetensors", "damaged", "train it again"):
        assert part in completed.stderr


@pytest.mark.parametrize("option", ["--validation", "--background"])
def test_text_beside_a_corpus_is_refused_where_it_is_of_no_use(tmp_path: Path, option: str) -> None:
    (tmp_path / "text.txt").write_text(sentences(20, seed=1))
    (tmp_path / "words.txt").write_text(WORDS)
    for corpus, text, problem in [
        ("words.txt", "text.txt", f"text.txt: {option} is for running text, and the corpus is a list of words"),
        ("text.txt", "words.txt", f"words.txt: this is a list of words; give {option} running text"),
        ("text.txt", "none.txt", "none.txt: cannot be read"),
    ]:
        completed = autocomplete("train", corpus, option, text, folder=tmp_path)
        assert (completed.returncode, completed.stdout) == (2, "")
        assert len(completed.stderr.splitlines()) == 1, completed.stderr
        assert problem in completed.stderr
    assert not (tmp_path / "checkpoints").exists()


def test_interrupted_run_says_with_which_texts_to_go_on(tmp_path: Path) -> None:
    for name in ("text", "v", "more"):
        (tmp_path / f"{name}.txt").write_text(sentences(40, seed=1))
    texts = ["text.txt", "--validation", "v.txt", "--background", "more.txt"]
    status, errors = interrupted_training(*texts, "--hidden", "16", "--minutes", "10", folder=tmp_path)
    assert status == 130
    assert f"go on with: autocomplete train {' '.join(texts)} --name text --resume" in errors
