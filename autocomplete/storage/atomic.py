"""
Files and folders that are written whole or not at all.

What is new is written beside its place, under a name that ends in the number of the process, and renamed. A process that is
killed may leave such a name behind; `clear_leftovers` takes it away later.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from autocomplete.errors import CheckpointError

__all__ = [
    "clear_leftovers",
    "fresh_folder",
    "is_temporary",
    "place_folder",
    "replace_file",
    "replace_folder",
    "temporary_folder",
    "writing",
]

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<kind>new|former|search)-(?P<process>\d+)", re.DOTALL)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise CheckpointError where the system cannot write a file or folder at this place."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or error
        raise CheckpointError(
            f"{path}: cannot be written ({problem}); free some space or choose another place"
        ) from None


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step; raise CheckpointError where that fails, changing nothing."""
    fresh = _beside(path, "new")
    try:
        with writing(path):
            _write(fresh, content)
            fresh.replace(path)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace a folder, if there is one, by a folder of these files; raise CheckpointError where that fails, changing nothing."""
    with writing(folder), fresh_folder(folder) as fresh:
        for name, content in files.items():
            _write(fresh / name, content)


@contextlib.contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder, which at the end replaces another, if there is one; any exception leaves that as it was."""
    with temporary_folder(folder, "new") as fresh:
        yield fresh
        place_folder(fresh, folder)


def place_folder(fresh: Path, folder: Path) -> None:
    """
    Rename a folder to the place of another, if there is one; raise OSError where that fails, changing nothing.

    No system renames a folder over another. Between the two steps that it takes, both stand beside the place, and
    `clear_leftovers` does the second one.
    """
    former = _beside(folder, "former")
    try:
        if folder.exists():
            folder.rename(former)
        fresh.rename(folder)
    except OSError:
        if former.exists() and not folder.exists():
            former.rename(folder)
        raise
    finally:
        shutil.rmtree(former, ignore_errors=True)


@contextlib.contextmanager
def temporary_folder(folder: Path, kind: Literal["new", "search"]) -> Iterator[Path]:
    """Yield an empty folder beside the place of another, to try things in; it is taken away at the end."""
    path = _beside(folder, kind)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def clear_leftovers(folder: Path, *, locked: bool = False) -> None:
    """
    Take away what killed processes left of writing a folder or a file in it; finish what was about to be renamed.

    :param locked: no other process writes them now: what looks like another's work is a leftover, too.
    """
    for fresh, process in _temporary(folder.parent, folder.name, "new"):
        former = _beside(folder, "former", process)
        if former.exists() and not folder.exists():
            with contextlib.suppress(OSError):
                fresh.rename(folder)
    for path, process in [*_temporary(folder.parent, folder.name), *_temporary(folder)]:
        if locked or not _is_alive(process):
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):  # of a folder it is done
                path.unlink()


def is_temporary(name: str) -> bool:
    """Return whether a file or folder of that name is one that is being written, or was."""
    return _TEMPORARY.fullmatch(name) is not None


def _beside(path: Path, kind: str, process: int | None = None) -> Path:
    """Return the temporary name of a path that this process uses, or another."""
    return path.with_name(f".{path.name}.{kind}-{os.getpid() if process is None else process}")


def _write(path: Path, content: bytes) -> None:
    """Write a file that outlives a loss of power."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _temporary(place: Path, name: str | None = None, kind: str | None = None) -> list[tuple[Path, int]]:
    """Return what processes write in a place, or wrote there, and their numbers: of one name, or of one kind."""
    with contextlib.suppress(OSError):  # the place may not be there
        found = [(path, match) for path in place.iterdir() if (match := _TEMPORARY.fullmatch(path.name))]
        return [(p, int(m["process"])) for p, m in found if name in (None, m["name"]) and kind in (None, m["kind"])]
    return []


def _is_alive(process: int) -> bool:
    """Return whether a process may be at work that is not this one, which has written nothing yet."""
    if process == os.getpid():
        return False
    if os.name != "posix":
        return True  # elsewhere, asking ends it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    return True
