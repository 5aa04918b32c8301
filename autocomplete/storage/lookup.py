"""Find checkpoints by name: in ./checkpoints, the user's data folder, then what came with the package."""

from __future__ import annotations

import contextlib
from pathlib import Path

import platformdirs

from autocomplete.errors import CheckpointError
from autocomplete.storage.checkpoint import MODEL

__all__ = ["DEFAULT", "find_checkpoint", "list_checkpoints", "search_path"]

DEFAULT = "english"


def search_path() -> list[Path]:
    """Return the folders that names are looked up in, the first ones first."""
    package = Path(__file__).parents[1]
    shipped = package / "checkpoints"
    return [
        Path("checkpoints"),
        platformdirs.user_data_path("autocomplete", appauthor=False) / "checkpoints",
        shipped if shipped.is_dir() else package.parent / "checkpoints",  # the second: run from its source
    ]


def find_checkpoint(name: str) -> Path:
    """Return the folder of a checkpoint, given its name or folder; raise CheckpointError with the names where there is none."""
    if not name:
        raise CheckpointError("the name of the checkpoint is empty; `autocomplete checkpoints` lists those there are")
    candidates = [place / name for place in search_path()] if Path(name).name == name else []
    for folder in [*candidates, Path(name)]:
        with contextlib.suppress(OSError):  # a name that is too long
            if (folder / MODEL).is_file():
                return folder
    with contextlib.suppress(OSError):
        if Path(name).is_dir():
            raise CheckpointError(f"{name}: no {MODEL} in it; give the folder of a checkpoint")
    names = ", ".join(dict.fromkeys(folder.name for folder in list_checkpoints())) or "none yet"
    raise CheckpointError(f"{name}: no such checkpoint; there are: {names}. `autocomplete train` makes one")


def list_checkpoints() -> list[Path]:
    """Return the folders of all checkpoints that can be named, in the order of the look-up."""
    return [
        folder
        for place in dict.fromkeys(place.resolve() for place in search_path())
        if place.is_dir()
        for folder in sorted(place.iterdir())
        if (folder / MODEL).is_file() and not folder.name.startswith(".")
    ]
