"""Several processes, started by PyTorch's own launcher, train one network as one process would."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from command_line import ENVIRONMENT

from autocomplete.corpus.corpus import read_corpus
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.training.events import Progress
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

PATIENCE = 120  # seconds
TEXT = [
    f"the {a} {b} sat on the {c}." for a, b, c in product(["big", "old"], ["cat", "dog", "hen"], ["mat", "bed", "box"])
]
WORDS = ["".join(letters) for letters in product("bdfklmnt", "aeiou", "ndrst")]
# What each process draws for itself is left out: dropout, and hidden letters of words.
SETTINGS = TrainingSettings(steps=100, hidden=12, embedding=6, batch=4, bptt=8, draws=64, unknown=0.0, precision="fp32")
INTERRUPTED = [
    "--steps",
    "1500",
    "--hidden",
    "12",
    "--dropout",
    "0.2",
    "--batch",
    "2",
    "--bptt",
    "8",
    "--precision",
    "fp32",
]

WORKER = f"""
import atexit, json, os
from dataclasses import replace
from pathlib import Path
from autocomplete.corpus.corpus import read_corpus
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.events import Progress
from autocomplete.training.trainer import train

@atexit.register  # called after what training registers
def list_threads():
    threads = [place.read_text() for place in Path("/proc/self/task").glob("*/comm")]
    Path("threads-" + os.environ["RANK"] + ".json").write_text(json.dumps(threads))

half = replace({SETTINGS!r}, batch=2, draws=32)
for name in ("text", "words"):
    events = train(TrainingInputs(read_corpus([Path(name + ".txt")]), Path(name), half))
    losses = [event.bits_per_character for event in events if isinstance(event, Progress)]
    Path(name + "-" + os.environ["RANK"] + ".json").write_text(json.dumps(losses))
"""


def launch(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start two processes in a folder; their output is read together."""
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Return what was printed, when all went well."""
    printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, printed
    return printed


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Two corpora."""
    (tmp_path / "text.txt").write_text("\n".join(TEXT) + "\n")
    (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n")
    return tmp_path


@pytest.mark.usefixtures("one_thread")
def test_two_processes_learn_what_one_with_twice_the_batch_learns(folder: Path) -> None:
    (folder / "worker.py").write_text(WORKER)
    finish(launch(folder, "worker.py"))
    for rank in (0, 1):  # a thread that outlives the exchange of tensors may crash a process that ends
        assert "gloo" not in (folder / f"threads-{rank}.json").read_text()
    for name in ("text", "words"):
        events = train(TrainingInputs(read_corpus([folder / f"{name}.txt"]), folder / "alone" / name, SETTINGS))
        alone = [event.bits_per_character for event in events if isinstance(event, Progress)]
        assert len(alone) == SETTINGS.steps
        for rank in (0, 1):
            assert json.loads((folder / f"{name}-{rank}.json").read_text()) == pytest.approx(alone, abs=1e-3)
        ours, theirs = (read_checkpoint(place / name).tensors for place in (folder, folder / "alone"))
        for tensor in ours:
            np.testing.assert_allclose(ours[tensor], theirs[tensor], atol=5e-3, err_msg=tensor)


def test_an_interrupted_training_of_two_processes_goes_on_as_if_it_had_not_been(folder: Path) -> None:
    command = ["-m", "autocomplete", "--", "train", "text.txt"]
    printed = finish(launch(folder, *command, *INTERRUPTED, "--name", "whole"))
    assert printed.count("saved in checkpoints/whole") == 1
    process = launch(folder, *command, *INTERRUPTED, "--name", "broken", "--save-every", "0.1s")
    end = time.monotonic() + PATIENCE
    while not (folder / "checkpoints" / "broken" / "model.safetensors").exists() and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode != 0
    assert "torchrun --nproc-per-node 2 -m autocomplete -- train text.txt" in printed
    finish(launch(folder, *command, "--name", "broken", "--resume"))
    whole, broken = (read_checkpoint(folder / "checkpoints" / name).tensors for name in ("whole", "broken"))
    for name, tensor in whole.items():
        np.testing.assert_array_equal(tensor, broken[name], err_msg=name)


def test_a_mistake_is_told_in_one_line(folder: Path) -> None:
    process = launch(folder, "-m", "autocomplete", "--", "train", "missing.txt")
    printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode != 0
    assert "\nautocomplete: missing.txt: " in "\n" + printed
    assert "missing.txt" not in printed.partition("Traceback")[2]
