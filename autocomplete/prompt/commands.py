"""Lines that begin with a colon: what they are called, what they take, and how they are completed."""

from __future__ import annotations

from collections.abc import Sequence

from autocomplete.errors import SettingsError
from autocomplete.inference.prediction import Suggestion
from autocomplete.prompt.settings import ACTIONS, PromptSettings

__all__ = ["COMMANDS", "complete_command", "help_text", "is_command", "parse_command"]

# The name of a command: what it takes, and what it does.
COMMANDS = {
    "help": ("", "show the keys and the commands"),
    "checkpoint": ("NAME", "ask another checkpoint"),
    "count": ("K", "offer K words, 1 to 100"),
    "threshold": ("P", "show ghost text from probability P on, 0 to 1"),
    "letters": ("", "show or hide the next letters"),
    "save": ("FILE", "write the lines typed so far into a new file"),
    "quit": ("", "leave"),
}
_EXAMPLES = {"checkpoint": "english", "count": "3", "threshold": "0.5", "save": "lines.txt"}


def is_command(line: str) -> bool:
    """Return whether a line is a command: not `:-)`, nor what has a space before it."""
    name = line[1:].strip()
    return line.startswith(":") and (not name or name[0].isalpha())


def parse_command(line: str) -> tuple[str, str]:
    """Return the name and the argument of a command; raise SettingsError where there is no such command, or nothing to take."""
    name, _, argument = line[1:].strip().partition(" ")
    argument = argument.strip()
    if name not in COMMANDS:
        raise SettingsError(f":{name}: no such command; :help shows those there are; a space before it makes it a line")
    wanted = COMMANDS[name][0]
    if wanted and not argument:
        raise SettingsError(f":{name} takes {wanted}, as in `:{name} {_EXAMPLES[name]}`")
    if argument and not wanted:
        raise SettingsError(f":{name} takes nothing; leave out {argument}")
    return name, argument


def complete_command(line: str, checkpoints: Sequence[str]) -> list[Suggestion]:
    """
    Return the commands that a line may become, each with what is missing of it.

    :param checkpoints: the names of those that there are.
    """
    for prefix, names in ((":", list(COMMANDS)), (":checkpoint ", list(dict.fromkeys(checkpoints)))):
        rest = line.removeprefix(prefix)
        if line.startswith(prefix) and " " not in rest:
            found = [name for name in names if name.startswith(rest)]
            return [Suggestion(prefix + name, name[len(rest) :], 0, False, 1.0, exact=True) for name in found]
    return []


def help_text(settings: PromptSettings) -> str:
    """Return the keys and the commands, one a line."""
    keys = [(_listed(settings.keys_of(action)), what) for action, (what, _) in ACTIONS.items()]
    keys += [("Up, Down, Ctrl-R", "history"), ("Enter", "end the line; never accepts, nor does Space")]
    commands = [(f":{name} {takes}".rstrip(), what) for name, (takes, what) in COMMANDS.items()]
    width = max(len(name) for name, _ in [*keys, *commands])
    return "\n".join(f"  {name.ljust(width)}  {what}" for name, what in [*keys, *commands])


def _listed(keys: Sequence[str]) -> str:
    """Return keys with commas, a long list by its ends."""
    return ", ".join(keys) if len(keys) < 5 else f"{keys[0]} to {keys[-1]}"
