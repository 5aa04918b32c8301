"""What a scene of the demonstration is: pictures in their order, each with a sentence on it; and which scenes there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from rich.console import RenderableType

__all__ = ["Frame", "Scene", "Size", "find_scene", "list_scenes"]

# A scene is a module of this folder with a constant `SCENE`. To import it must not load torch, so that the menu opens at once.
_MODULES = ("name", "triangle", "memory", "cell", "shapes", "gradient", "state", "both_ways", "compare")


@dataclass(frozen=True)
class Size:
    """What a picture must fit into."""

    width: int  # in cells
    height: int  # in lines


@dataclass(frozen=True)
class Frame:
    """One picture of a scene."""

    picture: RenderableType
    caption: str  # one sentence on what is to be seen, of two lines at 80 columns at most
    seconds: float = 0.5  # how long it is shown while the scene plays


@dataclass(frozen=True)
class Scene:
    """
    A part of the demonstration.

    :param play: yields the frames for a word and the size of the pictures, computed as they are asked for. The last one is the
        still picture that stands for the whole. Raises AutocompleteError for a word that it cannot show.
    """

    name: str
    title: str  # what it shows, in a few words, for the menu
    about: str  # what is to be seen, in two or three plain sentences
    hint: str  # what to try
    equations: str  # of what is computed, in a few lines of 76 characters at most
    word: str  # the word or sentence that it shows where none is given
    play: Callable[[str, Size], Iterator[Frame]]


def list_scenes() -> tuple[Scene, ...]:
    """Return the scenes, in the order in which they are best seen."""
    return tuple(import_module(f"{__package__}.{module}").SCENE for module in _MODULES)


def find_scene(name: str) -> Scene | None:
    """Return a scene by its name, however the words of that are joined; None where there is none."""
    wanted = _plain(name)
    return next((scene for scene in list_scenes() if _plain(scene.name) == wanted), None)


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
