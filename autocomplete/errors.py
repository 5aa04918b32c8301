"""
What a user can cause, as exceptions.

Every message names the file or setting, the problem, and what to do about it, on one line. An error is raised where its
cause is known and caught once, in the command line, which prints the message and exits with status 2.

    AutocompleteError
      ├─ CorpusError       a corpus that cannot be read, or from which nothing can be learned
      ├─ CheckpointError   a checkpoint that is missing, damaged, of a newer format, or cannot be written
      └─ SettingsError     a setting out of its range
"""

from __future__ import annotations

__all__ = ["AutocompleteError", "CheckpointError", "CorpusError", "SettingsError"]


class AutocompleteError(Exception):
    """Something that the user can mend; its message says how."""


class CorpusError(AutocompleteError):
    """A corpus cannot be read, or nothing can be learned from it."""


class CheckpointError(AutocompleteError):
    """A checkpoint is missing, damaged, of a newer format, or cannot be written."""


class SettingsError(AutocompleteError):
    """A setting is out of its range."""
