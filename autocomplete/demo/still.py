"""A scene where nothing can move: plain text for a pipe or a terminal that cannot move its cursor, and a picture in a file."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from autocomplete.demo.pages import LEAST, about_page, equations_page
from autocomplete.demo.scene import Frame, Scene
from autocomplete.reports.output import refuse_unwritable, write_picture

__all__ = ["print_still"]


def print_still(scene: Scene, word: str, *, explain: bool = False, svg: Path | None = None) -> None:
    """
    Print what a scene is about and its last picture.

    :param svg: a file to draw that picture into as well.
    :raises AutocompleteError: for a word that the scene cannot show, and for a file that cannot be written.
    """
    if svg is not None:
        refuse_unwritable(svg, "--svg", ".svg")
    # Computed before anything is printed, so that a mistake in the word is all that is told.
    with Console(stderr=True).status(f"computing {scene.name} ..."):
        frame = _last(scene, word)
    console = _console()
    console.print(about_page(scene))
    if explain:
        console.print(Padding(equations_page(scene), (1, 2, 0, 2)))
    console.print(Group(Text(), frame.picture, Text(), Text(frame.caption, style="bold")))
    if svg is not None:
        write_picture(_framed(scene, word, frame), f"autocomplete demo {scene.name}", svg, "--svg")


def _last(scene: Scene, word: str) -> Frame:
    frame = None
    for frame in scene.play(word, LEAST):  # noqa: B007  # the last one is wanted
        pass
    assert frame is not None
    return frame


def _framed(scene: Scene, word: str, frame: Frame) -> RenderableType:
    title = Text.assemble((scene.title, "bold"), f"  {word}")
    return Group(title, Text(), frame.picture, Text(), Text(frame.caption))


def _console() -> Console:
    """Return what prints lines of the width of a picture, and into a pipe nothing but text."""
    is_terminal = sys.stdout.isatty()
    return Console(
        width=LEAST.width, force_terminal=is_terminal, color_system="auto" if is_terminal else None, highlight=False
    )
