"""What a scene of the demonstration is: pictures in their order, each with a sentence on what is to be seen in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import RenderableType

__all__ = ["Frame", "Scene", "Size"]


@dataclass(frozen=True)
class Size:
    """
    What a picture must fit into.

    :param width: in cells.
    :param height: in lines.
    """

    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """
    One picture of a scene.

    :param caption: one sentence on what is to be seen, of two lines at 80 columns at most.
    :param seconds: for which it stands while the scene plays.
    """

    picture: RenderableType
    caption: str
    seconds: float = 0.5


@dataclass(frozen=True)
class Scene:
    """
    A part of the demonstration.

    :param name: by which it is asked for.
    :param title: what it shows, in a few words, for the menu.
    :param about: what is to be seen, in two or three plain sentences.
    :param hint: what to try.
    :param equations: of what is computed, in a few lines of 76 characters at most.
    :param word: the word or sentence that it shows where none is given.
    :param play: the frames, for a word and the size of the pictures; computed as they are asked for. The last one is the still
        picture that stands for the whole. Raises AutocompleteError for a word that it cannot show.
    """

    name: str
    title: str
    about: str
    hint: str
    equations: str
    word: str
    play: Callable[[str, Size], Iterator[Frame]]
