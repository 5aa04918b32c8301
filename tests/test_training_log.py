"""What a training leaves for other programs, and what a terminal and a pipe show of it: real trainings of a second or less."""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from command_line import autocomplete
from rich.console import Console
from tensorboardX.proto.event_pb2 import Event as Record
from tensorboardX.record_writer import masked_crc32c

from autocomplete.corpus.corpus import read_corpus
from autocomplete.errors import SettingsError
from autocomplete.reports.tensorboard_log import TensorBoardLog
from autocomplete.reports.training import TrainingDisplay, summary
from autocomplete.reports.training_log import TrainingLog
from autocomplete.training.events import Event, Finished, Progress, Started, Validated
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

SMALL = TrainingSettings(hidden=16, embedding=8, draws=64, steps=30, warmup=5, precision="fp32", patience=99)
LIST = "name\t50\ntriangle\t30\nmy\t20\ntrial\t9\nMonday\t7\ntried\t3\nnames\t2\nmany\t1\nangle\t1\nlane[/]\t1\n"

pytestmark = pytest.mark.usefixtures("one_thread")


def events(folder: Path, settings: TrainingSettings = SMALL, stop_at: int = 0, resume: bool = False) -> Iterator[Event]:
    (folder / "words.txt").write_text(LIST)
    asked = iter(range(1, 1000))
    corpus = read_corpus([folder / "words.txt"])
    return train(
        TrainingInputs(corpus, folder / "mine", settings, resume=resume, should_stop=lambda: next(asked) == stop_at)
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return list(events(tmp_path_factory.mktemp("trained")))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# JSON lines.


def test_log_has_all_that_start_validations_and_end_say(trained: list[Event], tmp_path: Path) -> None:
    with TrainingLog(tmp_path / "log", resume=False) as log:
        for event in trained:
            log.show(event)
            if isinstance(event, Validated):  # it can be read while the training runs
                assert lines(tmp_path / "log")[-1]["step"] == event.step
    start, *validations, end = lines(tmp_path / "log")
    for line, kind, name in [
        (start, Started, "start"),
        (validations[0], Validated, "validation"),
        (end, Finished, "end"),
    ]:
        assert set(line) == {"event"} | {field.name for field in fields(kind)}
        assert line["event"] == name
    assert start["corpus"]["words"] == 10
    assert start["settings"]["steps"] == 30
    assert start["configuration"]["hidden"] == 16
    expected = [event for event in trained if isinstance(event, Validated)]
    assert [line | {"event": 0} for line in validations] == json.loads(
        json.dumps([vars(event) | {"event": 0} for event in expected])
    )
    seconds = [line["seconds"] for line in validations]
    assert seconds[0] > 0
    assert seconds == sorted(seconds)
    assert (end["reason"], end["steps"]) == ("done", 30)


def test_log_goes_on_with_a_resumed_training(tmp_path: Path) -> None:
    for stop_at, resume in [(10, False), (0, True)]:
        with TrainingLog(tmp_path / "log", resume=resume) as log:
            for event in events(tmp_path, stop_at=stop_at, resume=resume):
                log.show(event)
    found = lines(tmp_path / "log")
    kinds = [line["event"] for line in found if line["event"] != "validation"]
    assert kinds == ["start", "end", "start", "end"]
    steps = [line["step"] for line in found if line["event"] == "validation"]
    assert steps == sorted(set(steps))
    assert [line["steps_done"] for line in found if line["event"] == "start"] == [0, 10]


def test_log_tells_a_divergence_as_the_end(tmp_path: Path) -> None:
    settings = replace(SMALL, learning_rate=10, weight_decay=10, warmup=0, steps=150)
    with pytest.raises(SettingsError), TrainingLog(tmp_path / "log", resume=False) as log:
        for event in events(tmp_path, settings):
            log.show(event)
    *_, end = lines(tmp_path / "log")
    assert (end["event"], end["reason"]) == ("end", "error")
    assert "--learning-rate" in end["problem"]


def test_log_that_cannot_be_written_any_more_is_told(trained: list[Event], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(SettingsError, match=r"folder/log: cannot be written \(No such file"),
        TrainingLog(tmp_path / "folder" / "log", resume=False) as log,
    ):
        for event in trained:
            log.show(event)
            shutil.rmtree(tmp_path / "folder", ignore_errors=True)


# TensorBoard.


def records(path: Path) -> Iterator[Record]:
    """Read an event file: each record is its length, a checksum of that, the event, and a checksum of that."""
    content = path.read_bytes()
    while content:
        length, of_length = struct.unpack("<QI", content[:12])
        event, (of_event,) = content[12 : 12 + length], struct.unpack("<I", content[12 + length : 16 + length])
        assert (of_length, of_event) == (masked_crc32c(content[:8]), masked_crc32c(event))
        yield Record.FromString(event)
        content = content[16 + length :]


def test_event_file_has_the_figures_and_samples_of_each_validation(trained: list[Event], tmp_path: Path) -> None:
    with TensorBoardLog(tmp_path / "runs" / "one", resume=False) as log:
        for event in trained:
            log.show(event)
    [path] = (tmp_path / "runs" / "one").iterdir()
    assert path.name.startswith("events.out.tfevents.")
    first, *rest = records(path)
    assert first.file_version == "brain.Event:2"
    found: dict[str, list[tuple[int, object]]] = {}
    for record in rest:
        [value] = record.summary.value
        text = value.tensor.string_val[0].decode() if value.HasField("tensor") else None
        found.setdefault(value.tag, []).append((record.step, value.simple_value if text is None else text))
    validated = [event for event in trained if isinstance(event, Validated)]
    for tag, name in [
        ("bits_per_character/training", "training_bits"),
        ("bits_per_character/held_out", "held_out_bits"),
        ("learning_rate", "learning_rate"),
        ("gradient_norm", "gradient_norm"),
        ("characters_per_second", "characters_per_second"),
    ]:
        assert [step for step, _ in found[tag]] == [event.step for event in validated]
        assert [value for _, value in found.pop(tag)] == pytest.approx([getattr(event, name) for event in validated])
    assert found == {"samples/text_summary": [(event.step, ", ".join(event.samples)) for event in validated]}


def test_folder_of_another_run_is_gone_on_with_only_on_resume(trained: list[Event], tmp_path: Path) -> None:
    for resume in (False, True):
        with TensorBoardLog(tmp_path, resume=resume) as log:
            log.show(trained[0])
        with pytest.raises(SettingsError, match="the events of another run"):
            TensorBoardLog(tmp_path, resume=False)


# The display.


def shown(width: int, until: list[Event]) -> list[str]:
    """Return what a terminal of that width shows after some events."""
    output = io.StringIO()
    display = TrainingDisplay(Console(file=io.StringIO(), force_terminal=True, width=width))
    for event in until:
        display.show(event)
    Console(file=output, width=width).print(display)
    return output.getvalue().splitlines()


def test_display_is_always_as_high_and_fits_eighty_columns(trained: list[Event]) -> None:
    for width in (80, 60):
        assert {len(shown(width, trained[:count])) for count in range(len(trained))} == {12}
    validated = [event for event in trained if isinstance(event, Validated)]
    step = [event for event in trained if isinstance(event, Progress)][-1]
    screen = shown(80, trained[:-1])
    assert screen[-2].split(", ")[-2:] == [
        f"gradient norm {step.gradient_norm:.2g}",
        f"learning rate {step.learning_rate:.2g}",
    ]
    last = validated[-1]
    assert screen[-1].rstrip() == (
        f"best {last.best_bits:.3f}, {last.validations_since_best} of 99 validations without a gain"
    )
    fast = replace(step, characters_per_second=9_876_543.0, gradient_norm=0.000123456, learning_rate=0.000123456)
    assert shown(80, [*trained[:-1], fast])[-2].rstrip().endswith("learning rate 0.00012")


def test_wish_to_stop_is_shown_at_once_and_takes_no_further_line(trained: list[Event]) -> None:
    output = io.StringIO()
    display = TrainingDisplay(Console(file=io.StringIO(), force_terminal=True, width=80))
    for event in trained[:-1]:
        display.show(event)
    display.tell_stopping()
    Console(file=output, width=80).print(display)
    screen = output.getvalue().splitlines()
    assert len(screen) == len(shown(80, trained[:-1]))
    assert screen[-1].startswith("stopping after this step, to measure and save")
    assert "Ctrl-C again" in screen[-1]


def test_pipe_has_a_line_for_each_validation_and_new_words_only(trained: list[Event]) -> None:
    output = io.StringIO()
    with TrainingDisplay(Console(file=output, width=80)) as display:
        for event in trained:
            display.show(event)
    validated = [event for event in trained if isinstance(event, Validated)]
    found = [line for line in output.getvalue().splitlines() if line.startswith("step")]
    assert len(found) == len(validated)
    former: tuple[str, ...] = ()
    for line, event in zip(found, validated, strict=True):
        assert f"learning rate {event.learning_rate:.2g}" in line
        assert ("best so far" in line) == event.best
        assert line.endswith(", ".join(event.samples)) == (event.samples != former)
        former = event.samples


def test_best_says_what_of_where_it_is_not_the_held_out_words(trained: list[Event]) -> None:
    started, *rest = trained
    assert isinstance(started, Started)
    output = io.StringIO()
    with TrainingDisplay(Console(file=output, width=80)) as display:
        for event in (replace(started, judged_by="words as they are typed"), *rest[:-1]):
            display.show(event)
    validated = [event for event in trained if isinstance(event, Validated)]
    for line, event in zip(output.getvalue().splitlines()[-len(validated) :], validated, strict=True):
        best = "best so far, " if event.best else "best "
        assert f", {best}{event.best_bits:.3f} of words as they are typed" in line


def test_summary_fits_a_narrow_terminal(trained: list[Event]) -> None:
    finished = trained[-1]
    assert isinstance(finished, Finished)
    output = io.StringIO()
    Console(file=output, width=60).print(summary(finished))
    assert "bits per character: training" in output.getvalue()
    assert max(map(len, output.getvalue().splitlines())) <= 60


# The command.


def test_training_is_written_down_only_where_that_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(LIST)
    small = ["--hidden", "16", "--embedding", "8", "--steps", "30"]
    completed = autocomplete("train", "words.txt", *small, "--log", "l", "--tensorboard", "runs", folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    found = lines(tmp_path / "l")
    assert (found[0]["event"], found[-1]["event"]) == ("start", "end")
    assert len(list((tmp_path / "runs").iterdir())) == 1

    for arguments, problem in [
        (["--log", "l"], "l: this file exists"),
        (["--log", "none/l"], "none/l: there is no folder none"),
        (["--log", "runs"], "runs: this is not a file"),
        (["--tensorboard", "runs"], "runs: this folder has the events of another run"),
        (["--log", "new"], "checkpoints/words: a checkpoint of this name exists"),
    ]:
        before = (tmp_path / "l").read_bytes()
        completed = autocomplete("train", "words.txt", *arguments, folder=tmp_path)
        assert (completed.returncode, completed.stdout) == (2, "")
        assert len(completed.stderr.splitlines()) == 1, completed.stderr
        assert problem in completed.stderr
        assert (tmp_path / "l").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "l", "runs", "words.txt"]


def test_folder_that_is_none_is_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(LIST)
    completed = autocomplete("train", "words.txt", "--tensorboard", "words.txt", folder=tmp_path)
    assert completed.returncode == 2
    assert completed.stderr.splitlines()[-1].startswith("autocomplete: words.txt: cannot be written")
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_missing_package_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(LIST)
    (tmp_path / "tensorboardX.py").write_text("raise ModuleNotFoundError('not installed')\n")
    completed = autocomplete("train", "words.txt", "--tensorboard", "runs", folder=tmp_path)
    assert completed.returncode == 2
    assert completed.stderr.splitlines() == [
        "autocomplete: --tensorboard needs the package tensorboardX; run pip install 'tensorboardX>=2.6.4'"
    ]
