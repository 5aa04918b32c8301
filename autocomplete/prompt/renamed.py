"""Former names of options and settings, which are read as the present ones."""

from __future__ import annotations

__all__ = ["RENAMED", "present_option"]

RENAMED: dict[str, str] = {}  # former name: name; of a setting in a section with that, such as `keys.accept`


def present_option(argument: str) -> str:
    """Return an argument of the command line with the present name of the option in it."""
    option, equals, value = argument.partition("=")
    is_former = option.startswith("--") and option[2:] in RENAMED
    return f"--{RENAMED[option[2:]]}{equals}{value}" if is_former else argument
