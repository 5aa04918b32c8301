"""What is redrawn in place while something runs: a bar of its progress, and whatever else a display shows now."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn

__all__ = ["LiveDisplay"]


class LiveDisplay:
    """
    A context manager, so that the terminal is left clean; where there is no terminal, nothing is redrawn.

    A display has a method `__rich__` that returns what a terminal shows now.

    :param console: on standard error.
    :param name: of what runs.
    :param often: redrawn so many times a second.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
