from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from autocomplete.errors import CheckpointError, SettingsError
from autocomplete.inference.predictor import Predictor
from autocomplete.storage import checkpoint as checkpoint_module
from autocomplete.storage import upgrades
from autocomplete.storage.atomic import replace_file
from autocomplete.storage.checkpoint import (
    RESUME,
    Checkpoint,
    check_place,
    read_checkpoint,
    read_context,
    read_lexicon,
    update_checkpoint,
    write_checkpoint,
    write_context,
    write_resume,
)
from autocomplete.storage.configuration import Cell, Configuration
from autocomplete.storage.lookup import find_checkpoint, list_checkpoints
from autocomplete.storage.tensor_files import tensor_bytes
from autocomplete.storage.upgrades import FORMAT_VERSION
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.vocabulary import Vocabulary

WORDS = ["name", "triangle", "Straße"]
LEXICON = {"name": 5.0, "Straße": 2.5, "triangle": 1 / 3}
MODEL = "model.safetensors"

CHECKPOINT = random_checkpoint(["name", "triangle", "strasse"], hidden=4, figures={"network_prior": 0.25})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a checkpoint that was written."""
    place = tmp_path / "checkpoints" / "mine"
    write_checkpoint(place, CHECKPOINT, LEXICON)
    return place


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_one_line(error: CheckpointError, path: Path) -> None:
    assert len(str(error).splitlines()) == 1
    assert str(path) in str(error)


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    assert one.metadata() == other.metadata()
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert tensor.dtype == other.tensors[name].dtype
        np.testing.assert_array_equal(tensor, other.tensors[name])


@pytest.mark.parametrize("precision", [np.float16, np.float32])
def test_what_is_written_is_read_back(tmp_path: Path, precision: type) -> None:
    tensors = {name: tensor.astype(precision) for name, tensor in CHECKPOINT.tensors.items()}
    written = replace(
        CHECKPOINT,
        tensors=tensors,
        corpus={"name": "wörter.txt", "kinds": ["word list"], "entropy": 1.5},
        training={"seed": 3, "steps": None},
        figures={"network_prior": 0.25, "curve": [[1, 2.0, 3.0]]},
    )
    write_checkpoint(tmp_path / "mine", written, LEXICON)
    assert_same(read_checkpoint(tmp_path / "mine"), written)
    assert read_lexicon(tmp_path / "mine") == LEXICON
    assert list(read_lexicon(tmp_path / "mine")) == sorted(LEXICON, key=CHECKPOINT.alphabet.key)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_parameters_of_the_layers_are_those_of_the_network(cell: Cell, tied: bool) -> None:
    configuration = Configuration(50, cell, layers=11, hidden=7, embedding=5, tied=tied)
    layers = configuration.layer_parameters()
    assert list(layers) == ["embedding", *(f"{cell} {number}" for number in range(1, 12)), "decoder"]
    assert sum(layers.values()) == configuration.parameters
    assert layers["embedding"] == 50 * 5
    assert layers["decoder"] == (5 * 7 if tied else 50 * 7) + 50
    assert layers[f"{cell} 2"] == layers[f"{cell} 11"] != layers[f"{cell} 1"]


def test_nothing_but_the_checkpoint_is_left_behind(folder: Path) -> None:
    write_checkpoint(folder, CHECKPOINT, LEXICON, overwrite=True)
    update_checkpoint(folder, CHECKPOINT)
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]
    assert sorted(content(folder)) == ["lexicon.tsv", MODEL]


def test_checkpoint_that_exists_is_not_overwritten_unasked(folder: Path) -> None:
    before = content(folder)
    with pytest.raises(CheckpointError, match="exists; choose another --name, or add --force"):
        write_checkpoint(folder, CHECKPOINT, {"other": 1.0})
    with pytest.raises(CheckpointError, match="exists; choose another --name, or add --force"):
        check_place(folder, overwrite=False, size=0)
    assert content(folder) == before


def test_file_that_another_process_writes_makes_a_checkpoint_no_other_folder(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (folder / f".{MODEL}.new-{process.pid}").write_bytes(b"half")
        check_place(folder, overwrite=True, size=0)
        assert (folder / f".{MODEL}.new-{process.pid}").exists()
        process.kill()
    check_place(folder, overwrite=True, size=0)
    assert sorted(content(folder)) == ["lexicon.tsv", MODEL]


def test_training_without_a_network_yet_is_no_checkpoint_but_may_be_replaced(tmp_path: Path) -> None:
    write_resume(tmp_path / "mine", b"one")
    with pytest.raises(CheckpointError, match="an unfinished training of this name exists; add --resume"):
        write_resume(tmp_path / "mine", b"two")
    write_resume(tmp_path / "mine", b"two", overwrite=True)
    assert content(tmp_path / "mine") == {RESUME: b"two"}
    write_checkpoint(tmp_path / "mine", CHECKPOINT, LEXICON, overwrite=True, others={RESUME: b"three"})
    assert content(tmp_path / "mine")[RESUME] == b"three"
    assert read_lexicon(tmp_path / "mine") == LEXICON
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="not, or not only, a checkpoint"):
        write_resume(tmp_path / "empty", b"", overwrite=True)


def test_overwriting_replaces_the_whole_folder(folder: Path) -> None:
    (folder / RESUME).write_bytes(b"of the run before")
    write_checkpoint(folder, replace(CHECKPOINT, figures={}), {"other": 1.0}, overwrite=True)
    assert read_checkpoint(folder).figures == {}
    assert read_lexicon(folder) == {"other": 1.0}
    assert not (folder / RESUME).exists()


def test_update_changes_the_network_and_keeps_the_lexicon(folder: Path) -> None:
    update_checkpoint(folder, replace(CHECKPOINT, figures={"steps": 7}))
    assert read_checkpoint(folder).figures == {"steps": 7}
    assert read_lexicon(folder) == LEXICON


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for place in [tmp_path / "file" / "mine", tmp_path / ("long" * 100)]:
        with pytest.raises(CheckpointError, match="cannot be written") as raised:
            write_checkpoint(place, CHECKPOINT, LEXICON)
        assert_one_line(raised.value, place)
        with pytest.raises(CheckpointError, match="cannot be written"):
            check_place(place, overwrite=False, size=0)
    assert (tmp_path / "file").read_text() == "no folder"


def test_place_without_room_is_refused_beforehand(tmp_path: Path) -> None:
    check_place(tmp_path / "mine", overwrite=False, size=1)
    with pytest.raises(CheckpointError, match="are free; free some space"):
        check_place(tmp_path / "mine", overwrite=False, size=2**62)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from autocomplete.storage import checkpoint as c
from autocomplete.errors import CheckpointError

folder = Path(sys.argv[1])
checkpoint, lexicon = c.read_checkpoint(folder), {f"word{i}": 1.0 for i in range(10_000)}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write over the limit then fails as one to a full disk does
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    if sys.argv[3] == "write":
        c.write_checkpoint(folder, checkpoint, lexicon, overwrite=True)
    else:
        c.update_checkpoint(folder, checkpoint)
except CheckpointError as error:
    print(error)
"""


@pytest.mark.parametrize(("limit", "action"), [(2_000, "write"), (20_000, "write"), (2_000, "update")])
def test_full_disk_leaves_the_former_checkpoint_whole(folder: Path, limit: int, action: str) -> None:
    """The lower limit is reached in the weights, the higher in the lexicon."""
    before = content(folder)
    assert 2_000 < len(before[MODEL]) < 20_000
    arguments = [sys.executable, "-c", FULL_DISK, str(folder), str(limit), action]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be written" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert content(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_file_that_cannot_be_replaced_is_an_error(folder: Path) -> None:
    before = content(folder)
    replace_file(folder / RESUME, b"first")
    replace_file(folder / RESUME, b"second")
    assert content(folder) == before | {RESUME: b"second"}
    with pytest.raises(CheckpointError, match="cannot be written") as raised:
        replace_file(folder / MODEL / RESUME, b"below a file")
    assert_one_line(raised.value, folder)


def test_truncated_file_is_damaged(folder: Path) -> None:
    whole = (folder / MODEL).read_bytes()
    for length in [0, 4, 8, 100, len(whole) // 2, len(whole) - 1]:
        (folder / MODEL).write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="damaged") as raised:
            read_checkpoint(folder)
        assert_one_line(raised.value, folder)


@pytest.mark.parametrize("garbage", [b"garbage", b"\0" * 1000, b"\xff" * 1000, b"PK\x03\x04" + bytes(range(256))])
def test_garbage_is_damaged(folder: Path, garbage: bytes) -> None:
    (folder / MODEL).write_bytes(garbage)
    with pytest.raises(CheckpointError) as raised:
        read_checkpoint(folder)
    assert_one_line(raised.value, folder)


def write_metadata(folder: Path, text: str | None) -> None:
    metadata = {"other": "tool"} if text is None else {"autocomplete": text}
    save_file(dict(CHECKPOINT.tensors), folder / MODEL, metadata=metadata)


@pytest.mark.parametrize("name", [MODEL, "context.safetensors"])
def test_a_byte_changed_anywhere_is_damage(folder: Path, name: str) -> None:
    write_context(folder, {"weights": np.ones(3, np.float16), "ngrams.2.counts": np.arange(5, dtype=np.uint16)}, {})
    whole = (folder / name).read_bytes()
    begins = 8 + int.from_bytes(whole[:8], "little")
    for place in range(begins, len(whole)):
        (folder / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"damaged .*; train it again, or copy it again") as raised:
            read_checkpoint(folder) if name == MODEL else read_context(folder)
        assert_one_line(raised.value, folder)
    (folder / name).write_bytes(whole)
    assert read_context(folder) is not None
    assert read_checkpoint(folder).configuration == CHECKPOINT.configuration


def test_lexicon_that_is_gone_is_told(folder: Path) -> None:
    Predictor.load(str(folder))
    update_checkpoint(folder, replace(CHECKPOINT, corpus={"words": 3}))
    Predictor.load(str(folder))
    for lose in (lambda: (folder / "lexicon.tsv").write_bytes(b""), (folder / "lexicon.tsv").unlink):
        lose()
        with pytest.raises(
            CheckpointError, match=r"lexicon.tsv: missing or empty; copy the checkpoint again"
        ) as raised:
            Predictor.load(str(folder))
        assert_one_line(raised.value, folder)


def test_newer_format_is_refused_with_what_to_do(folder: Path) -> None:
    write_metadata(folder, json.dumps(CHECKPOINT.metadata() | {"format": FORMAT_VERSION + 1}))
    with pytest.raises(CheckpointError, match=r"its format is 3, this version reads up to 2; upgrade") as raised:
        read_checkpoint(folder)
    assert_one_line(raised.value, folder)


def test_old_metadata_goes_through_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if today's format were the third: the first one kept what was measured elsewhere, and had two other names."""
    old = replace(CHECKPOINT, training={"speed": 1, "batch": 2, "rate": 3}).metadata()
    write_metadata(folder, json.dumps({"measures": old.pop("figures"), **old, "format": 1}))
    (folder / "context.safetensors").write_bytes(tensor_bytes({}, json.dumps({"sizes": [1]})))  # of no format yet
    monkeypatch.setattr(upgrades, "FORMAT_VERSION", 3)
    monkeypatch.setitem(upgrades.MODEL_UPGRADES, 1, lambda old: {**old, "figures": old["measures"]})
    monkeypatch.setitem(upgrades.CONTEXT_UPGRADES, 2, lambda old: {"configuration": old["sizes"]})
    monkeypatch.setitem(upgrades.RENAMED, "training", {"speed": "rate", "batch": "lines"})
    read = read_checkpoint(folder)
    assert read.figures == CHECKPOINT.figures
    assert read.training == {"rate": 3, "lines": 2}
    assert read_context(folder) == ({}, {"configuration": [1]})


def test_first_format_called_its_alphabet_a_normalization(folder: Path) -> None:
    for case in ("fold", "keep"):
        old = CHECKPOINT.metadata() | {"format": 1, "normalization": {"form": "NFC", "case": case}}
        del old["alphabet"]
        write_metadata(folder, json.dumps(old))
        assert read_checkpoint(folder).alphabet == Letters(case=case)


def test_newer_context_is_refused_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_module, "FORMAT_VERSION", FORMAT_VERSION + 1)
    write_context(folder, {}, {})
    with pytest.raises(CheckpointError, match=r"its format is 3, this version reads up to 2; upgrade") as raised:
        read_context(folder)
    assert_one_line(raised.value, folder)


def test_file_of_another_tool_is_refused(folder: Path) -> None:
    write_metadata(folder, None)
    with pytest.raises(CheckpointError, match="not written by autocomplete"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"configuration": {"vocabulary": 12, "cell": "gru", "layers": 1, "hidden": 4, "embedding": 8}},
        {"configuration": {"vocabulary": 12, "cell": "lstm", "layers": 2, "hidden": 4, "embedding": 8}},
        {"configuration": {"vocabulary": 12, "cell": "lstm", "layers": 1, "hidden": 5, "embedding": 8}},
        {"configuration": {"vocabulary": 12, "cell": "quantum", "layers": 1, "hidden": 4, "embedding": 8}},
        {"configuration": {"vocabulary": 12, "cell": "lstm", "layers": -1, "hidden": 4, "embedding": 8}},
        {"configuration": {"cell": "lstm"}},
        {"configuration": 3},
        {"vocabulary": ["a", "b"]},
        {"vocabulary": ["ab"] * 10},
        {"vocabulary": [1, 2]},
        {"alphabet": {"name": "runes", "case": "fold"}},
        {"alphabet": {"name": "letters", "case": "fold", "stem": True}},
        {"format": 1, "normalization": {"form": "NFKC", "case": "fold"}},
        {"format": 1, "normalization": 3},
        {"alphabet": None},
        {"format": "one"},
        {"format": None},
        {"figures": {"network_prior": 7}},
        {"figures": {"network_prior": 0}},
        {"figures": {"network_prior": "high"}},
        {"figures": ["network_prior"]},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_metadata_that_does_not_match_is_a_checkpoint_error(folder: Path, change: dict[str, Any]) -> None:
    write_metadata(folder, json.dumps(CHECKPOINT.metadata() | change))
    with pytest.raises(CheckpointError) as raised:
        Predictor(read_checkpoint(folder), read_lexicon(folder))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"text"', "{}", "[" * 100_000])
def test_metadata_that_is_no_object_is_damaged(folder: Path, text: str) -> None:
    write_metadata(folder, text)
    with pytest.raises(CheckpointError) as raised:
        read_checkpoint(folder)
    assert_one_line(raised.value, folder)


@pytest.mark.parametrize("name", ["decoder.bias", "recurrent.weight_hh_l0"])
def test_tensors_that_do_not_match_the_configuration_are_refused(folder: Path, name: str) -> None:
    metadata = {"autocomplete": json.dumps(CHECKPOINT.metadata())}
    without = {key: value for key, value in CHECKPOINT.tensors.items() if key != name}
    for tensors in [
        without,
        without | {name: np.zeros((3, 3), dtype=np.float32)},
        {**CHECKPOINT.tensors, "extra": np.zeros(3, dtype=np.float32)},
    ]:
        save_file(tensors, folder / MODEL, metadata=metadata)
        with pytest.raises(CheckpointError, match=r"the tensor \S+ is .*, its configuration says") as raised:
            read_checkpoint(folder)
        assert_one_line(raised.value, folder)


def test_tensors_that_are_no_fractions_are_refused(folder: Path) -> None:
    tensors = {name: tensor.astype(np.int16) for name, tensor in CHECKPOINT.tensors.items()}
    save_file(tensors, folder / MODEL, metadata={"autocomplete": json.dumps(CHECKPOINT.metadata())})
    with pytest.raises(CheckpointError):
        read_checkpoint(folder)


def test_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    for place in [tmp_path, tmp_path / "missing"]:
        with pytest.raises(CheckpointError, match="no model") as raised:
            read_checkpoint(place)
        assert_one_line(raised.value, place)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a checkpoint that a test may damage again and again."""
    folder = tmp_path_factory.mktemp("damaged") / "mine"
    write_checkpoint(folder, CHECKPOINT, LEXICON)
    return folder


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Draw a function that damages some bytes; most of them of the header, where a change is the most telling."""
    where = draw(st.lists(st.tuples(st.integers(0, 2_500), st.binary(min_size=1, max_size=3)), min_size=1, max_size=3))
    insert = draw(st.booleans())

    def damage(data: bytes) -> bytes:
        for start, replacement in where:
            start %= len(data) + 1
            data = data[:start] + replacement + data[start if insert else start + len(replacement) :]
        return data

    return damage


def use(folder: Path) -> None:
    """Read a checkpoint and ask it something; damage may be told, but nothing else may go wrong."""
    try:
        with np.errstate(all="ignore"):  # weights may be any number
            Predictor(read_checkpoint(folder), read_lexicon(folder)).predict("na")
    except CheckpointError as error:
        assert len(str(error).splitlines()) == 1


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(mutations())
def test_damaged_network_is_a_checkpoint_error_or_none_at_all(place: Path, damage: Callable[[bytes], bytes]) -> None:
    whole = (place / MODEL).read_bytes()
    try:
        (place / MODEL).write_bytes(damage(whole))
        use(place)
    finally:
        (place / MODEL).write_bytes(whole)


@given(st.one_of(st.binary(), mutations()))
def test_damaged_lexicon_is_a_checkpoint_error_or_none_at_all(
    place: Path, damage: bytes | Callable[[bytes], bytes]
) -> None:
    whole = (place / "lexicon.tsv").read_bytes()
    try:
        (place / "lexicon.tsv").write_bytes(damage if isinstance(damage, bytes) else damage(whole))
        use(place)
    finally:
        (place / "lexicon.tsv").write_bytes(whole)


@pytest.mark.parametrize(
    ("lexicon", "problem"),
    [
        (b"name\t1\ntriangle\n", "line 2 is not a word, a tab and a count"),
        (b"name\t1\n\ntriangle\t1\n", "line 2 is not a word, a tab and a count"),
        (b"name\t1\ntriangle\t0\n", "line 2"),
        (b"name\t-1\n", "line 1"),
        (b"name\tnan\n", "line 1"),
        (b"name\tinf\n", "line 1"),
        (b"\t1\n", "line 1"),
        (b"name\tmany\n", "line 1"),
        (b"name\t1\nna\xff\t1\n", "not UTF-8 at byte 9"),
    ],
)
def test_lexicon_line_that_is_no_word_and_count_is_refused(folder: Path, lexicon: bytes, problem: str) -> None:
    (folder / "lexicon.tsv").write_bytes(lexicon)
    with pytest.raises(CheckpointError, match=problem) as raised:
        read_lexicon(folder)
    assert_one_line(raised.value, folder)


def test_checkpoint_without_a_lexicon_has_an_empty_one(folder: Path) -> None:
    (folder / "lexicon.tsv").unlink()
    assert read_lexicon(folder) == {}
    assert Predictor(read_checkpoint(folder), {}).predict("na").next
    with pytest.raises(CheckpointError, match="no lexicon"):
        Predictor(read_checkpoint(folder), {}, members="lexicon")


def test_checkpoint_is_found_by_its_name_or_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent.parent)
    assert find_checkpoint("mine").resolve() == folder
    assert find_checkpoint(str(folder)) == folder
    assert find_checkpoint("checkpoints/mine").resolve() == folder
    assert folder in list_checkpoints()


def test_name_of_no_checkpoint_is_told_with_those_there_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent.parent)
    for name in ["yours", "", "checkpoints", "x" * 300]:
        with pytest.raises(CheckpointError) as raised:
            find_checkpoint(name)
        assert len(str(raised.value).splitlines()) == 1
    with pytest.raises(CheckpointError, match=r"yours: no such checkpoint; there are: mine"):
        find_checkpoint("yours")


def test_half_written_folders_are_not_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent.parent)
    folder.rename(folder.with_name(".mine.new-1"))
    assert not [path for path in list_checkpoints() if path.is_relative_to(folder.parent)]


@pytest.mark.parametrize("setting", [{"cell": "gpt"}, {"layers": 0}, {"hidden": -1}, {"embedding": 0}, {"hidden": 1.5}])
def test_sizes_of_no_network_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Configuration(12, **setting)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_parameters_are_counted_over_all_tensors(cell: Cell) -> None:
    configuration = Configuration(12, cell, layers=3, hidden=8, embedding=4)
    assert configuration.parameters == sum(math.prod(shape) for shape in configuration.shapes().values())


def test_vocabulary_of_another_size_than_the_configuration_is_refused() -> None:
    with pytest.raises(CheckpointError, match="the vocabulary has 4 symbols, the configuration 12"):
        replace(CHECKPOINT, vocabulary=Vocabulary("ab"))
