"""Runs that are left, interrupted, or out of room on the disk, and go on: real ones, of a second or less each."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bf16 import needs_bf16
from command_line import autocomplete
from test_training import LIST

from autocomplete.cli.main import make_parser
from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.errors import CheckpointError
from autocomplete.inference.predictor import Predictor
from autocomplete.storage.checkpoint import MODEL, RESUME, read_checkpoint, read_lexicon
from autocomplete.storage.lookup import list_checkpoints
from autocomplete.training.events import Event, Finished, Progress, Started, Validated
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

Make = Callable[[str | bytes], Corpus]

# Validated at each fifth step or so, and saved at each; as random as a run can be.
SMALL = TrainingSettings(
    hidden=12, embedding=6, layers=2, dropout=0.2, draws=32, batch=4, bptt=8, steps=30, warmup=5, unknown=0.01,
    precision="fp32", patience=99, learning_rate=0.02, held_out=0.2,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def few_validations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate at few steps, so that most of them have no validation."""
    monkeypatch.setattr(TrainingSettings, "validations", 6)


def run(corpus: Corpus, folder: Path, settings: TrainingSettings = SMALL, **options: Any) -> Finished:
    *_, finished = train(TrainingInputs(corpus, folder, settings, **options))
    assert isinstance(finished, Finished)
    return finished


def until(events: Iterator[Event], step: int) -> list[Event]:
    """Take the events of a run up to a step, and leave it there, as a kill does: nothing further is written."""
    taken = []
    for event in events:
        taken.append(event)
        if isinstance(event, Progress) and event.step == step:
            events.close()  # type: ignore[attr-defined]
            return taken
    raise AssertionError(f"the run ended before step {step}")


def outcome(folder: Path) -> dict[str, Any]:
    """Return all that a run has left, but for the time that it took."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MODEL}
    checkpoint = read_checkpoint(folder)
    weights = {name: tensor.tobytes() for name, tensor in checkpoint.tensors.items()}
    return files | weights | {"figures": dict(checkpoint.figures) | {"seconds": 0}}


# Left, and interrupted.


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=needs_bf16)])
@pytest.mark.parametrize("step", [3, 13, 29])
def test_run_left_between_two_saves_takes_the_steps_since_again(
    make_corpus: Make, tmp_path: Path, precision: Any, step: int
) -> None:
    corpus, settings = make_corpus(LIST), replace(SMALL, precision=precision)
    until(train(TrainingInputs(corpus, tmp_path / "mine", settings, save_every=0)), step - 1)
    until(
        train(TrainingInputs(corpus, tmp_path / "mine", settings, resume=True)), step
    )  # and again, from a state that was loaded
    run(corpus, tmp_path / "mine", resume=True)
    run(corpus, tmp_path / "alone", settings)
    assert outcome(tmp_path / "mine") == outcome(tmp_path / "alone")


def test_best_that_an_interruption_found_is_not_kept_where_the_run_goes_on(make_corpus: Make, tmp_path: Path) -> None:
    """From step 10 on, a rate far too high makes it worse: what ends best was validated before, whenever it was interrupted."""
    corpus, settings = make_corpus(LIST), replace(SMALL, learning_rate=0.5, dropout=0.0, held_out=0.0)
    run(corpus, tmp_path / "alone", settings)
    alone = read_checkpoint(tmp_path / "alone").figures["curve"]
    steps = [step for step, *_ in alone]
    for step in (steps[0] - 1, steps[0] + 1, steps[1] - 1, steps[1] + 1):
        asked = iter(range(1, 1000))
        folder = tmp_path / str(step)
        run(corpus, folder, settings, should_stop=lambda asked=asked, step=step: next(asked) == step)
        run(corpus, folder, resume=True)
        assert outcome(folder) == outcome(tmp_path / "alone")


def test_run_of_minutes_goes_on_where_it_was_and_counts_the_time_that_it_took(
    make_corpus: Make, tmp_path: Path
) -> None:
    corpus, settings = make_corpus(LIST), replace(SMALL, steps=None, minutes=60)
    saved = until(train(TrainingInputs(corpus, tmp_path / "mine", settings, save_every=0)), 20)[
        -2
    ]  # the last one is not saved
    assert isinstance(saved, Progress)
    events = train(TrainingInputs(corpus, tmp_path / "mine", settings, resume=True, should_stop=lambda: True))
    started, progress, *_, finished = events
    assert isinstance(started, Started)
    assert isinstance(progress, Progress)
    assert isinstance(finished, Finished)
    assert (started.steps_done, progress.step, finished.steps) == (19, 20, 20)
    assert progress.progress > saved.progress
    assert finished.seconds > 60 * 60 * saved.progress


# What is on the disk, and what is told.


def test_run_is_saved_before_it_has_a_network_to_use(
    make_corpus: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, folder = make_corpus(LIST), tmp_path / "checkpoints" / "mine"
    until(train(TrainingInputs(corpus, folder, SMALL, save_every=0)), 3)
    assert [path.name for path in folder.iterdir()] == [RESUME]
    monkeypatch.chdir(tmp_path)
    assert not [place for place in list_checkpoints() if place.is_relative_to(folder.parent)]
    with pytest.raises(CheckpointError, match="an unfinished training of this name exists; add --resume"):
        run(corpus, folder)
    until(train(TrainingInputs(corpus, folder, replace(SMALL, seed=1), save_every=0, overwrite=True)), 3)
    run(corpus, folder, resume=True)
    run(corpus, tmp_path / "alone", replace(SMALL, seed=1))
    assert outcome(folder) == outcome(tmp_path / "alone")


def test_former_checkpoint_is_of_use_until_the_new_run_has_one(make_corpus: Make, tmp_path: Path) -> None:
    corpus, other, folder = make_corpus("other\nwords\n"), replace(SMALL, hidden=9), tmp_path / "mine"
    run(corpus, folder, other)
    before = outcome(folder)
    corpus = make_corpus(LIST)
    until(train(TrainingInputs(corpus, folder, SMALL, overwrite=True, save_every=0)), 4)
    assert outcome(folder) | before == outcome(folder)
    assert "other" in read_lexicon(folder)
    events = train(TrainingInputs(corpus, folder, SMALL, resume=True, save_every=0))
    best = next(event for event in events if isinstance(event, Validated))
    assert best.best
    assert "triangle" in read_lexicon(folder)
    assert read_checkpoint(folder).configuration.hidden == SMALL.hidden
    list(events)


def test_run_that_is_not_saved_by_time_is_saved_with_its_best(make_corpus: Make, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    events = train(TrainingInputs(make_corpus(LIST), folder, SMALL))
    for event in events:
        if isinstance(event, Progress):
            assert not folder.exists()
        elif isinstance(event, Validated):
            assert {MODEL, RESUME} <= {path.name for path in folder.iterdir()}
            break
    events.close()  # type: ignore[attr-defined]


def test_nothing_to_resume_is_told(make_corpus: Make, tmp_path: Path) -> None:
    corpus = make_corpus(LIST)
    with pytest.raises(CheckpointError, match="no interrupted training here; start one without"):
        run(corpus, tmp_path / "mine", resume=True)
    assert not (tmp_path / "mine").exists()
    run(corpus, tmp_path / "mine", replace(SMALL, steps=2))
    before = outcome(tmp_path / "mine")
    with pytest.raises(CheckpointError, match=r"its training has ended; .*--force in place of --resume$"):
        run(corpus, tmp_path / "mine", resume=True)
    assert outcome(tmp_path / "mine") == before


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("0.5s", 0.5), ("5m", 300), ("1h", 3600), ("1.5h", 5400), ("0", 0)]
)
def test_time_between_two_saves_is_given_in_any_unit(text: str, seconds: float) -> None:
    assert make_parser().parse_args(["train", "words.txt", "--save-every", text]).save_every == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "5d", "s", "1e3", "nan", "5 m", "1h30m"])
def test_time_that_is_none_is_refused_in_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(["train", "words.txt", f"--save-every={text}"])
    assert ended.value.code == 2
    errors = capsys.readouterr().err
    assert len(errors.splitlines()) == 1
    assert "--save-every: " in errors


# A full disk.


def test_file_that_grows_too_large_for_the_disk_ends_the_run_in_one_line(tmp_path: Path) -> None:
    """A limit on the size of a file stands for the disk: that of the checkpoint is below it, that of the state above."""
    (tmp_path / "words.txt").write_text(LIST)
    folder = tmp_path / "checkpoints" / "words"
    run(read_corpus([tmp_path / "words.txt"]), folder, replace(SMALL, hidden=24), should_stop=lambda: True)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(before[MODEL]) < 40_000 < len(before[RESUME])

    def nearly_full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    completed = autocomplete(
        "train", "words.txt", "--resume", "--save-every", "0", folder=tmp_path, preexec_fn=nearly_full
    )
    assert (completed.returncode, completed.stdout) == (2, "")
    last = completed.stderr.splitlines()[-1]
    assert last.startswith(
        "autocomplete: checkpoints/words/resume.safetensors: cannot be written (File too large); free"
    )
    assert last.endswith("what was saved before is whole, and --resume goes on with it")
    assert "Traceback" not in completed.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert run(read_corpus([tmp_path / "words.txt"]), folder, resume=True).reason == "done"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of its own, of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode
    ):
        pytest.skip("a file system can be mounted by the superuser only")
    yield place
    subprocess.run(["umount", place], check=True)


def test_disk_that_fills_up_keeps_what_was_saved_and_the_run_goes_on_later(make_corpus: Make, small_disk: Path) -> None:
    corpus, folder = make_corpus(LIST), small_disk / "mine"
    events = train(TrainingInputs(corpus, folder, SMALL, save_every=0))
    next(event for event in events if isinstance(event, Validated))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"\0" * 512)
    with pytest.raises(
        CheckpointError, match=r"resume.safetensors: cannot be written \(No space left on device\)"
    ) as told:
        list(events)
    assert len(str(told.value).splitlines()) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert Predictor.load(str(folder)).predict("tria").words
    (small_disk / "filler").unlink()
    run(corpus, folder, resume=True)
    run(corpus, folder.parent / "alone", SMALL)
    assert outcome(folder) == outcome(folder.parent / "alone")
