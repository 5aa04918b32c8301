"""
The settings of the prompt: a TOML file in the user's configuration folder, every line of it optional.

    count = 5
    threshold = 0.6
    layout = "demo"

    [keys]
    accept = ["Right", "Ctrl-F"]

    [colors]
    ghost = "italic ansiblue"
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import platformdirs

from autocomplete.errors import SettingsError
from autocomplete.inference.offers import COUNTS, THRESHOLD, THRESHOLDS
from autocomplete.prompt.renamed import RENAMED
from autocomplete.storage.lookup import DEFAULT

__all__ = ["ACTIONS", "STYLES", "PromptSettings", "describe_settings", "key_sequence", "read_settings", "settings_path"]

# What a key can do: its name, what it does, the keys that it is on.
ACTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "accept": ("accept the ghost, at the end of the line", ("Right", "Ctrl-F", "End", "Ctrl-E")),
    "accept-word": ("accept one word of it", ("Alt-F", "Ctrl-Right", "Alt-Right")),
    "accept-letter": ("one letter of it; in the demo layout Right, too", ("Shift-Right",)),
    "candidate-next": ("take candidate 1, again for 2, and so on", ("Tab",)),
    "candidate-previous": ("the candidate before", ("Shift-Tab",)),
    "candidate": ("take candidate 1, 2, ..., one key for each", tuple(f"Alt-{n}" for n in range(1, 10))),
    "ghost-next": ("show the next candidate as ghost", ("Ctrl-Down",)),
    "ghost-previous": ("show the candidate before as ghost", ("Ctrl-Up",)),
    "silence": ("no suggestions until the next edit", ("Escape", "Ctrl-G")),
    "undo": ("undo an edit, an acceptance as a whole", ("Ctrl-_",)),
    "layout": ("the other layout", ("F2",)),
    "editing": ("Emacs or vi keys", ("F4",)),
    "quit": ("leave, on an empty line", ("Ctrl-D",)),
}

# Every meaning is carried by dim, italic or bold too, so that it is there without colours.
STYLES = {
    "prompt": "bold",
    "ghost": "dim italic",
    "letter": "bold ansicyan",
    "best": "bold ansigreen",
    "word": "",
    "probability": "dim",
    "label": "dim",
    "status": "dim",
    "message": "bold",
    "taken": "reverse",
    "stale": "dim",
}

_TYPING = ("space", "enter", "c-m", "c-j", "c-c", "backspace", "c-h")  # keys that keep their meaning, as all letters do


@dataclass(frozen=True)
class PromptSettings:
    """
    What a user may choose of the prompt.

    :param checkpoint: name or folder.
    :param count: number of words offered.
    :param threshold: least probability of ghost text.
    :param layout: "strip" or "demo".
    :param editing: "emacs" or "vi".
    :param letters: whether the next letters are shown.
    :param history: whether lines are kept in a file.
    :param ahead: whether the most probable next letters are answered before they are typed.
    :param explicit: whether slurs and obscenities are offered.
    :param keys: of actions that are not on their own keys, by name.
    :param colors: styles as prompt_toolkit writes them, by the names of `STYLES`.
    """

    checkpoint: str = DEFAULT
    count: int = 5
    threshold: float = THRESHOLD
    layout: Literal["strip", "demo"] = "strip"
    editing: Literal["emacs", "vi"] = "emacs"
    letters: bool = True
    history: bool = True
    ahead: bool = True
    explicit: bool = False
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    colors: Mapping[str, str] = field(default_factory=dict)

    def keys_of(self, action: str) -> tuple[str, ...]:
        """Return the keys that an action is on."""
        return self.keys.get(action, ACTIONS[action][1])


def settings_path() -> Path:
    """Return where the user's settings are read."""
    return platformdirs.user_config_path("autocomplete", appauthor=False) / "config.toml"


def key_sequence(name: str) -> tuple[str, ...]:
    """Return a key as prompt_toolkit has it, `("escape", "f")` for `Alt-F`; raise ValueError for what is no key."""
    from prompt_toolkit.key_binding import KeyBindings

    *modifiers, key = name.split("-") if name not in ("Ctrl--", "Alt--") else (name.split("-")[0], "-")
    key = key.lower() if len(key) > 1 or "Ctrl" in modifiers or "Alt" in modifiers else key
    short = {"Ctrl": "c-", "Shift": "s-", "Alt": ""}
    if not key or not set(modifiers) <= short.keys():
        raise ValueError(name)
    plain = "".join(short[modifier] for modifier in ("Ctrl", "Shift") if modifier in modifiers) + key
    sequence = ("escape", plain) if "Alt" in modifiers else (plain,)
    KeyBindings().add(*sequence)  # which raises where prompt_toolkit has no such key
    return sequence


def _is_keys(value: Any) -> bool:
    try:
        sequences = [key_sequence(key) for key in value] if isinstance(value, list) else [("a",)]
        return not any(len(keys) == 1 and (len(keys[0]) == 1 or keys[0] in _TYPING) for keys in sequences)
    except (ValueError, AttributeError):
        return False


def _is_style(value: Any) -> bool:
    from prompt_toolkit.styles import Style

    try:
        return isinstance(value, str) and Style([("", value)]) is not None
    except ValueError:
        return False


_ON_OR_OFF = (lambda value: isinstance(value, bool), "true or false")
_KEYS = (_is_keys, 'a list of keys that type nothing, such as ["Right", "Ctrl-F", "Alt-1"]')
_STYLE = (_is_style, 'a style, such as "bold ansigreen" or "italic #888888"')
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "checkpoint": (lambda value: isinstance(value, str) and value != "", "the name of a checkpoint, in quotes"),
    "count": (COUNTS.__contains__, "a number from 1 to 100"),
    "threshold": (THRESHOLDS.__contains__, "a number from 0 to 1"),
    "layout": (lambda value: value in ("strip", "demo"), '"strip" or "demo"'),
    "editing": (lambda value: value in ("emacs", "vi"), '"emacs" or "vi"'),
    **dict.fromkeys(("letters", "history", "ahead", "explicit"), _ON_OR_OFF),
    **{f"keys.{name}": _KEYS for name in ACTIONS},
    **{f"colors.{name}": _STYLE for name in STYLES},
}


def read_settings(path: Path | None = None) -> PromptSettings:
    """
    Return the settings of a file.

    :param path: by default the user's own, which need not exist.
    :raises SettingsError: for a mistake in it, with the number of its line.
    """
    place = path or settings_path()
    try:
        content = place.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        if path is None:
            return PromptSettings()
        raise SettingsError(f"{place}: there is no such file; give --config another") from None
    except OSError as error:
        raise SettingsError(f"{place}: cannot be read ({error.strerror}); check its permissions") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{place}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    import tomllib  # only where there are settings: the first screen waits for each import

    try:
        values = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        last = f"at line {max(1, len(content.splitlines()))}, the last"
        mistake = str(error).replace("at end of document", last)
        raise SettingsError(f"{place}: {mistake}; write it as TOML, such as `count = 5`") from None
    settings: dict[str, Any] = {"keys": {}, "colors": {}}
    for written, value in _flat(values):
        where = f"{place}: line {_line(content, written)}"
        name = RENAMED.get(written, written)
        if name not in _CHECKS:
            section = name.partition(".")[0] + "." if "." in name else ""
            known = ", ".join(key for key in _CHECKS if key.startswith(section) and ("." in key) == bool(section))
            raise SettingsError(
                f"{where}: unknown setting {name}; there are: {known}{'' if section else ', [keys], [colors]'}"
            )
        check, wanted = _CHECKS[name]
        if not check(value):
            raise SettingsError(f"{where}: {name} must be {wanted}")
        section, _, key = name.rpartition(".")
        of_section = settings[section] if section else settings
        of_section[key] = tuple(value) if isinstance(value, list) else value
    return PromptSettings(**settings)


def describe_settings() -> str:
    """Return the settings with their defaults, as they stand in a file."""
    default = PromptSettings()
    lines = [
        f"  {name} = {json.dumps(getattr(default, name))}".ljust(28) + f"# {wanted}"
        for name, (_, wanted) in _CHECKS.items()
        if "." not in name
    ]
    lines += ["", "  [keys]"]
    lines += [f"  {name} = {json.dumps(keys[:4])}{'  # ...' * (len(keys) > 4)}" for name, (_, keys) in ACTIONS.items()]
    lines += ["", "  [colors]"]
    lines += [f"  {name} = {json.dumps(style)}" for name, style in STYLES.items()]
    return "\n".join(lines)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return settings by their names, those of a section with its name before theirs."""
    flat = []
    for name, value in values.items():
        if isinstance(value, dict) and (prefix or name in ("keys", "colors")):
            flat += _flat(value, f"{prefix}{name}.")
        else:
            flat.append((prefix + name, value))
    return flat


def _line(content: str, name: str) -> int:
    """Return the number of the line that a setting stands on, 1 where it is hidden in a way of writing of its own."""
    section = name.rpartition(".")[0]
    current = ""
    for number, line in enumerate(content.splitlines(), start=1):
        if heading := re.match(r"\s*\[\s*([^]]+?)\s*\]", line):
            current = heading[1]
        spelled = re.match(r"""\s*["']?([\w.-]+)["']?\s*=""", line)
        if spelled and f"{current}.{spelled[1]}".lstrip(".") in (name, section):
            return number
        if heading and current == name:
            return number
    return 1
