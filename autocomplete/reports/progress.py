"""What is redrawn in place on a terminal while something runs: a bar of its progress, and whatever else a display shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

if TYPE_CHECKING:
    from autocomplete.corpus.running_text import Watch
    from autocomplete.training.events import Started, SweepStarted

__all__ = ["LiveDisplay", "and_more", "duration", "held_out_text", "reading", "tracked"]


class LiveDisplay:
    """
    A context manager, so that the terminal is left clean; where there is no terminal, nothing is redrawn.

    A display has a method `__rich__` that returns what a terminal shows now, and which can be printed, too.

    :param console: on standard error.
    :param name: of what runs.
    :param often: number of times a second that it is redrawn.
    """

    def __init__(self, console: Console, name: str, often: float) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn(name),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[left]}"),
            console=console,
        )
        self._task = self._bar.add_task(name, total=1.0, left="")
        self._live = Live(self, console=console, refresh_per_second=often, transient=True)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def _advance(self, progress: float, seconds_left: float | None) -> str:
        """Move the bar; return the time that is left, in words."""
        left = "" if seconds_left is None else f"{duration(seconds_left)} left"
        self._bar.update(self._task, completed=progress, left=left)
        return left

    def _print_heading(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._console.print(Text(line, style="dim"), soft_wrap=not self._console.is_terminal)

    def _print_in_pipe(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(Text(line), soft_wrap=True)


def and_more(count: int) -> list[Text]:
    """Return a line on the rows for which there is no room, if there are any."""
    return [Text(f"and {count} more", style="dim")] if count > 0 else []


def held_out_text(started: Started | SweepStarted) -> str:
    """Return how much is held out, in a few words."""
    unit = "lines" if started.corpus.lines else "words"
    return f"{f'{started.held_out:,}' if started.held_out else 'no'} {unit} are held out"


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


@contextmanager
def reading(console: Console) -> Iterator[Watch]:
    """Give a function to call with how far a text is read; show that until the end, where nothing of it is left."""
    task_name = TextColumn("{task.description}")
    columns = (task_name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None, visible=False)

        def watch(doing: str, done: int, total: int) -> None:
            if done <= bar.tasks[task].completed:  # another pass, or another text
                bar.reset(task, description=doing, total=total, visible=True)
            bar.update(task, description=doing, completed=done, total=total, visible=True)

        yield watch


def tracked(phrases: Sequence[str], console: Console) -> Iterator[str]:
    """Yield the phrases, and show on a terminal how many are done."""
    # Drawn between two phrases, as a thread would disturb the answers that are timed.
    with Progress(console=console, transient=True, auto_refresh=False, disable=not console.is_terminal) as bar:
        yield from bar.track(phrases, description="typing")
