"""Frames of a demonstration as lines of text, which have to fit."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console

from autocomplete.demo.scene import Frame, Size


def lines(frame: Frame, size: Size) -> list[str]:
    console = Console(width=size.width, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(frame.picture)
    return console.export_text().rstrip("\n").split("\n")


def checked(frames: Iterator[Frame], size: Size) -> list[list[str]]:
    """Return the lines of all frames, each of which has to fit."""
    drawn = []
    for frame in frames:
        drawn.append(lines(frame, size))
        assert len(drawn[-1]) <= size.height
        assert max(map(cell_len, drawn[-1])) <= size.width
        caption = Console(width=80, file=io.StringIO())
        assert len(caption.render_lines(frame.caption)) <= 2, frame.caption
        assert frame.seconds >= 0
    return drawn
