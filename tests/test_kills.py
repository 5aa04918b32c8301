"""Runs that are killed by the system's own means, in training and in writing, with all their processes, and go on."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bf16 import trains_in_bf16
from test_resume import SMALL, outcome, run
from test_text_training import sentences
from test_training import LIST

from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.errors import CheckpointError
from autocomplete.inference.predictor import Predictor
from autocomplete.storage.checkpoint import MODEL, RESUME, read_checkpoint
from autocomplete.training.settings import TrainingSettings

PRECISION: Any = "bf16" if trains_in_bf16() else "fp32"
WORDS_TOO = replace(SMALL, word_hidden=8, word_embedding=6, word_vocabulary=100, precision=PRECISION)

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that are forked"),
]


@pytest.fixture(autouse=True)
def few_validations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate at few steps, so that most of them have no validation."""
    monkeypatch.setattr(TrainingSettings, "validations", 6)


def text_of(folder: Path) -> Corpus:
    (folder / "text.txt").write_text(sentences(60, seed=1))
    return read_corpus([folder / "text.txt"])


@pytest.fixture(scope="module")
def words_too(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Path]:
    """Return a text, and the checkpoint of a run on it, with a network of words, that nobody disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingSettings, "validations", 6)
        torch.set_num_threads(1)
        run(corpus := text_of(folder), folder / "mine", WORDS_TOO)
    return corpus, folder / "mine"


# Calls that write: among the first are those that write the first state and, at the second step, the first checkpoint; then some.
MOMENTS = [1, 7, 13, *range(24, 1_000, 23)]

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import torch
from autocomplete.corpus.corpus import read_corpus
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

torch.set_num_threads(1)
TrainingSettings.validations = 6
settings, moments = eval(sys.argv[1]), eval(sys.argv[2])
corpus, place = read_corpus([Path("words.txt")]), Path("killed").absolute()
for number in moments:
    (place / str(number)).mkdir(parents=True)
    if (process := os.fork()) == 0:
        calls = 0

        def count(event, arguments):
            global calls
            if event in ("open", "os.mkdir", "os.rename", "os.remove") and str(place) in str(arguments):
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        for _ in train(TrainingInputs(corpus, place / str(number) / "mine", settings, save_every=0)):
            pass
        os._exit(0)
    if os.waitpid(process, 0)[1] == 0:
        break
"""


def test_run_killed_in_writing_ends_as_one_left_alone(tmp_path: Path) -> None:
    """Killed at one call of the system in so many that write, from the first to the last."""
    (tmp_path / "words.txt").write_text(LIST)
    corpus, settings = read_corpus([tmp_path / "words.txt"]), replace(SMALL, steps=12)
    run(corpus, tmp_path / "alone", settings)
    arguments = [sys.executable, "-c", KILLED_WHILE_WRITING, repr(settings), repr(MOMENTS)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    states = set()
    for place in sorted((tmp_path / "killed").iterdir(), key=lambda place: int(place.name)):
        folder = place / "mine"
        states.add((folder.exists(), (folder / MODEL).exists(), (folder / RESUME).exists()))
        if (folder / MODEL).exists():
            read_checkpoint(folder)
            Predictor.load(str(folder)).predict("tria")
        try:  # also where a new folder was about to be renamed, and stands beside its place
            resumable = (folder / RESUME).exists()
            run(corpus, folder, resume=True)
        except CheckpointError as error:
            assert not resumable
            assert re.search("no interrupted training here|its training has ended", str(error))
            if not folder.exists():
                run(corpus, folder, settings)
        assert outcome(folder) == outcome(tmp_path / "alone")
        assert [path.name for path in place.iterdir()] == ["mine"]
    assert {(False, False, False), (True, False, True), (True, True, True), (True, True, False)} <= states


RUNS_OF_A_TEXT = """
import multiprocessing, os, sys
from pathlib import Path
import torch
from autocomplete.corpus.corpus import read_corpus
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.events import Progress
from autocomplete.training.trainer import train

def run(resume):
    for event in train(TrainingInputs(corpus, Path("mine"), settings, resume=resume, save_every=0)):
        if isinstance(event, Progress) and event.step % 10 == 1:
            print(os.getpid(), multiprocessing.active_children()[0].pid, flush=True)

if __name__ == "__main__":
    torch.set_num_threads(1)
    TrainingSettings.validations = 6
    settings, corpus = eval(sys.argv[1]), read_corpus([Path("text.txt")])
    for resume in (False, True):
        if (process := os.fork()) == 0:
            run(resume)
            os._exit(0)
        os.waitpid(process, 0)
"""


def has_ended(process: int) -> bool:
    """Return whether a process is no more, or waits only for somebody to ask how it ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:  # it has ended since, or the system has no such file
        return False


def kill_after_saves(run: int, saves: int, path: Path) -> None:
    """Kill a run once a file was seen to have been replaced so many times, if it does not end before."""
    seen = {0}
    with contextlib.suppress(ProcessLookupError):
        while len(seen) <= saves and not has_ended(run):
            with contextlib.suppress(FileNotFoundError):
                seen.add(path.stat().st_mtime_ns)
        os.kill(run, signal.SIGKILL)


def test_run_with_a_network_of_words_killed_at_random_moments_ends_as_one_left_alone(
    words_too: tuple[Corpus, Path], tmp_path: Path
) -> None:
    """Killed among the steps of both networks, and later, when that of words is waited for."""
    corpus, alone = words_too
    text_of(tmp_path)
    (tmp_path / "runs.py").write_text(RUNS_OF_A_TEXT)
    generator = np.random.default_rng(0)
    arguments = [sys.executable, "runs.py", repr(WORDS_TOO)]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as runs:
        assert runs.stdout is not None
        for fewest, most in [(1, 20), (20, 40)]:
            process, child = map(int, runs.stdout.readline().split())
            kill_after_saves(process, int(generator.integers(fewest, most)), tmp_path / "mine" / RESUME)
            deadline = time.monotonic() + 60
            while not has_ended(child):
                assert time.monotonic() < deadline, "the process of the network of words lives on"
                time.sleep(0.01)
    if (tmp_path / "mine" / RESUME).exists():
        run(corpus, tmp_path / "mine", resume=True)
    assert outcome(tmp_path / "mine") == outcome(alone)


def test_interrupted_text_with_a_network_of_words_ends_as_one_left_alone(
    words_too: tuple[Corpus, Path], tmp_path: Path
) -> None:
    """Interrupted where no validation is due; the one that is made then leaves no trace in the run."""
    corpus, alone = words_too
    asked = iter(range(1, 1000))
    stopped = run(corpus, tmp_path / "mine", WORDS_TOO, should_stop=lambda: next(asked) == 13)
    assert (stopped.reason, stopped.steps) == ("interrupted", 13)
    assert stopped.curve[-1][0] == 13
    assert "words" in stopped.figures["mixture"]["bits_per_word"]
    finished = run(corpus, tmp_path / "mine", resume=True)
    assert 13 not in [step for step, *_ in finished.curve]
    assert outcome(tmp_path / "mine") == outcome(alone)
