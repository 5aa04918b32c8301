"""How far a text is read, drawn: a bar, on a terminal only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from autocomplete.corpus.running_text import Watch

__all__ = ["reading"]


@contextmanager
def reading(console: Console) -> Iterator[Watch]:
    """Give what is to be told how far a text is read, and show it until the end, where nothing of it is left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None, visible=False)

        def watch(doing: str, done: int, total: int) -> None:
            if done <= bar.tasks[task].completed:  # another pass, or another text
                bar.reset(task, description=doing, total=total, visible=True)
            bar.update(task, description=doing, completed=done, total=total, visible=True)

        yield watch
