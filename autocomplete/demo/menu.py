"""The menu of the scenes: on a terminal to choose from, in a pipe a plain list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from prompt_toolkit.formatted_text import ANSI, AnyFormattedText, StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.output import Output
from rich.padding import Padding

from autocomplete.demo.pages import LEAST, draw, paragraph
from autocomplete.demo.scene import Scene
from autocomplete.demo.screen import INTERRUPTED, Screen, bind, key_line
from autocomplete.text.printable import wrapped

__all__ = ["Choice", "choose_scene", "list_commands"]


@dataclass(frozen=True)
class Choice:
    """What was done in the menu."""

    place: int  # of the marked scene
    status: int | None = None  # the exit status; None where the scene is to be played


def list_commands(scenes: Sequence[Scene]) -> str:
    """Return the command that shows each scene, and what it shows."""
    width = max(len(scene.name) for scene in scenes)
    lines = [f"  autocomplete demo {scene.name.replace(' ', '-'):<{width}}  {scene.title}\n" for scene in scenes]
    ending = "Each takes a word or sentence of yours after its name."
    return f"How a network learns to spell, in scenes:\n\n{''.join(lines)}\n{ending}"


def choose_scene(
    scenes: Sequence[Scene],
    place: int = 0,
    message: str = "",
    *,
    input: Input | None = None,  # noqa: A002  # as prompt_toolkit names it
    output: Output | None = None,
) -> Choice:
    """
    Let the user choose.

    :param place: of the scene that is marked first.
    :param message: why the last scene could not be played.
    """
    return asyncio.run(_Menu(scenes, place, message, input=input, output=output).run())


class _Menu(Screen[Choice]):
    def __init__(self, scenes: Sequence[Scene], place: int, message: str, **streams: Input | Output | None) -> None:
        self._scenes, self._place, self._message = scenes, place, message
        marked = FormattedTextControl(self._list, focusable=True, show_cursor=False)
        windows = [
            Window(marked, height=len(scenes) + 3, always_hide_cursor=True),
            Window(FormattedTextControl(self._about)),
            Window(FormattedTextControl(self._keys), height=1),
        ]
        super().__init__(Layout(HSplit(windows)), self._bindings(), **streams)

    async def run(self) -> Choice:
        return await self._show(self._leave)

    def _leave(self, status: int | None) -> None:
        self._exit(Choice(self._place, status))

    # What the keys do.

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        bindings.add(Keys.Any)(lambda event: self._type(event.data))
        bind(bindings, [(key, partial(self._leave, None)) for key in ("enter", "right", " ")])
        bind(bindings, [(key, lambda: self._mark(self._place + 1)) for key in ("down", "tab")])
        bind(bindings, [(key, lambda: self._mark(self._place - 1)) for key in ("up", "s-tab")])
        bind(bindings, [(key, partial(self._leave, 0)) for key in ("q", "escape")])
        bind(bindings, [(key, partial(self._leave, INTERRUPTED)) for key in ("c-c", "<sigint>")])
        return bindings

    def _mark(self, place: int) -> None:
        self._place, self._message = place % len(self._scenes), ""

    def _type(self, text: str) -> None:
        """Play the scene of a number, or mark the next one that begins with a letter."""
        if text.isdecimal() and 1 <= int(text) <= len(self._scenes):
            self._mark(int(text) - 1)
            self._leave(None)
            return
        places = [place for place, scene in enumerate(self._scenes) if text and scene.name.startswith(text)]
        if places:
            self._mark(next((place for place in places if place > self._place), places[0]))

    # What is drawn.

    def _list(self) -> AnyFormattedText:
        lines: StyleAndTextTuples = [("bold", " How a network learns to spell, made visible\n\n")]
        width = max(len(scene.name) for scene in self._scenes)
        for place, scene in enumerate(self._scenes):
            style = "reverse" if place == self._place else ""
            lines += [
                (f"{style} bold", f" {place + 1}  {scene.name:<{width}} "),
                (style, f" {scene.title} "),
                ("", "\n"),
            ]
        return lines

    def _about(self) -> AnyFormattedText:
        if self._message:
            return [("bold", wrapped(self._message, LEAST.width))]
        return ANSI(draw(Padding(paragraph("What you see", self._scenes[self._place].about), (1, 2)), LEAST))

    def _keys(self) -> AnyFormattedText:
        last = len(self._scenes)
        keys = [("Enter", "play"), ("↑ ↓, first letter", "choose"), (f"1-{last}", "play that one"), ("q", "leave")]
        return key_line(keys, self._columns())
