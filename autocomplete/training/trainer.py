"""
The training loop: draw words, take a step, validate now and then, keep the best.

`train` is a generator of events. It writes the checkpoint itself and draws nothing: whoever iterates shows what they like.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from autocomplete.checkpoint import (
    RESUME,
    Checkpoint,
    Configuration,
    check_place,
    read_checkpoint,
    update_checkpoint,
    write_checkpoint,
    write_context,
)
from autocomplete.errors import SettingsError
from autocomplete.text.corpus import Corpus
from autocomplete.text.running_text import RunningText
from autocomplete.training.context import Context
from autocomplete.training.lessons import Lesson, TextLesson, WordsLesson
from autocomplete.training.model import CharRNN
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.resume import RunState, input_hashes, load_state, resumable_settings, save_state
from autocomplete.training.settings import TrainingSettings

__all__ = ["Event", "Finished", "Progress", "Started", "Validated", "train"]

_BETTER = 1e-4  # bits per character; a smaller gain is noise
_CLIMBED = 1.0  # bits per character above the first step; small networks that came back from there ended two to four times worse
_CLIMBED_STEPS = 50  # in a row, as many as the loss is averaged over: a few bad steps end no run
_CONTEXT = 20_000_000  # bytes that the words in context may take, beside weights, optimizer, and a copy
_SAMPLES = 8  # words shown at each validation


@dataclass(frozen=True)
class Started:
    """The run begins."""

    corpus: Corpus
    configuration: Configuration
    settings: TrainingSettings
    held_out: int
    precision: str
    device: str
    steps_done: int


@dataclass(frozen=True)
class Progress:
    """
    A step was taken.

    :param progress: of the whole run, from 0 to 1.
    :param bits_per_character: of the words drawn, averaged over the last steps.
    :param gradient_norm: before it is clipped, averaged likewise.
    :param characters_per_second: of all words drawn; the same word drawn twice counts twice.
    :param seconds_left: None before that can be told.
    """

    step: int
    progress: float
    bits_per_character: float
    gradient_norm: float
    learning_rate: float
    characters_per_second: float
    seconds_left: float | None


@dataclass(frozen=True)
class Validated:
    """
    The network was measured, and `samples` drawn from it; if it is the best so far, it is saved.

    :param training_bits: bits per character of the words drawn in the last steps.
    :param held_out_bits: of the words that the network never sees.
    :param best: whether the next word typed, as `Validation` has it, has never taken fewer bits.
    :param best_bits: the fewest that it has taken, per character.
    :param validations_since_best: the run ends where they reach its patience.
    :param gradient_norm: as in `Progress`, and so are learning rate and speed.
    """

    step: int
    seconds: float
    training_bits: float
    held_out_bits: float
    best: bool
    best_bits: float
    validations_since_best: int
    gradient_norm: float
    learning_rate: float
    characters_per_second: float
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """
    The run is over and the best network saved.

    :param reason: "done", "early" where validations no longer got better, or "interrupted".
    :param curve: (step, training bits, held-out bits per character) of each validation.
    """

    folder: Path
    reason: Literal["done", "early", "interrupted"]
    steps: int
    seconds: float
    figures: dict[str, Any]
    curve: list[tuple[int, float, float]]


Event = Started | Progress | Validated | Finished


def train(
    corpus: Corpus,
    folder: Path,
    settings: TrainingSettings,
    *,
    overwrite: bool = False,
    resume: bool = False,
    validation: RunningText | None = None,
    background: RunningText | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """
    Train a network on the words of a corpus and write it to a folder.

    :param overwrite: replace a checkpoint that is there.
    :param resume: go on with the interrupted run in that folder, under its own settings.
    :param validation: text to measure on, in place of the last part of the corpus.
    :param background: text that the networks read beside that of the corpus, less towards the end of the run; its word
        n-grams are counted too, but its words and characters are not added to the corpus's.
    :param should_stop: asked after every step; once it answers yes, the best so far is saved and the run ends.
    :raises CheckpointError: where the folder cannot be written or resumed.
    :raises SettingsError: where the training diverges: a loss, gradient or validation that is no number, or a loss that climbs
        above that of the first step and stays there. The best so far is kept.
    """
    with ExitStack() as cleanup:
        yield from _run(corpus, folder, settings, overwrite, resume, validation, background, should_stop, cleanup)


def _run(
    corpus: Corpus,
    folder: Path,
    settings: TrainingSettings,
    overwrite: bool,
    resume: bool,
    validation: RunningText | None,
    background: RunningText | None,
    should_stop: Callable[[], bool],
    cleanup: ExitStack,
) -> Iterator[Event]:
    """Train; what is put into `cleanup` is done at the end, whatever that is."""
    hashes = input_hashes(corpus, validation, background)
    if resume:
        settings = resumable_settings(folder, corpus.name, hashes)
    generator = np.random.default_rng(settings.seed)
    lesson: Lesson = (
        TextLesson(corpus, settings, generator, validation, background)
        if corpus.text is not None
        else WordsLesson(corpus, settings, generator)
    )
    configuration = settings.configuration(len(lesson.vocabulary))
    if not resume:
        check_place(
            folder, overwrite=overwrite, size=16 * configuration.parameters + _CONTEXT * (lesson.unit == "text")
        )

    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = _precision(settings.precision, device)
    try:
        model = CharRNN(configuration, settings.dropout).to(device)
    except RuntimeError as error:  # what torch raises for want of memory
        problem = str(error).splitlines()[0]
        raise SettingsError(f"the network does not fit in memory ({problem}); try fewer --hidden or --layers") from None
    optimizer = new_optimizer(model, settings.weight_decay)
    state = load_state(folder, model, optimizer, generator, lesson) if resume else RunState()
    started = time.monotonic() - state.seconds
    on_disk = resume
    yield Started(corpus, configuration, settings, lesson.held_out, precision, device.type, state.steps)
    if settings.word_hidden and device.type == "cpu":  # the other half of the processor is for the network of words
        cleanup.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    context = None
    if isinstance(lesson, TextLesson):
        context = Context(
            corpus, lesson.words, lesson.vocabulary, lesson.read, lesson.beside, lesson.validation, settings, precision
        )
        cleanup.callback(context.close)

    def diverged(problem: str) -> SettingsError:
        kept = f"the best so far is in {folder}" if on_disk else "nothing was saved"
        highest = settings.learning_rate or lesson.highest_rate
        other = "" if precision == "fp32" else " or --precision fp32"
        return SettingsError(f"{problem}; {kept}. Try a lower --learning-rate than {highest:g}{other}")

    reason: Literal["done", "early", "interrupted"] = "done"
    progress = settings.progress(state.steps, state.seconds)
    while progress < 1.0:
        nats, characters = lesson.loss(model, precision, progress)
        rate = settings.rate(lesson.highest_rate, state.steps, progress)
        norm = float(training_step(model, optimizer, nats, rate, settings.clip))
        loss = float(nats.detach()) / math.log(2)
        state.steps += 1
        for name, value in (("loss", loss), ("norm of the gradient", norm)):
            if not math.isfinite(value):
                raise diverged(f"the {name} became {value} at step {state.steps}")
        state.seconds = time.monotonic() - started
        state.characters += characters
        # Averages over about 50 steps, and over all of them while there are fewer.
        share = max(0.02, 1 / state.steps)
        state.training_bits += share * (loss - state.training_bits)
        state.gradient_norm += share * (norm - state.gradient_norm)
        if state.steps == 1:
            state.first_bits = loss
        climbed = state.training_bits > state.first_bits + _CLIMBED
        state.steps_climbed = state.steps_climbed + 1 if climbed else 0
        if state.steps_climbed == _CLIMBED_STEPS:
            bits_now = f"{state.training_bits:.1f} bits per character"
            raise diverged(f"the loss climbed from {state.first_bits:.1f} to {bits_now} by step {state.steps}")
        speed = state.characters / state.seconds
        progress = settings.progress(state.steps, state.seconds)
        yield Progress(
            step=state.steps,
            progress=progress,
            bits_per_character=state.training_bits,
            gradient_norm=state.gradient_norm,
            learning_rate=rate,
            characters_per_second=speed,
            seconds_left=state.seconds * (1 - progress) / progress if state.steps > 10 else None,
        )
        if should_stop():
            reason = "interrupted"
        elif progress < 1.0 and progress < state.next_validation:
            continue

        began = time.monotonic()
        bits, held_out_bits = lesson.bits(model)
        if not math.isfinite(bits):
            raise diverged(f"the validation at step {state.steps} gave {bits} bits per character")
        best = bits < state.best_bits - _BETTER
        state.next_validation = progress + settings.validation_share(time.monotonic() - began)
        state.validations_since_best = 0 if best else state.validations_since_best + 1
        state.curve.append((state.steps, state.training_bits, held_out_bits))
        if best:
            state.best_bits = bits
            checkpoint = _checkpoint(corpus, lesson, configuration, settings, model, {"steps": state.steps})
            if on_disk:
                update_checkpoint(folder, checkpoint)
            else:
                write_checkpoint(folder, checkpoint, lesson.lexicon(), overwrite=overwrite)
                if context is not None:
                    write_context(folder, *context.tensors())
                on_disk = True
        save_state(folder, model, optimizer, generator, state, settings, hashes, lesson)
        sampled = model.sample(_SAMPLES, torch.Generator().manual_seed(settings.seed))
        samples = tuple(corpus.normalization.spell(lesson.vocabulary.decode(word)) for word in sampled)
        yield Validated(
            step=state.steps,
            seconds=state.seconds,
            training_bits=state.training_bits,
            held_out_bits=held_out_bits,
            best=best,
            best_bits=state.best_bits,
            validations_since_best=state.validations_since_best,
            gradient_norm=state.gradient_norm,
            learning_rate=rate,
            characters_per_second=speed,
            samples=samples,
        )
        if reason == "interrupted":
            break
        if state.validations_since_best >= settings.patience:
            reason = "early"
            break

    # The figures of what is on disk: the best weights, rounded to fp16.
    _load_best(folder, model)
    extra: dict[str, Any] = {}
    if context is not None:
        extra = {"mixture": context.finish(model, interrupted=reason == "interrupted")}
        write_context(folder, *context.tensors())
    figures = (
        lesson.figures(model)
        | extra
        | {
            "steps": state.steps,
            "seconds": round(state.seconds, 1),
            "curve": state.curve,
        }
    )
    update_checkpoint(folder, _checkpoint(corpus, lesson, configuration, settings, model, figures))
    if reason != "interrupted":
        (folder / RESUME).unlink(missing_ok=True)
    yield Finished(folder, reason, state.steps, state.seconds, figures, state.curve)


def _precision(wanted: str, device: torch.device) -> str:
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    processor = torch.cpu.get_capabilities()
    return "bf16" if processor.get("amx_bf16") or processor.get("avx512_bf16") else "fp32"


def _checkpoint(
    corpus: Corpus,
    lesson: Lesson,
    configuration: Configuration,
    settings: TrainingSettings,
    model: CharRNN,
    figures: dict[str, Any],
) -> Checkpoint:
    return Checkpoint(
        configuration=configuration,
        vocabulary=lesson.vocabulary,
        unit=lesson.unit,
        normalization=corpus.normalization,
        tensors={name: value.detach().cpu().half().numpy() for name, value in model.state_dict().items()},
        corpus=corpus.to_json(),
        training=settings.to_json(),
        figures=figures,
    )


def _load_best(folder: Path, model: CharRNN) -> None:
    tensors = {name: torch.from_numpy(value).float() for name, value in read_checkpoint(folder).tensors.items()}
    model.load_state_dict(tensors)
