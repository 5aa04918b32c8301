"""The lines typed in earlier sessions, in a file that nobody else can read."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path

import platformdirs
from prompt_toolkit.history import FileHistory

from autocomplete.errors import SettingsError

__all__ = ["PrivateHistory", "history_path"]

_OURS_ONLY = 0o600


def history_path() -> Path:
    """Return where the user's history is."""
    return platformdirs.user_state_path("autocomplete", appauthor=False) / "history"


class PrivateHistory(FileHistory):
    """
    A history in a file of mode 0600; each line is appended in one write, so that no end of the program cuts it short.

    :raises SettingsError: where the file cannot be made or read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(_OURS_ONLY)
            path.open("r+b").close()
            if path.is_file():  # and not, say, the null device
                path.chmod(_OURS_ONLY)
        except OSError as error:
            raise SettingsError(
                f"{path}: no place for the history ({error.strerror}); give --no-history, or mend its permissions"
            ) from None
        self._path = path

    def store_string(self, string: str) -> None:
        """Append a line; where that fails, the session goes on without."""
        entry = f"\n# {datetime.now()}\n" + "".join(f"+{line}\n" for line in string.split("\n"))
        with contextlib.suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _OURS_ONLY)
            try:
                os.write(file, entry.encode("utf-8", errors="replace"))
            finally:
                os.close(file)
