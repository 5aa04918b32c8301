"""The menu of the scenes: on a terminal to choose from, in a pipe a plain list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import ANSI, AnyFormattedText, StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.output import Output
from rich.padding import Padding

from autocomplete.demo.pages import LEAST, draw, paragraph
from autocomplete.demo.scene import Scene
from autocomplete.demo.screen import ESCAPE, INTERRUPTED, key_line
from autocomplete.storage.signals import leaving_on_signals
from autocomplete.text.printable import wrapped

__all__ = ["Choice", "choose_scene", "list_commands"]


@dataclass(frozen=True)
class Choice:
    """
    What was done in the menu.

    :param place: of the scene that is marked.
    :param status: with which to leave; None where the scene is to be played.
    """

    place: int
    status: int | None = None


def list_commands(scenes: Sequence[Scene]) -> str:
    """Return the command that shows each scene, and what it shows."""
    width = max(len(scene.name) for scene in scenes)
    lines = [f"  autocomplete demo {scene.name.replace(' ', '-'):<{width}}  {scene.title}" for scene in scenes]
    heading, ending = (
        "How a network learns to spell, in scenes:",
        "Each takes a word or sentence of yours after its name.",
    )
    return "\n".join([heading, "", *lines, "", ending])


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
    :param message: why the last one could not be played.
    """
    return asyncio.run(_Menu(scenes, place, message, input, output).run())


class _Menu:
    def __init__(
        self,
        scenes: Sequence[Scene],
        place: int,
        message: str,
        input: Input | None,  # noqa: A002
        output: Output | None,
    ) -> None:
        self._scenes, self._place, self._message = scenes, place, message
        marked = FormattedTextControl(self._list, focusable=True, show_cursor=False)
        windows = [
            Window(marked, height=len(scenes) + 3, always_hide_cursor=True),
            Window(FormattedTextControl(self._about)),
            Window(FormattedTextControl(self._keys), height=1),
        ]
        self._application: Application[Choice] = Application(
            layout=Layout(HSplit(windows)),
            key_bindings=self._bindings(),
            full_screen=True,
            input=input,
            output=output,
        )
        self._application.ttimeoutlen = self._application.timeoutlen = ESCAPE

    async def run(self) -> Choice:
        with leaving_on_signals(lambda number: self._leave(128 + number)):
            return await self._application.run_async()

    def _leave(self, status: int | None) -> None:
        if self._application.is_running and not self._application.is_done:
            self._application.exit(result=Choice(self._place, status))

    # What the keys do.

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add(Keys.Any)
        def _(event: KeyPressEvent) -> None:
            self._type(event.data)

        @bindings.add("enter")
        @bindings.add("right")
        @bindings.add(" ")
        def _(event: KeyPressEvent) -> None:
            self._leave(None)

        for key, by in [("down", 1), ("tab", 1), ("up", -1), ("s-tab", -1)]:
            bindings.add(key)(lambda event, by=by: self._mark(self._place + by))

        @bindings.add("q")
        @bindings.add("escape", eager=True)
        def _(event: KeyPressEvent) -> None:
            self._leave(0)

        @bindings.add("c-c")
        @bindings.add("<sigint>")
        def _(event: KeyPressEvent) -> None:
            self._leave(INTERRUPTED)

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
        for number, scene in enumerate(self._scenes, start=1):
            style = "reverse" if number - 1 == self._place else ""
            lines += [
                (f"{style} bold", f" {number}  {scene.name:<{width}} "),
                (style, f" {scene.title} "),
                ("", "\n"),
            ]
        return lines

    def _about(self) -> AnyFormattedText:
        if self._message:
            return [("bold", wrapped(self._message, LEAST.width))]
        return ANSI(draw(Padding(paragraph("What you see", self._scenes[self._place].about), (1, 2)), LEAST))

    def _keys(self) -> AnyFormattedText:
        return key_line(
            [
                ("Enter", "play"),
                ("↑ ↓, first letter", "choose"),
                (f"1-{len(self._scenes)}", "play that one"),
                ("q", "leave"),
            ],
            self._application.output.get_size().columns,
        )
