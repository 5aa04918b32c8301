"""What a command leaves behind: a report on standard output, or files that a user names, refused before any work is done."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from rich.console import Console, RenderableType

from autocomplete.errors import SettingsError

__all__ = ["print_report", "refuse_unwritable", "unwritable", "write_picture"]

_WIDTH, _PIPE = 80, 160  # of a picture, and of a report in a pipe, in characters


def print_report(report: RenderableType) -> None:
    """Print what rich can draw."""
    # A pipe has no width; what is narrower stays as it is.
    Console(width=None if sys.stdout.isatty() else _PIPE).print(report)


def refuse_unwritable(path: Path, option: str, suffix: str = "") -> None:
    """
    Raise SettingsError for a place where no file can be written.

    :param option: the option that the path was given with.
    :param suffix: the ending that the name must have, for the programs that will open the file.
    """
    another = f"give another name to {option}"
    if path.exists() and not path.is_file():
        raise SettingsError(f"{path}: this is not a file; {another}")
    if not path.parent.is_dir():
        raise SettingsError(f"{path}: there is no folder {path.parent}; make it, or {another}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SettingsError(f"{path}: cannot be written; change its permissions, or {another}")
    if suffix and path.suffix.lower() != suffix:
        raise SettingsError(f"{path}: this name does not end in {suffix}, as a picture's must; {another}")


def unwritable(path: Path, error: OSError, instead: str) -> SettingsError:
    """Return the error for a file that could not be written, and what to give instead."""
    return SettingsError(f"{path}: cannot be written ({error.strerror}); give {instead}")


def write_picture(drawn: RenderableType, title: str, picture: Path, option: str) -> None:
    """Write what rich can draw as an SVG file; raise SettingsError where that fails."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(drawn)
    try:
        picture.write_text(console.export_svg(title=title), encoding="utf-8")
    except OSError as error:
        raise unwritable(picture, error, f"another name to {option}") from None
