"""
A folder of what is costly to make again: one entry, a folder itself, for each name.

Nobody sees half of an entry. Processes that want the same one wait for the first of them to make it. The least recently used go
where all together take more than 20 GB. To empty the cache, delete the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import platformdirs

from autocomplete.errors import CorpusError
from autocomplete.storage.atomic import clear_leftovers, fresh_folder

__all__ = ["CACHE_VARIABLE", "DamagedError", "cache_folder", "cached", "find_cached", "temporary"]

CACHE_VARIABLE = "AUTOCOMPLETE_CACHE"

_MOST = 20 * 10**9  # bytes

Opened = TypeVar("Opened")


class DamagedError(Exception):
    """An entry is not as it was made."""


def cache_folder() -> Path:
    """Return where entries are: a folder of the user's, or the one that AUTOCOMPLETE_CACHE names."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else platformdirs.user_cache_path("autocomplete", appauthor=False) / "texts"


def find_cached(pattern: str, read: Callable[[Path], Opened]) -> Opened | None:
    """Return what `read` makes of an entry whose name matches, or nothing where none is whole."""
    with contextlib.suppress(OSError):
        for entry in sorted(cache_folder().glob(pattern)):
            with contextlib.suppress(DamagedError, OSError):
                return read(entry)
    return None


def cached(name: str, make: Callable[[Path], None], read: Callable[[Path], Opened]) -> Opened:
    """
    Return what `read` makes of an entry, which is made first where there is none, or it is damaged.

    Where the folder cannot be written, it is made for this process only.

    :param make: writes the files of an entry into a folder.
    :param read: raises DamagedError or OSError where they are not as they were made.
    :raises CorpusError: where there is no room for it.
    """
    folder = cache_folder()
    entry = folder / name
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_turn(folder / f".{name}.lock"))
        except OSError:
            return temporary(make, read)
        with contextlib.suppress(DamagedError, OSError):
            opened = read(entry)
            os.utime(entry)
            return opened
        shutil.rmtree(entry, ignore_errors=True)  # damaged
        clear_leftovers(entry, locked=True)
        with _writing(folder), fresh_folder(entry) as fresh:
            make(fresh)
        _make_room(folder, entry)
        return read(entry)


def temporary(make: Callable[[Path], None], read: Callable[[Path], Opened]) -> Opened:
    """Return what `read` makes of an entry that is deleted together with that."""
    with _writing(Path(tempfile.gettempdir())):
        folder = Path(tempfile.mkdtemp(prefix="autocomplete-"))
        try:
            make(folder)
            opened = read(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    weakref.finalize(opened, shutil.rmtree, folder, ignore_errors=True)
    return opened


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait until no other process has this file, and have it; it is let go whatever happens to this process."""
    try:
        import fcntl
    except ImportError:  # Windows: two processes that make the same entry both make it, and the second fails
        yield
        return
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_room(folder: Path, kept: Path) -> None:
    """Delete the entries used the longest ago until the rest are small enough."""
    with contextlib.suppress(OSError):
        entries = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
        entries.sort(key=lambda entry: (entry == kept, entry.stat().st_mtime))
        sizes = [sum(file.stat().st_size for file in entry.iterdir()) for entry in entries]
        for place, entry in enumerate(entries[:-1]):
            if sum(sizes[place:]) > _MOST:
                shutil.rmtree(entry, ignore_errors=True)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{folder}: the text as numbers cannot be written here ({error.strerror or error}); free some space, or set "
            f"{CACHE_VARIABLE} to a folder with more of it"
        ) from None
