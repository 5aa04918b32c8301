"""
The scenes, in the order in which they are best seen.

A scene is a module of this folder with a constant `SCENE`; a name more here is all that a new one needs. To import it must
not load torch, so that the menu opens at once: a scene imports what it trains with when it is played.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from autocomplete.demo.scene import Scene

__all__ = ["find_scene", "list_scenes"]

_MODULES = ("name", "triangle", "memory", "cell", "shapes", "gradient", "state", "both_ways", "compare")


def list_scenes() -> tuple[Scene, ...]:
    """Return the scenes that there are."""
    return tuple(_load(module) for module in _MODULES if find_spec(f"{__package__}.{module}") is not None)


def find_scene(name: str) -> Scene | None:
    """Return a scene by its name, however the words of that are joined; nothing where there is none."""
    wanted = _plain(name)
    return next((scene for scene in list_scenes() if _plain(scene.name) == wanted), None)


def _load(module: str) -> Scene:
    scene: Scene = import_module(f"{__package__}.{module}").SCENE
    return scene


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
