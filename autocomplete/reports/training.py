"""
A training, drawn: while it runs, and its result.

On a terminal there are the last validations, each with words that the network made up, a bar, and how the run goes, always in the
same number of lines. Into a pipe goes a plain line for each validation. The result is a table and the loss curve.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocomplete.reports.checkpoints import CurveChart, forgotten, network_name
from autocomplete.reports.progress import LiveDisplay, duration, held_out_text
from autocomplete.reports.tables import plain_table
from autocomplete.training.events import Event, Finished, Started, Validated
from autocomplete.training.events import Progress as Step

__all__ = ["TrainingDisplay", "summary"]

_VALIDATIONS_SHOWN = 8
_LETTERS = [("bits per character", "bits_per_character", ""), ("next letter right", "accuracy_top_1", "%")]
_GAPS = [("bits per missing letter", "bits_per_character", ""), ("missing letter right", "accuracy_top_1", "%")]
_BEST_THREE = ("among the best three", "accuracy_top_3", "%")


class TrainingDisplay(LiveDisplay):
    """Shows events as they come."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "training", 8)
        self._holds_out, self._patience = True, 0
        self._of = ""  # what the best is measured on, where that is not the held-out part
        self._stopping = False
        self._step: Step | None = None
        self._validations: deque[Validated] = deque(maxlen=_VALIDATIONS_SHOWN)

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Started):
            network = f"{network_name(event.configuration)}, {event.configuration.parameters:,} parameters"
            resumed = f", going on from step {event.steps_done:,}" if event.steps_done else ""
            run = f"{network}, on {event.device} in {event.precision}; {held_out_text(event)}{resumed}"
            self._print_heading([event.corpus.describe(), run])
            self._holds_out, self._patience = event.held_out > 0, event.settings.patience
            self._of = event.judged_by and f" of {event.judged_by}"
        elif isinstance(event, Step):
            self._step = event
            self._advance(event.progress, event.seconds_left)
        elif isinstance(event, Validated):
            self._print_in_pipe(self._line(event))
            self._validations.append(event)

    def tell_stopping(self) -> None:
        """Show that the run was asked to stop; a signal may call this at any time."""
        self._stopping = True  # for the next time that the terminal is drawn, eight times a second

    def _line(self, validated: Validated) -> str:
        words = "held out" if self._holds_out else "measured"
        known = self._validations and self._validations[-1].samples == validated.samples
        is_best = f"best so far{self._of and f', {validated.best_bits:.3f}{self._of}'}"
        return (
            f"step {validated.step}: training {validated.training_bits:.3f}, {words} {validated.held_out_bits:.3f} bits/char, "
            f"{is_best if validated.best else self._best(validated)}; {_state(validated)}"
            f"{'' if known else '; ' + ', '.join(validated.samples)}"
        )

    def _best(self, validated: Validated) -> str:
        waited = f"{validated.validations_since_best} of {self._patience} validations without a gain"
        return f"best {validated.best_bits:.3f}{self._of}, {waited}"

    def __rich__(self) -> RenderableType:
        """Return what a terminal shows now."""
        table = plain_table(">step", ">training", ">held out" if self._holds_out else ">measured")
        room = max(10, self._console.width - 32)  # beside the figures, which matter more
        table.add_column("words that it makes up", no_wrap=True, overflow="ellipsis", max_width=room)
        for validated in self._validations:
            table.add_row(
                str(validated.step),
                f"{validated.training_bits:.3f}",
                f"{validated.held_out_bits:.3f}",
                Text(", ".join(validated.samples)),  # which may have what rich takes for markup
                style="" if validated.best else "dim",
            )
        for _ in range(_VALIDATIONS_SHOWN - len(self._validations)):
            table.add_row()
        step = "" if self._step is None else f"{self._step.bits_per_character:.3f} bits/char, {_state(self._step)}"
        best = self._best(self._validations[-1]) if self._validations else ""
        if self._stopping:
            best = "stopping after this step, to measure and save…  (Ctrl-C again ends it at once)"
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in (step, best)]
        return Group(table, self._bar, *lines)


def summary(finished: Finished) -> RenderableType:
    """Return what was reached: a table, the loss curve where there is one to draw, and where the checkpoint is."""
    figures = finished.figures
    draw = _text_table if "held_out_lines" in figures else _words_table
    if "held_out_word_gaps" in figures:
        draw = _gaps_table
    done = "ended early: no better for a while" if finished.reason == "early" else finished.reason
    end = Text(f"{done} after {finished.steps:,} steps, {duration(finished.seconds)}; saved in {finished.folder}")
    curve = [CurveChart(finished.curve)] if len(finished.curve) > 1 else []
    return Group(draw(figures), *forgotten(figures), *curve, end)


def _text_table(figures: dict[str, Any]) -> Table:
    """Return what was learned from running text."""
    held_out = bool(figures["held_out_lines"])
    table = _letters_table(figures, "text", held_out, [*_LETTERS, _BEST_THREE])
    before = [""] * held_out  # what follows was measured on the held-out text
    table.add_section()
    names = {"network": "network", "ngrams": "word n-grams", "words": "network of words", "mixture": "all together"}
    mixture = {"bits_per_word": {}, "unknown_words": 1.0} | figures["mixture"]
    for name, bits in mixture["bits_per_word"].items():
        table.add_row(f"bits per word, {names[name]}", *before, _figure(bits))
    if "rare_words" in figures:
        table.add_row("bits per character, rare words", *before, _figure(figures["rare_words"]["bits_per_character"]))
    table.add_row("words not in the lexicon", *before, _figure(mixture["unknown_words"], "%"))
    if "bits_per_unknown_word" in mixture:
        table.add_row("bits per word, of those", *before, _figure(mixture["bits_per_unknown_word"]))
    return table


def _words_table(figures: dict[str, Any]) -> Table:
    """Return what was learned from lists of words."""
    rows = [*_LETTERS, _BEST_THREE, ("bits per word, network", "bits_per_word", "")]
    table = _letters_table(figures, "words", bool(figures["held_out_words"]), rows)
    table.add_section()
    table.add_row("entropy of these words", _figure(figures["training_entropy"]))
    table.add_section()
    table.add_row("entropy of all words", _figure(figures["entropy"]))
    table.add_row("bits per word, with lexicon", _figure(figures["mixture_bits_per_word"]))
    table.add_row("prior of the network", _figure(figures["network_prior"], "%"))
    return table


def _gaps_table(figures: dict[str, Any]) -> Table:
    """Return what was learned of gaps, whose letters are asked for from both sides."""
    unit, count = ("text", "held_out_lines") if "held_out_lines" in figures else ("words", "held_out_words")
    table = _letters_table(figures, unit, bool(figures.get(count)), [*_GAPS, _BEST_THREE])
    table.add_section()
    shown = [figures["training_word_gaps"], figures["held_out_word_gaps"]][: len(table.columns) - 1]
    table.add_row("bits per letter, word missing", *(_figure(word["bits_per_character"]) for word in shown))
    table.add_row("letter right, word missing", *(_figure(word["accuracy_top_1"], "%") for word in shown))
    return table


def _letters_table(figures: dict[str, Any], unit: str, held_out: bool, rows: Sequence[tuple[str, str, str]]) -> Table:
    """Return a table of figures of what was learned and, beside that, of what was held out, if anything was."""
    table = Table("", title="What the network learned", title_justify="left", title_style="bold")
    kinds = ["training", "held_out"] if held_out else ["training"]
    for kind in kinds:
        table.add_column(f"{kind.replace('_', '-')} {unit}", justify="right")
    for label, name, kind_of_figure in rows:
        table.add_row(label, *(_figure(figures[kind][name], kind_of_figure) for kind in kinds))
    return table


def _state(event: Step | Validated) -> str:
    """Return how fast a run goes, and in what steps."""
    return (
        f"{event.characters_per_second:,.0f} chars/s, gradient norm {event.gradient_norm:.2g}, "
        f"learning rate {event.learning_rate:.2g}"
    )


def _figure(value: float, unit: str = "") -> str:
    return f"{100 * value:.1f} %" if unit == "%" else f"{abs(value):.3f}"
