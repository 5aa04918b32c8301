"""Text files: their lines, and what is told of one that cannot be read."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from autocomplete.errors import CorpusError

__all__ = ["LONGEST_LINE", "TextFile", "blank", "find_file", "numbered_lines", "read_lines", "reading"]

LONGEST_LINE = 1_000_000  # bytes; a longer one is no text that a person wrote


@dataclass(frozen=True)
class TextFile:
    """A text file."""

    name: Path  # what the user calls it
    path: Path  # where its bytes can be read, more than once

    @property
    def state(self) -> tuple[int, int]:
        """Size in bytes and time of the last change, which tell whether the file has changed."""
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns


@contextmanager
def reading(name: Path) -> Iterator[None]:
    """Raise CorpusError where the system cannot read a file of this name."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or "it is cut off"
        raise CorpusError(f"{name}: cannot be read ({problem}); check the name and its permissions") from None


def find_file(path: Path) -> TextFile:
    """Return the file at a path; what comes out of a pipe is kept in a temporary file as long as the result lives."""
    if path.is_dir():
        raise CorpusError(f"{path}: this is a folder; give the text files in it")
    with reading(path):
        if not path.exists() or path.is_file():
            return TextFile(path, path)
        with path.open("rb") as file, tempfile.NamedTemporaryFile(prefix="autocomplete-", delete=False) as kept:
            found = TextFile(path, Path(kept.name))
            weakref.finalize(found, found.path.unlink, missing_ok=True)
            shutil.copyfileobj(file, kept)
        return found


def read_lines(path: Path) -> Generator[str, None, None]:
    """
    Yield each line of a text file that is not blank, without the white space around it.

    :raises CorpusError: for a file that is missing, a folder, empty, blank, binary, not UTF-8, or has a line of over a million
        bytes.
    """
    file = find_file(path)
    lines = numbered_lines(file)
    if (first := next(lines, None)) is None:
        raise blank(file)
    for _, line in chain([first], lines):
        yield line


def blank(file: TextFile) -> CorpusError:
    """Return the error that says that a file has no lines but blank ones."""
    problem = "has only blank lines" if file.state[0] else "is empty"
    return CorpusError(f"{file.name}: the file {problem}; give a file with words in it")


def numbered_lines(file: TextFile, start: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the same lines from a byte on, each after its number from 1 on; raise the same errors but for a blank file."""
    path, size = file.name, start
    with reading(path), file.path.open("rb") as opened:
        opened.seek(start)
        for number, raw in enumerate(iter(lambda: opened.readline(LONGEST_LINE + 1), b""), start=1):
            if len(raw) > LONGEST_LINE:
                raise CorpusError(
                    f"{path}: line {number} is longer than {LONGEST_LINE:,} bytes; break the text into lines"
                )
            if (zero := raw.find(b"\0")) >= 0:
                raise CorpusError(f"{path}: binary data (a zero byte at byte {size + zero}); give a text file in UTF-8")
            try:
                line = raw.decode()
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{path}: not UTF-8 at byte {size + error.start}; save the file as UTF-8 and try again"
                ) from None
            line = (line.removeprefix("\ufeff") if size == 0 else line).strip()
            size += len(raw)
            if line:
                yield number, line
