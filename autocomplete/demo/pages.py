"""What is shown of a scene beside its pictures: what it is about, its equations; and how a picture becomes text."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from autocomplete.demo.scene import Scene, Size

__all__ = ["LEAST", "about_page", "draw", "equations_page", "paragraph"]

LEAST = Size(80, 20)  # what every picture fits into: a terminal of 80 x 24 without title, caption and keys
_TEXT_WIDTH = 76  # longer lines are hard to read


def draw(picture: RenderableType, size: Size) -> str:
    """Return a picture as lines with ANSI escape codes, cut to its size; without colours where NO_COLOR asks for that."""
    console = Console(
        file=io.StringIO(),
        width=size.width,
        height=size.height,
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
        highlight=False,
    )
    with console.capture() as capture:
        console.print(picture)
    return "\n".join(capture.get().split("\n")[: size.height])


def about_page(scene: Scene) -> RenderableType:
    """Return what there is to see and to try."""
    parts = [paragraph("What you see", scene.about), Text(), paragraph("Try", scene.hint)]
    return Padding(Group(Text(scene.title, style="bold"), Text(), *parts), (1, 2, 0, 2))


def equations_page(scene: Scene) -> RenderableType:
    """Return what is computed."""
    return Group(Text("What is computed", style="bold cyan"), Text(scene.equations.strip("\n")))


def paragraph(heading: str, text: str) -> RenderableType:
    """Return a text below its heading, in lines that are not too long."""
    body = Text.assemble((heading, "bold cyan"), "\n", " ".join(text.split()))
    console = Console(width=_TEXT_WIDTH, file=io.StringIO())
    return Text("\n").join(body.wrap(console, _TEXT_WIDTH))
