"""
The training loop: draw words, take a step, validate now and then, keep the best.

`train` is a generator of events. It writes the checkpoint itself and draws nothing: whoever iterates shows what they like.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from autocomplete.corpus.corpus import Corpus
from autocomplete.corpus.running_text import RunningText
from autocomplete.corpus.soft_targets import SoftTargets
from autocomplete.corpus.word_vectors import WordVectors
from autocomplete.errors import SettingsError
from autocomplete.storage.checkpoint import check_place
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.memory import keep_memory
from autocomplete.training.events import Event, Finished, Progress, Started, Validated
from autocomplete.training.networks.bidirectional import BidirectionalRNN
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.gaps import GapLesson
from autocomplete.training.objectives.lessons import Lesson, TextLesson, WordsLesson
from autocomplete.training.optimization import new_optimizer, training_step
from autocomplete.training.origin import Origin
from autocomplete.training.precision import check_bf16, faster_precision
from autocomplete.training.processes import join_processes
from autocomplete.training.resume import Run, RunState, input_hashes, read_run, saved_origin, saved_words
from autocomplete.training.settings import TrainingSettings
from autocomplete.training.snapshot import Snapshot
from autocomplete.training.transfer import read_origin
from autocomplete.training.words.context import Context

__all__ = ["train"]

_BETTER = 1e-4  # bits per character; a smaller gain is noise
_CLIMBED = 1.0  # bits per character above the first step; small networks that came back from there ended two to four times worse
_CLIMBED_STEPS = 50  # in a row, as many as the loss is averaged over: a few bad steps end no run
_CONTEXT = 20_000_000  # bytes that the words in context may take, beside the networks
_LISTEN = 0.2  # seconds between two looks at whether the network of words has come, and whether the run is to stop
_SAMPLES = 8  # words shown at each validation


def train(
    corpus: Corpus,
    folder: Path,
    settings: TrainingSettings,
    *,
    overwrite: bool = False,
    resume: bool = False,
    save_every: float = 60.0,
    validation: RunningText | None = None,
    background: RunningText | None = None,
    taught: SoftTargets | None = None,
    vectors: WordVectors | None = None,
    source: Path | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """
    Train a network on the words of a corpus and write it to a folder.

    A run that is bounded by steps ends with the same weights, on the same machine with the same number of threads, however
    often it was interrupted or killed and resumed: the clock has no say in it. One that is bounded by minutes goes on where
    it was saved, and the time that it had taken by then counts: what was saved is not lost, but no two such runs are the same.

    :param overwrite: replace a checkpoint that is there.
    :param resume: go on with the interrupted or killed run in that folder, under its own settings.
    :param save_every: seconds after which what the run goes on with is saved again; so it is with each network that is the best.
    :param validation: text to measure on, in place of the last part of the corpus.
    :param background: text that the networks read beside that of the corpus, less towards the end of the run; its word
        n-grams are counted too, but its words and characters are not added to the corpus's.
    :param taught: what a larger model expects in some text, for the network of words to learn beside what stands there.
    :param vectors: by which the network of words, once it is trained, is to tell words apart that it does not know; not where the
        run is interrupted.
    :param source: the folder of a checkpoint to start from; the sizes of its network take the place of those in the settings. A
        run that is resumed knows where it came from, and needs that checkpoint no more.
    :param should_stop: asked after every step; once it answers yes, the best so far is saved and the run ends.
    :raises CheckpointError: where the folder cannot be written or resumed, or the source cannot be read.
    :raises SettingsError: where source and corpus do not fit together; and where the training diverges: a loss, gradient or
        validation that is no number, or a loss that climbs above that of the first step and stays there. The best so far is kept.
    """
    with ExitStack() as cleanup:
        yield from _run(
            corpus,
            folder,
            settings,
            overwrite,
            resume,
            save_every,
            validation,
            background,
            taught,
            vectors,
            source,
            should_stop,
            cleanup,
        )


def _run(
    corpus: Corpus,
    folder: Path,
    settings: TrainingSettings,
    overwrite: bool,
    resume: bool,
    save_every: float,
    validation: RunningText | None,
    background: RunningText | None,
    taught: SoftTargets | None,
    vectors: WordVectors | None,
    source: Path | None,
    should_stop: Callable[[], bool],
    cleanup: ExitStack,
) -> Iterator[Event]:
    """Train; what is put into `cleanup` is done at the end, whatever that is."""
    processes = join_processes()
    hashes = input_hashes(corpus, validation, background, taught, vectors)
    saved: Snapshot | None = None
    origin: Origin | None = None
    if source is not None and settings.bidirectional:
        raise SettingsError("a bidirectional training starts from nothing; leave out --from, or --bidirectional")
    if resume:
        settings, saved = read_run(folder, corpus.name, hashes)
        origin = saved_origin(folder, saved)
    elif source is not None:
        origin = read_origin(source, corpus, settings)
        settings = origin.settings(settings)
    learned = corpus if origin is None else origin.merge(corpus)
    generator = np.random.default_rng(settings.seed)
    lesson: Lesson
    if settings.bidirectional:
        lesson = GapLesson(learned, settings, generator, validation, background, processes)
    elif corpus.text is not None:
        lesson = TextLesson(learned, settings, generator, validation, background, processes, origin)
    else:
        lesson = WordsLesson(learned, settings, generator, processes, origin)
    configuration = settings.configuration(len(lesson.vocabulary))
    if origin is not None:
        configuration = replace(origin.configuration, vocabulary=len(lesson.vocabulary))
    if saved is None and processes.first:
        check_place(folder, overwrite=overwrite, size=_size(configuration, settings, lesson.unit))

    torch.manual_seed(settings.seed)
    device = processes.device
    try:
        model = (BidirectionalRNN if settings.bidirectional else CharRNN)(configuration, settings.dropout).to(device)
    except RuntimeError as error:  # what torch raises for want of memory
        problem = str(error).splitlines()[0]
        raise SettingsError(f"the network does not fit in memory ({problem}); try fewer --hidden or --layers") from None
    if origin is not None and saved is None:
        origin.initialize(model, lesson.vocabulary)
    if settings.precision == "auto":  # told to a run that goes on, which shall not change it
        settings = replace(settings, precision=faster_precision(model, lesson, generator, processes))
    if settings.precision == "bf16":
        check_bf16({configuration.cell, "lstm"} if settings.word_hidden else {configuration.cell}, device)
    precision = settings.precision
    optimizer = new_optimizer(model, settings.weight_decay)
    run = Run(folder, corpus, settings, hashes, lesson, model, optimizer, generator, processes, save_every, overwrite)
    run.origin = origin
    if saved is not None:
        run.go_on(saved)
    state = run.state
    shared = processes.shared(model)
    yield Started(
        corpus, configuration, settings, lesson.held_out, precision, device.type, state.steps, lesson.judged_by
    )
    if settings.word_hidden and device.type == "cpu":  # the other half of the processor is for the network of words
        cleanup.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    if isinstance(lesson, TextLesson) and processes.first:
        texts = lesson.read, lesson.beside, lesson.validation
        network = None
        if origin is not None and (origin.weight > 0 or settings.word_hidden):
            network = origin.words_in(lesson.words.keys)
        run.context = Context(
            learned,
            lesson.words,
            lesson.vocabulary,
            *texts,
            settings,
            precision,
            taught,
            saved_words(saved),
            save_every,
            network,
            lesson.rare_words,
            vectors,
        )
        cleanup.callback(run.context.close)
    saved = None  # it is as large as all that goes on from it
    word_process = None if run.context is None else run.context.word_process

    def diverged(problem: str) -> SettingsError:
        kept = f"the best so far is in {folder}" if run.on_disk else "nothing was saved"
        highest = settings.learning_rate or lesson.highest_rate
        other = "" if precision == "fp32" else " or --precision fp32"
        return SettingsError(f"{problem}; {kept}. Try a lower --learning-rate than {highest:g}{other}")

    def step() -> Progress:
        """Learn from the next data."""
        before = run.progress
        processes.seed(settings.seed, state.steps)
        nats, characters, of_corpus = shared(lambda model: lesson.loss(model, precision, before))
        state.learning_rate = settings.rate(lesson.highest_rate, state.steps, before)
        every, weighed, seconds = processes.sums(
            [characters, characters * float(nats.detach()), run.seconds() * processes.first]
        )
        own_share = characters * processes.count / every  # one, but for words, which are not of one length
        norm = float(training_step(model, optimizer, nats * own_share, state.learning_rate, settings.clip))
        loss = weighed / every / math.log(2)
        state.steps += 1
        for name, value in (("loss", loss), ("norm of the gradient", norm)):
            if not math.isfinite(value):
                raise diverged(f"the {name} became {value} at step {state.steps}")
        state.seconds = seconds
        state.characters += every
        # Averages over about 50 steps, and over all of them while there are fewer.
        share = max(0.02, 1 / state.steps)
        if of_corpus or not state.training_bits:
            state.training_bits += share * (loss - state.training_bits)
        state.gradient_norm += share * (norm - state.gradient_norm)
        if state.steps == 1:
            state.first_bits = loss
        climbed = state.training_bits > state.first_bits + _CLIMBED
        state.steps_climbed = state.steps_climbed + 1 if climbed else 0
        if state.steps_climbed == _CLIMBED_STEPS:
            bits_now = f"{state.training_bits:.1f} bits per character"
            raise diverged(f"the loss climbed from {state.first_bits:.1f} to {bits_now} by step {state.steps}")
        progress = run.progress
        return Progress(
            step=state.steps,
            progress=progress,
            bits_per_character=state.training_bits,
            gradient_norm=state.gradient_norm,
            learning_rate=state.learning_rate,
            characters_per_second=state.characters / state.seconds,
            seconds_left=state.seconds * (1 - progress) / progress if state.steps > 10 else None,
        )

    def validate(state: RunState) -> Validated:
        """Measure the network, write down what came of it, and keep the network if it is the best."""

        def measure() -> tuple[float, float, float]:
            began = time.monotonic()
            return *lesson.bits(model), settings.validation_share(time.monotonic() - began)

        bits, held_out_bits, share = processes.from_first(measure, 3)
        if not math.isfinite(bits):
            raise diverged(f"the validation at step {state.steps} gave {bits} bits per character")
        later = run.progress + share
        state.next_validation = min(1.0, later) if run.progress < 1.0 else math.inf
        state.curve.append((state.steps, state.training_bits, held_out_bits))
        best = bits < state.best_bits - _BETTER
        state.validations_since_best = 0 if best else state.validations_since_best + 1
        if best:
            state.best_bits = bits
            state.best = {name: value.detach().half().cpu() for name, value in model.state_dict().items()}
            run.write_best(state)
        sampled = model.sample(_SAMPLES, torch.Generator().manual_seed(settings.seed))
        return Validated(
            step=state.steps,
            seconds=state.seconds,
            training_bits=state.training_bits,
            held_out_bits=held_out_bits,
            best=best,
            best_bits=state.best_bits,
            validations_since_best=state.validations_since_best,
            gradient_norm=state.gradient_norm,
            learning_rate=state.learning_rate,
            characters_per_second=state.characters / state.seconds,
            samples=tuple(corpus.normalization.spell(lesson.vocabulary.decode(word)) for word in sampled),
        )

    keep_memory()  # from now on: what was needed to count words is handed back
    interrupted = False
    while True:
        if run.progress >= state.next_validation:
            yield validate(state)
            if word_process is not None:
                word_process.check()
        if interrupted or math.isinf(state.next_validation) or state.validations_since_best >= settings.patience:
            break
        yield step()
        interrupted = any(processes.sums([should_stop()]))
        run.save_if_due()

    def words_at_work() -> list[float]:
        """Listen to the process of the network of words for a moment."""
        if word_process is None:
            return [False]
        word_process.receive(seconds=_LISTEN)
        return [word_process.at_work]

    while not interrupted and any(processes.from_first(words_at_work, 1)):
        interrupted = any(processes.sums([should_stop()]))
        run.save_if_due()

    reason: Literal["done", "early", "interrupted"] = "done" if math.isinf(state.next_validation) else "early"
    last = state
    if interrupted:
        reason = "interrupted"
        if word_process is not None:
            word_process.stop()
        run.save()
        last = state.copy()  # what follows is for the checkpoint only: a run that goes on has never seen it
        if not last.curve or last.curve[-1][0] < last.steps:
            yield validate(last)

    if not processes.first:
        processes.part()
        return
    # The figures of what is on disk: the best weights, rounded to fp16.
    model.load_state_dict({name: value.float() for name, value in last.best.items()})
    mixture = {} if run.context is None else {"mixture": run.context.finish(model, whole=not interrupted)}
    summary = {"steps": last.steps, "seconds": round(last.seconds, 1), "curve": last.curve}
    forgotten = {} if origin is None else {"from": origin.figures(model, lesson.vocabulary)}
    figures = lesson.figures(model) | mixture | forgotten | summary
    run.finish(last, figures, resumable=interrupted)
    processes.part()
    yield Finished(folder, reason, last.steps, last.seconds, figures, last.curve)


def _size(configuration: Configuration, settings: TrainingSettings, unit: str) -> int:
    """Return the bytes that a run needs on disk: twice what it goes on with and its checkpoint, the new beside the old."""
    parameters = configuration.parameters
    if unit == "text" and settings.word_hidden:
        sizes = settings.word_hidden, settings.word_embedding
        parameters += Configuration(settings.word_vocabulary, "lstm", 1, *sizes, tied=True).parameters
    return 2 * (14 + 2) * parameters + _CONTEXT * (unit == "text")
