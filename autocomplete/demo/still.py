"""A scene where nothing can move: plain text for a pipe or a terminal that cannot move its cursor, and a picture in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from autocomplete.demo.pages import LEAST, about_page, equations_page
from autocomplete.demo.scene import Scene
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
        *_, frame = scene.play(word, LEAST)
    # Lines of the width of a picture, and into a pipe nothing but text.
    color: Literal["auto"] | None = "auto" if sys.stdout.isatty() else None
    console = Console(width=LEAST.width, force_terminal=sys.stdout.isatty(), color_system=color, highlight=False)
    console.print(about_page(scene))
    if explain:
        console.print(Padding(equations_page(scene), (1, 2, 0, 2)))
    console.print(Group(Text(), frame.picture, Text(), Text(frame.caption, style="bold")))
    if svg is not None:
        title = Text.assemble((scene.title, "bold"), f"  {word}")
        framed = Group(title, Text(), frame.picture, Text(), Text(frame.caption))
        write_picture(framed, f"autocomplete demo {scene.name}", svg, "--svg")
