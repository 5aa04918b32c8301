"""
The training loop: draw data, take a step, validate now and then, keep the best.

`train` is a generator of events. It writes the checkpoint itself and draws nothing: whoever iterates shows what they like.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from autocomplete.errors import SettingsError
from autocomplete.storage.checkpoint import check_place
from autocomplete.storage.configuration import Configuration
from autocomplete.storage.memory import keep_memory
from autocomplete.training.events import Event, Finished, Progress, Started, Validated
from autocomplete.training.networks.bidirectional import BidirectionalRNN
from autocomplete.training.networks.recurrent import CharRNN
from autocomplete.training.objectives.gaps import GapLesson
from autocomplete.training.objectives.lessons import Lesson, TextLesson, WordsLesson
from autocomplete.training.optimization import training_step
from autocomplete.training.origin import Origin
from autocomplete.training.precision import check_bf16, faster_precision
from autocomplete.training.processes import join_processes
from autocomplete.training.resume import Run, RunState, read_run, saved_words
from autocomplete.training.settings import TrainingInputs, TrainingSettings
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


def train(inputs: TrainingInputs) -> Generator[Event, None, None]:
    """
    Train a network on the words of a corpus and write it to a folder.

    A run that is bounded by steps ends with the same weights, on the same machine with the same number of threads, however
    often it was interrupted or killed and resumed: the clock has no say in it. A run that is bounded by minutes goes on where
    it was saved, and the time that it had taken by then counts: nothing saved is lost, but no two such runs are the same.

    :raises CheckpointError: where the folder cannot be written or resumed, or the source cannot be read.
    :raises SettingsError: where source and corpus do not fit together; and where the training diverges: a loss, gradient or
        validation that is no number, or a loss that climbs above that of the first step and stays there. The best so far is kept.
    """
    processes, settings = join_processes(), inputs.settings
    saved: Snapshot | None = None
    origin: Origin | None = None
    if inputs.source is not None and settings.bidirectional:
        raise SettingsError("a bidirectional training starts from nothing; leave out --from, or --bidirectional")
    if inputs.resume:
        settings, saved, origin = read_run(inputs)
    elif inputs.source is not None:
        origin = read_origin(inputs.source, inputs.corpus, settings)
        settings = origin.settings(settings)
    corpus = inputs.corpus if origin is None else origin.merge(inputs.corpus)
    generator = np.random.default_rng(settings.seed)
    lesson: Lesson
    if settings.bidirectional:
        lesson = GapLesson(corpus, settings, generator, inputs.validation, inputs.background, processes)
    elif corpus.text is not None:
        lesson = TextLesson(corpus, settings, generator, inputs.validation, inputs.background, processes, origin)
    else:
        lesson = WordsLesson(corpus, settings, generator, processes, origin)
    configuration = settings.configuration(len(lesson.vocabulary))
    if origin is not None:
        configuration = replace(origin.configuration, vocabulary=len(lesson.vocabulary))
    if saved is None and processes.first:
        check_place(inputs.folder, overwrite=inputs.overwrite, size=_size(configuration, settings, lesson.unit))

    torch.manual_seed(settings.seed)
    kind = BidirectionalRNN if settings.bidirectional else CharRNN
    try:
        model = kind(configuration, settings.dropout).to(processes.device)
    except RuntimeError as error:  # what torch raises for want of memory
        problem = str(error).splitlines()[0]
        raise SettingsError(f"the network does not fit in memory ({problem}); try fewer --hidden or --layers") from None
    if origin is not None and saved is None:
        origin.initialize(model, lesson.vocabulary)
    if settings.precision == "auto":  # told to a run that goes on, which shall not change it
        settings = replace(settings, precision=faster_precision(model, lesson, generator, processes))
    if settings.precision == "bf16":
        check_bf16({configuration.cell, "lstm"} if settings.word_hidden else {configuration.cell}, processes.device)
    run = Run(inputs, settings, lesson, model, generator, processes, origin, saved)
    trainer = Trainer(run)
    yield Started(
        inputs.corpus,
        configuration,
        settings,
        lesson.held_out,
        settings.precision,
        processes.device.type,
        run.state.steps,
        lesson.judged_by,
    )
    with ExitStack() as cleanup:
        if settings.word_hidden and processes.device.type == "cpu":  # half of the processor is for the network of words
            cleanup.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(max(1, torch.get_num_threads() // 2))
        if isinstance(lesson, TextLesson) and processes.first:
            network = None
            if origin is not None and (origin.weight > 0 or settings.word_hidden):
                network = origin.words_in(lesson.words.keys)
            run.context = Context(
                corpus,
                lesson.words,
                lesson.vocabulary,
                lesson.read,
                lesson.beside,
                lesson.validation,
                settings,
                settings.precision,
                inputs.taught,
                saved_words(saved),
                inputs.save_every,
                network,
                lesson.rare_words,
                inputs.vectors,
            )
            cleanup.callback(run.context.close)
        del saved  # it is as large as all that goes on from it
        keep_memory()  # from now on: what was needed to count words is handed back
        interrupted = yield from trainer.train()
        yield from trainer.finish(interrupted)


class Trainer:
    """The steps, the validations and the end of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._apply = run.processes.shared(run.model)

    def train(self) -> Generator[Event, None, bool]:
        """Take steps, and validate now and then, until the run is over; return whether it was interrupted."""
        run, state, interrupted = self._run, self._run.state, False
        while True:
            if run.progress >= state.next_validation:
                yield self.validate(state)
                if run.word_process is not None:
                    run.word_process.check()
            over = math.isinf(state.next_validation) or state.validations_since_best >= run.settings.patience
            if interrupted or over:
                break
            yield self.step()
            interrupted = self._pause()
        while not interrupted and any(run.processes.from_first(self._words_at_work, 1)):
            interrupted = self._pause()
        return interrupted

    def step(self) -> Progress:
        """Learn from the next data; raise SettingsError where that diverges."""
        run, state, settings, processes = self._run, self._run.state, self._run.settings, self._run.processes
        before = run.progress
        processes.seed(settings.seed, state.steps)
        nats, characters, of_corpus = self._apply(lambda model: run.lesson.loss(model, settings.precision, before))
        state.learning_rate = settings.rate(run.lesson.highest_rate, state.steps, before)
        own = characters, characters * float(nats.detach()), run.seconds() * processes.first
        every, weighed, seconds = processes.sums(own)
        own_share = characters * processes.count / every  # one, but for words, which are not of one length
        loss = nats * own_share
        norm = float(training_step(run.model, run.optimizer, loss, state.learning_rate, settings.clip))
        bits = weighed / every / math.log(2)
        state.steps += 1
        for name, value in (("loss", bits), ("norm of the gradient", norm)):
            if not math.isfinite(value):
                raise self._diverged(f"the {name} became {value} at step {state.steps}")
        state.seconds = seconds
        state.characters += every
        # Averages over about 50 steps, and over all of them while there are fewer.
        share = max(0.02, 1 / state.steps)
        if of_corpus or not state.training_bits:
            state.training_bits += share * (bits - state.training_bits)
        state.gradient_norm += share * (norm - state.gradient_norm)
        if state.steps == 1:
            state.first_bits = bits
        climbed = state.training_bits > state.first_bits + _CLIMBED
        state.steps_climbed = state.steps_climbed + 1 if climbed else 0
        if state.steps_climbed == _CLIMBED_STEPS:
            bits_now = f"{state.training_bits:.1f} bits per character"
            raise self._diverged(f"the loss climbed from {state.first_bits:.1f} to {bits_now} by step {state.steps}")
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

    def validate(self, state: RunState) -> Validated:
        """Measure the network, write down what came of it in a state, and keep the network if it is the best."""
        run, model = self._run, self._run.model

        def measure() -> tuple[float, float, float]:
            began = time.monotonic()
            return *run.lesson.bits(model), run.settings.validation_share(time.monotonic() - began)

        bits, held_out_bits, share = run.processes.from_first(measure, 3)
        if not math.isfinite(bits):
            raise self._diverged(f"the validation at step {state.steps} gave {bits} bits per character")
        state.next_validation = min(1.0, run.progress + share) if run.progress < 1.0 else math.inf
        state.curve.append((state.steps, state.training_bits, held_out_bits))
        best = bits < state.best_bits - _BETTER
        state.validations_since_best = 0 if best else state.validations_since_best + 1
        if best:
            state.best_bits = bits
            state.best = {name: value.detach().half().cpu() for name, value in model.state_dict().items()}
            run.write_best(state)
        words = model.sample(_SAMPLES, torch.Generator().manual_seed(run.settings.seed))
        spell, vocabulary = run.inputs.corpus.alphabet.spell, run.lesson.vocabulary
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
            samples=tuple(spell(vocabulary.decode(word)) for word in words),
        )

    def finish(self, interrupted: bool) -> Generator[Event, None, None]:
        """Write the best network with its figures."""
        run, last = self._run, self._run.state
        reason: Literal["done", "early", "interrupted"] = "done" if math.isinf(last.next_validation) else "early"
        if interrupted:
            reason = "interrupted"
            if run.word_process is not None:
                run.word_process.stop()
            run.save()
            # What follows is for the checkpoint only: a run that goes on has never seen it.
            last = replace(last, curve=list(last.curve))
            if not last.curve or last.curve[-1][0] < last.steps:
                yield self.validate(last)
        if not run.processes.first:
            run.processes.part()
            return
        # The figures of what is on disk: the best weights, rounded to fp16.
        run.model.load_state_dict({name: value.float() for name, value in last.best.items()})
        mixture = {} if run.context is None else {"mixture": run.context.finish(run.model, whole=not interrupted)}
        summary = {"steps": last.steps, "seconds": round(last.seconds, 1), "curve": last.curve}
        forgotten = {} if run.origin is None else {"from": run.origin.figures(run.model, run.lesson.vocabulary)}
        figures = run.lesson.figures(run.model) | mixture | forgotten | summary
        run.finish(last, figures, resumable=interrupted)
        run.processes.part()
        yield Finished(run.folder, reason, last.steps, last.seconds, figures, last.curve)

    def _pause(self) -> bool:
        """Save the run if it is time to; return whether it is to stop."""
        interrupted = any(self._run.processes.sums([self._run.inputs.should_stop()]))
        self._run.save_if_due()
        return interrupted

    def _words_at_work(self) -> list[float]:
        """Listen to the process of the network of words for a moment; return whether it goes on."""
        process = self._run.word_process
        if process is not None:
            process.receive(seconds=_LISTEN)
        return [process is not None and process.at_work]

    def _diverged(self, problem: str) -> SettingsError:
        run = self._run
        kept = f"the best so far is in {run.folder}" if run.on_disk else "nothing was saved"
        highest = run.settings.learning_rate or run.lesson.highest_rate
        other = "" if run.settings.precision == "fp32" else " or --precision fp32"
        return SettingsError(f"{problem}; {kept}. Try a lower --learning-rate than {highest:g}{other}")


def _size(configuration: Configuration, settings: TrainingSettings, unit: str) -> int:
    """Return the bytes that a run needs on disk: twice what it goes on with and its checkpoint, the new beside the old."""
    parameters = configuration.parameters
    if unit == "text" and settings.word_hidden:
        sizes = settings.word_hidden, settings.word_embedding
        parameters += Configuration(settings.word_vocabulary, "lstm", 1, *sizes, tied=True).parameters
    return 2 * (14 + 2) * parameters + _CONTEXT * (unit == "text")
