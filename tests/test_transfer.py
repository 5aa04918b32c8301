"""Networks that start from another checkpoint: real trainings of a second or less each, one after the other."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_checkpoint
from test_processes import finish, launch
from test_resume import outcome, run, until
from test_text_training import sentences

from autocomplete.cli.main import main
from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.errors import CheckpointError, SettingsError
from autocomplete.inference.predictor import Predictor
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.byte_matrix import dequantize, unpacked
from autocomplete.storage.checkpoint import (
    LEXICON,
    Checkpoint,
    read_checkpoint,
    read_context,
    read_lexicon,
    write_checkpoint,
    write_context,
)
from autocomplete.storage.configuration import Cell
from autocomplete.storage.tensor_files import named
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from autocomplete.training import transfer
from autocomplete.training.batching.streams import choose_source
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train
from autocomplete.training.transfer import draw_text, read_origin
from autocomplete.training.words.context import NumberedWords
from autocomplete.training.words.word_network import WordNetworkTraining

OLD_WORDS = "name\t50\ntriangle\t30\nmy\t20\ntrial\t9\nMonday\t7\ntried\t3\nnames\t2\n"
NEW_WORDS = "müde\t80\nmütze\t40\nstraße\t30\nmonday\t10\nzug\t5\n"
NEW_TEXT = "".join(
    f"{who} {does} {what}.\n" for who in ("Die Katze", "Mein Bruder", "Анна") for does in ("mag", "möchte", "hört")
    for what in ("den Fluss", "einen grünen Apfel", "die süße Straße") for _ in range(3)
)  # fmt: skip
SMALL = TrainingSettings(
    hidden=24, embedding=10, draws=64, batch=8, bptt=16, steps=120, warmup=5, held_out=0.0, precision="fp32", patience=99,
    learning_rate=0.02,
)  # fmt: skip
NEXT = replace(SMALL, steps=60)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def little_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the old network write little, and validate seldom."""
    monkeypatch.setattr(transfer, "_WRITTEN", 100)
    monkeypatch.setattr(TrainingSettings, "validations", 6)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with corpora, and in its checkpoints a network of words, `list`, and one of text, `prose`."""
    folder = tmp_path_factory.mktemp("home")
    files = {"list": OLD_WORDS, "prose": sentences(60, seed=1), "words": NEW_WORDS, "text": NEW_TEXT}
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content, encoding="utf-8")
    torch.set_num_threads(1)
    for name in ("list", "prose"):
        run(corpus(folder, name), folder / "checkpoints" / name, SMALL)
    yield folder


def corpus(home: Path, name: str) -> Corpus:
    return read_corpus([home / f"{name}.txt"])


def source(home: Path, name: str) -> Path:
    return home / "checkpoints" / name


# What is taken over.


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("tied", [False, True])
def test_old_characters_are_foreseen_as_before_and_new_ones_have_rows(
    home: Path, tmp_path: Path, cell: Cell, tied: bool
) -> None:
    old = random_checkpoint(["abzü", "kahn"], cell, layers=2)
    if tied:
        configuration = replace(old.configuration, tied=True)
        drawn = np.random.default_rng(1)
        tensors = {
            name: old.tensors.get(name, drawn.normal(0, 0.3, shape).astype(np.float32))
            for name, shape in configuration.shapes().items()
        }
        old = replace(old, configuration=configuration, tensors=tensors)
    write_checkpoint(tmp_path / "old", old, {"kahn": 2.0, "abzü": 1.0})
    origin = read_origin(tmp_path / "old", corpus(home, "words"), SMALL)
    vocabulary = origin.extend(Vocabulary.from_words(["straße", "kahn"]))
    assert vocabulary.characters == tuple(sorted(set("abzükahnstraße")))
    model = CharRNN(replace(origin.configuration, vocabulary=len(vocabulary)))
    fresh = model.embedding.weight.detach().clone()
    origin.initialize(model, vocabulary)

    theirs = Vocabulary(old.vocabulary.characters)
    places = [BOUNDARY, UNKNOWN, *vocabulary.encode("".join(theirs.characters))]
    logits = model(torch.tensor([[BOUNDARY, *vocabulary.encode("kabahnü")]]))[0].detach()
    expected = CharRNN(old.configuration)
    expected.load_state_dict({name: torch.from_numpy(value) for name, value in old.tensors.items()})
    before = expected(torch.tensor([[BOUNDARY, *theirs.encode("kabahnü")]]))[0].detach()
    ours = logits[:, places].log_softmax(dim=-1)
    torch.testing.assert_close(ours, before.log_softmax(dim=-1), atol=1e-5, rtol=0)

    new = vocabulary.encode("rstß")
    torch.testing.assert_close(model.embedding.weight[new], fresh[new])
    if not tied:
        torch.testing.assert_close(logits[:, new], logits[:, [UNKNOWN]].expand(-1, 4))


def test_text_is_drawn_from_the_probabilities_of_the_network() -> None:
    torch.manual_seed(0)
    old = random_checkpoint(["abcd"], hidden=8)
    model = CharRNN(old.configuration)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in old.tensors.items()})
    text = draw_text(model, 20_000, 2, torch.Generator().manual_seed(3))
    assert text.shape == (20_000, 3)
    assert (text[:, 0] == BOUNDARY).all()
    network = RecurrentNetwork(old.configuration, old.tensors)
    state = network.start()
    for column, rows in ((1, text), (2, text[text[:, 1] == 3])):
        if column == 2:
            state = network.step(state, np.array([3]))
        probabilities = np.exp(network.log_probabilities(state)[0])
        probabilities[UNKNOWN] = 0.0
        shares = np.bincount(rows[:, column], minlength=len(probabilities)) / len(rows)
        np.testing.assert_allclose(shares, probabilities / probabilities.sum(), atol=5 * 0.5 * len(rows) ** -0.5)


def test_old_words_are_merged_with_their_weight(home: Path) -> None:
    new = corpus(home, "words")
    merged = read_origin(source(home, "list"), new, replace(SMALL, from_weight=0.2)).merge(new)
    counts = dict(zip(merged.words, merged.counts.tolist(), strict=True))
    assert sum(counts.values()) == pytest.approx(new.counts.sum() / 0.8)
    assert counts["müde"] == 80
    assert counts["name"] / counts["triangle"] == pytest.approx(50 / 30)
    assert counts["monday"] == pytest.approx(10 + 7 * counts["name"] / 50)
    assert list(merged.counts) == sorted(merged.counts, reverse=True)
    assert merged.surface("monday") == "monday"  # as those who begin anew write it
    capital = replace(new, surfaces={"monday": "MONDAY"})
    assert read_origin(source(home, "list"), capital, SMALL).merge(capital).surface("monday") == "MONDAY"
    old = corpus(home, "list")
    assert read_origin(source(home, "list"), old, SMALL).merge(old).surface("monday") == "Monday"
    assert read_origin(source(home, "list"), new, replace(SMALL, from_weight=0.0)).merge(new) is new


# What is learned, and what is forgotten.


def bits_per_word(checkpoint: Checkpoint, lexicon: dict[str, float]) -> float:
    """Spell each word with the network as the prompt has it."""
    network, total = RecurrentNetwork(checkpoint.configuration, checkpoint.tensors), 0.0
    for surface, count in lexicon.items():
        state = network.start()
        for symbol in [*checkpoint.vocabulary.encode(checkpoint.alphabet.key(surface)), BOUNDARY]:
            total -= count * float(network.log_probabilities(state)[0, symbol])
            state = network.step(state, np.array([symbol]))
    return total / sum(lexicon.values()) / math.log(2)


def test_list_learns_new_words_and_still_knows_the_old(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line, and what it says of what was forgotten is so."""
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        captured = capsys.readouterr()
        assert end.value.code == 0, captured.err
        return captured.out

    options = "--steps", "60", "--precision", "fp32", "--draws", "64", "--held-out", "0", "--learning-rate", "0.02"
    told = command("train", "words.txt", "--from", "list", "--name", "both", *options)
    predictor = Predictor.load("both", members="network")
    assert [suggestion.word for suggestion in predictor.suggest("mü", 2)] == ["müde", "mütze"]
    assert predictor.suggest("tri", 1)[0].word == "triangle"
    old, new = (read_checkpoint(Path("checkpoints") / name) for name in ("list", "both"))
    assert new.configuration == replace(old.configuration, vocabulary=len(new.vocabulary))
    assert new.vocabulary.characters == tuple(sorted({*old.vocabulary.characters, *"müdetzsragonyu"}))
    assert new.corpus["name"] == "words.txt"

    lexicon = read_lexicon(Path("checkpoints") / "list")
    figures = json.loads(command("inspect", "both", "--json"))["figures"]["from"]
    assert (figures["name"], figures["weight"], figures["unit"]) == ("list", 0.5, "word")
    assert figures["before"] == pytest.approx(bits_per_word(old, lexicon), abs=1e-4)
    assert figures["after"] == pytest.approx(bits_per_word(new, lexicon), abs=1e-4)
    line = f"forgotten of list: {figures['after'] - figures['before']:.2f} bits a word"
    if figures["after"] < figures["before"]:
        line = f"nothing forgotten of list: {figures['before']:.2f} bits a word became {figures['after']:.2f}"
    assert line in told
    assert line in command("inspect", "both")


def test_text_learns_new_lines_and_still_knows_the_old(home: Path, tmp_path: Path) -> None:
    new = corpus(home, "text")
    finished = run(new, tmp_path / "both", NEXT, source=source(home, "prose"))
    old, both = read_checkpoint(source(home, "prose")), read_checkpoint(tmp_path / "both")
    figures = finished.figures["from"]
    assert figures == both.figures["from"]
    assert (figures["name"], figures["unit"]) == ("prose", "character")

    # The same by other means: all at once, under both networks, in the characters of each.
    sample = read_origin(source(home, "prose"), new, NEXT).sample
    rows = sample[: len(sample) // 16 * 16].reshape(16, -1)
    for name, checkpoint in (("before", old), ("after", both)):
        model = CharRNN(checkpoint.configuration)
        model.load_state_dict({key: torch.from_numpy(value).float() for key, value in checkpoint.tensors.items()})
        places = np.array([BOUNDARY, UNKNOWN, *checkpoint.vocabulary.encode("".join(old.vocabulary.characters))])
        ids = torch.from_numpy(places[rows]).long()
        with torch.no_grad():
            nats = torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        assert figures[name] == pytest.approx(float(nats) / math.log(2), abs=1e-4)

    mixture = Predictor.load(str(tmp_path / "both"))
    assert mixture.suggest("Die süße Str", 1)[0].word == "Straße"
    assert mixture.suggest("I saw the red ho", 1)[0].word == "house"
    pairs = Predictor.load(str(tmp_path / "both"), members="ngrams")  # none of these words stand in the new text
    assert pairs.suggest("a green ", 1)[0].word == "apple"


def add_network_of_words(folder: Path, corpus: Corpus) -> None:
    """Train one for a checkpoint that has none."""
    lexicon = {surface.casefold(): count for surface, count in read_lexicon(folder).items()}
    words = NumberedWords(tuple(sorted(lexicon)), np.array([lexicon[word] for word in sorted(lexicon)]))
    tokens = words.encode(list(corpus.text.lines(0)), corpus.alphabet)
    settings = replace(SMALL, word_hidden=16, word_embedding=8, word_vocabulary=100)
    training = WordNetworkTraining(tokens, tokens[:0], tokens, len(lexicon), settings, "fp32")
    while not training.over:
        training.step()
    configuration, network = training.network()
    tensors, metadata = read_known(folder)
    tensors |= {f"network.{name}": array for name, array in network.items()}
    tensors["weights"] = np.tile(np.float32([0.2, 0.3, 0.5]), (len(tensors["weights"]), 1))
    write_context(folder, tensors, metadata | {"configuration": asdict(configuration)})


def test_old_network_of_words_is_used_as_it_is(home: Path, tmp_path: Path) -> None:
    shutil.copytree(source(home, "prose"), tmp_path / "old")
    add_network_of_words(tmp_path / "old", corpus(home, "prose"))
    new = corpus(home, "text")
    until(train(TrainingInputs(new, tmp_path / "both", NEXT, source=tmp_path / "old", save_every=0)), 5)
    run(new, tmp_path / "both", resume=True)
    (old_tensors, old_facts), (tensors, facts) = (read_known(tmp_path / name) for name in ("old", "both"))
    assert facts["configuration"] == old_facts["configuration"]  # no word was dropped
    assert len(tensors["ngrams.unigrams"]) > len(old_tensors["ngrams.unigrams"])
    network, old_network = (dequantize(unpacked(named(each, "network."))) for each in (tensors, old_tensors))
    for name in ("embedding.weight", "recurrent.weight_hh_l0", "decoder.bias"):
        np.testing.assert_array_equal(network[name], old_network[name])
    before, after = (Predictor.load(str(tmp_path / name), members="words") for name in ("old", "both"))
    for line in ("I saw the ", "a green ", "Anna likes my "):
        first, then = before.suggest(line, 3), after.suggest(line, 3)
        assert [each.word for each in then] == [each.word for each in first]
        # What it gives to all words that it does not know is for the new ones; the others share the rest as before.
        rest = then[0].probability / first[0].probability
        assert 0.8 < rest < 1
        assert [each.probability for each in then] == pytest.approx(
            [rest * each.probability for each in first], rel=1e-4
        )


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_larger_network_of_words_begins_as_the_old_one(home: Path, tmp_path: Path, weight: float) -> None:
    shutil.copytree(source(home, "prose"), tmp_path / "old")
    add_network_of_words(tmp_path / "old", corpus(home, "prose"))
    both = corpus(home, "prose")
    sizes = {
        "word_hidden": 24,
        "word_embedding": 4,
        "word_vocabulary": 100,
    }  # of the last it keeps what the old one has
    settings = replace(NEXT, **sizes, word_dropout=0.0, steps=3, learning_rate=1e-9, from_weight=weight)
    run(both, tmp_path / "new", settings, source=tmp_path / "old")
    assert read_known(tmp_path / "new")[1]["configuration"]["hidden"] == 24
    assert read_known(tmp_path / "new")[1]["configuration"]["embedding"] == 8
    before, after = (Predictor.load(str(tmp_path / name), members="words") for name in ("old", "new"))
    for line in ("I saw the ", "a green ", "Anna likes my "):
        first, then = before.suggest(line, 3), after.suggest(line, 3)
        assert [each.word for each in then] == [each.word for each in first]
        # What is new changes the rounding of what is old.
        assert [each.probability for each in then] == pytest.approx([each.probability for each in first], rel=0.05)


def test_network_of_words_that_grows_learns_with_all_its_units(home: Path) -> None:
    words = corpus(home, "prose")
    keys = tuple(sorted(words.words))
    tokens = NumberedWords(keys, np.ones(len(keys))).encode(list(words.text.lines(0)), words.alphabet)
    settings = replace(SMALL, word_hidden=8, word_embedding=4, word_vocabulary=100, steps=20)
    training = WordNetworkTraining(tokens, tokens[:0], tokens, len(keys), settings, "fp32")
    while not training.over:
        training.step()
    grown = replace(settings, word_hidden=12, word_embedding=6)
    training = WordNetworkTraining(tokens, tokens[:0], tokens, len(keys), grown, "fp32", None, training.network())
    listened = training._model.recurrent.weight_hh_l0.unflatten(0, (4, 12))[:, :8, 8:]
    assert not listened.any()
    for _ in range(5):
        training.step()
    assert listened.all()


def test_smaller_network_of_words_than_the_old_one_is_refused(home: Path, tmp_path: Path) -> None:
    shutil.copytree(source(home, "prose"), tmp_path / "old")
    add_network_of_words(tmp_path / "old", corpus(home, "prose"))
    with pytest.raises(SettingsError, match="has 16 units; give --word-hidden 16 or more"):
        run(corpus(home, "prose"), tmp_path / "new", replace(NEXT, word_hidden=8), source=tmp_path / "old")
    assert not (tmp_path / "new").exists()


def read_known(folder: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Return what a checkpoint knows of words in context."""
    found = read_context(folder)
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "old"), [("words", "list"), ("text", "prose")])
def test_without_rehearsal_more_is_forgotten(home: Path, tmp_path: Path, name: str, old: str) -> None:
    forgotten = []
    for weight in (0.0, 0.5):
        settings = replace(NEXT, from_weight=weight)
        figures = run(corpus(home, name), tmp_path / str(weight), settings, source=source(home, old)).figures["from"]
        forgotten.append(figures["after"] - figures["before"])
        assert read_checkpoint(tmp_path / str(weight)).training["from_weight"] == weight
        assert ("triangle" in read_lexicon(tmp_path / str(weight))) == (weight > 0 and name == "words")
    assert forgotten[0] > forgotten[1] + 0.2


def test_background_and_rehearsed_text_are_read_alike_often() -> None:
    generator = np.random.default_rng(0)
    sources = ["corpus", "background", "rehearsed"]
    drawn = [choose_source(sources, 0.0, generator) for _ in range(4_000)]
    assert [drawn.count(each) / 4_000 for each in sources] == pytest.approx([0.5, 0.25, 0.25], abs=0.04)


def test_text_is_rehearsed_beside_a_background(home: Path, tmp_path: Path) -> None:
    """Left in the midst of three texts, too."""
    new, background = corpus(home, "text"), corpus(home, "prose").text
    options = {"source": source(home, "prose"), "background": background}
    until(train(TrainingInputs(new, tmp_path / "mine", replace(NEXT, steps=20), save_every=0, **options)), 9)
    run(new, tmp_path / "mine", resume=True, background=background)
    run(new, tmp_path / "alone", replace(NEXT, steps=20), **options)
    assert outcome(tmp_path / "mine") == outcome(tmp_path / "alone")


# Runs that are left, mistakes, and several processes.


@pytest.mark.parametrize(("name", "old"), [("words", "list"), ("text", "prose")])
def test_run_that_was_left_needs_its_source_no_more_and_ends_as_one_left_alone(
    home: Path, tmp_path: Path, name: str, old: str
) -> None:
    new, settings = corpus(home, name), replace(NEXT, steps=20, dropout=0.2)
    shutil.copytree(source(home, old), tmp_path / old)
    until(train(TrainingInputs(new, tmp_path / "mine", settings, source=tmp_path / old, save_every=0)), 9)
    shutil.rmtree(tmp_path / old)
    run(new, tmp_path / "mine", resume=True)
    run(new, tmp_path / "alone", settings, source=source(home, old))
    assert outcome(tmp_path / "mine") == outcome(tmp_path / "alone")


def test_source_itself_can_be_replaced(home: Path, tmp_path: Path) -> None:
    shutil.copytree(source(home, "list"), tmp_path / "list")
    new, settings = corpus(home, "words"), replace(NEXT, steps=20)
    run(new, tmp_path / "list", settings, source=tmp_path / "list", overwrite=True)
    run(new, tmp_path / "alone", settings, source=source(home, "list"))
    assert outcome(tmp_path / "list") == outcome(tmp_path / "alone")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("words.txt --from prose", "prose: this checkpoint learned running text, and words.txt is lists of words"),
        ("text.txt --from list", "list: this checkpoint learned lists of words, and text.txt is running text"),
        ("words.txt --from missing", "missing: no such checkpoint; there are: list, prose"),
        ("words.txt --from list --hidden 9 --cell gru", "list and its sizes; leave out --cell, --hidden"),
        ("words.txt --from list --from-weight 1", "from weight is 1.0; it must be from 0 to below 1"),
        ("words.txt --from-weight 0.2", "--from-weight is for words that --from takes over"),
        ("words.txt --from list --resume", "leave out --from"),
        ("words.txt --from list --search 3", "--search goes without --from; leave out one"),
        ("words.txt --from list --name list", "list: a checkpoint of this name exists"),
    ],
)
def test_mistake_is_told_in_one_line_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, problem: str
) -> None:
    monkeypatch.chdir(home)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as end:
        main(["train", *command.split()])
    errors = capsys.readouterr().err
    assert end.value.code == 2
    assert problem in errors
    assert errors.count("\n") == 1
    assert before == {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_other_comparison_of_words_is_refused(home: Path, tmp_path: Path) -> None:
    old = read_checkpoint(source(home, "list"))
    write_checkpoint(tmp_path / "old", replace(old, alphabet=Letters(case="keep")), {"name": 1.0})
    with pytest.raises(SettingsError, match=r"compares words by .*'keep'"):
        next(train(TrainingInputs(corpus(home, "words"), tmp_path / "mine", NEXT, source=tmp_path / "old")))
    assert not (tmp_path / "mine").exists()


def test_words_in_context_that_do_not_fit_the_lexicon_are_told(home: Path, tmp_path: Path) -> None:
    shutil.copytree(source(home, "prose"), tmp_path / "old")
    (tmp_path / "old" / LEXICON).write_text("garden\t3\nriver\t1\n")
    with pytest.raises(CheckpointError, match="old: its words in context do not fit its lexicon"):
        next(train(TrainingInputs(corpus(home, "text"), tmp_path / "mine", NEXT, source=tmp_path / "old")))
    assert not (tmp_path / "mine").exists()


def test_two_processes_start_from_the_same_network(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    command = "-m autocomplete -- train words.txt --from list --name two --steps 10 --draws 32 --precision fp32"
    told = finish(launch(tmp_path, *command.split()))
    assert told.count("forgotten of list") == 1
    lexicon = read_lexicon(source(home, "list"))
    for name, checkpoint in (("before", source(home, "list")), ("after", tmp_path / "checkpoints" / "two")):
        measured = read_checkpoint(tmp_path / "checkpoints" / "two").figures["from"][name]
        assert measured == pytest.approx(bits_per_word(read_checkpoint(checkpoint), lexicon), abs=1e-4)
