"""The faster precision is found by a measurement, which leaves no trace in the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bf16 import needs_bf16
from test_text_training import SMALL, corpus_of, sentences
from torch import Tensor

from autocomplete.corpus.corpus import Corpus
from autocomplete.errors import SettingsError
from autocomplete.storage.checkpoint import read_checkpoint
from autocomplete.training import precision as module
from autocomplete.training.events import Finished, Started
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.lessons import TextLesson
from autocomplete.training.precision import faster_precision
from autocomplete.training.processes import ALONE
from autocomplete.training.settings import TrainingInputs
from autocomplete.training.trainer import train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the measurement made whatever the processor has."""
    monkeypatch.setattr(module, "_multiplies_in_bf16", lambda device: True)


def lesson_of(corpus: Corpus, seconds: dict[str, float]) -> tuple[TextLesson, np.random.Generator]:
    """Return a lesson whose losses take some seconds more, by precision."""
    generator = np.random.default_rng(0)
    lesson = TextLesson(corpus, SMALL, generator)
    real: Callable[..., tuple[Tensor, float]] = lesson.loss

    def slower(model: CharRNN, precision: str, progress: float) -> tuple[Tensor, float]:
        time.sleep(seconds[precision])
        return real(model, precision, progress)

    lesson.loss = slower  # type: ignore[method-assign]
    return lesson, generator


@needs_bf16
@pytest.mark.usefixtures("instructions")
@pytest.mark.parametrize(("fp32", "bf16", "expected"), [(0.3, 0.02, "bf16"), (0.02, 0.3, "fp32"), (0.3, 0.3, "fp32")])
def test_clearly_faster_one_is_chosen(tmp_path: Path, fp32: float, bf16: float, expected: str) -> None:
    lesson, generator = lesson_of(corpus_of(tmp_path, text=sentences(40, seed=1)), {"fp32": fp32, "bf16": bf16})
    model = CharRNN(SMALL.configuration(len(lesson.vocabulary)))
    before = generator.bit_generator.state, torch.get_rng_state(), lesson.tensors()
    assert faster_precision(model, lesson, generator, ALONE) == expected
    assert generator.bit_generator.state == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    after = lesson.tensors()
    assert after.keys() == before[2].keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before[2].items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_processor_without_instructions_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    lesson, generator = lesson_of(corpus_of(tmp_path, text=sentences(40, seed=1)), {})
    assert faster_precision(CharRNN(SMALL.configuration(9)), lesson, generator, ALONE) == "fp32"


def test_processor_that_has_no_layers_in_bf16_is_told_of_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(*arguments: object) -> None:
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(torch.nn.LSTM, "forward", missing)
    corpus, settings = corpus_of(tmp_path, text=sentences(40, seed=1)), replace(SMALL, precision="bf16")
    with pytest.raises(SettingsError, match="cannot train an LSTM in bf16; choose --precision fp32"):
        list(train(TrainingInputs(corpus, tmp_path / "mine", settings)))
    with pytest.raises(SettingsError, match="an LSTM"):  # the network of words is one
        list(train(TrainingInputs(corpus, tmp_path / "mine", replace(settings, cell="gru", word_hidden=8))))
    assert not (tmp_path / "mine").exists()


@needs_bf16
@pytest.mark.usefixtures("instructions")
@pytest.mark.parametrize("kind", ["text", "list"])
def test_training_is_the_same_as_one_that_was_told(tmp_path: Path, kind: str) -> None:
    if kind == "text":
        corpus = corpus_of(tmp_path, text=sentences(40, seed=1))
    else:
        corpus = corpus_of(tmp_path, list="\n".join(sorted(set(sentences(40, seed=1).split()))) + "\n")
    settings = replace(SMALL, steps=8, dropout=0.2, precision="auto")
    started, *_, finished = train(TrainingInputs(corpus, tmp_path / "measured", settings))
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert started.precision in ("fp32", "bf16")
    *_, told = train(TrainingInputs(corpus, tmp_path / "told", replace(settings, precision=started.precision)))
    assert isinstance(told, Finished)
    measured, other = (read_checkpoint(tmp_path / name) for name in ("measured", "told"))
    for name, tensor in measured.tensors.items():
        np.testing.assert_array_equal(tensor, other.tensors[name])
    assert measured.training["precision"] == started.precision
