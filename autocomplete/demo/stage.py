"""
The stage: a scene played on the whole terminal, that can be stepped, paused and left at any time.

    title                     a scene, its word, whether it plays
    the picture               or a page on what there is to see, or the equations
    two lines of caption      what is to be seen in this picture
    keys                      or the line on which another word is typed

The event loop draws and takes keys; a `Reel` computes the pictures on a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, AnyFormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.output import Output
from rich.padding import Padding

from autocomplete.demo.pages import LEAST, about_page, draw, equations_page
from autocomplete.demo.reel import Reel
from autocomplete.demo.scene import Scene, Size
from autocomplete.demo.screen import CAPTION, CHROME, INTERRUPTED, Screen, bind, key_line, title_line, too_small
from autocomplete.errors import AutocompleteError
from autocomplete.storage.signals import fail_on_exceptions
from autocomplete.text.printable import wrapped

__all__ = ["play_scene"]

_OPENING = 8.0  # seconds that the page on what there is to see stands, unless it is left with a key

Page = Literal["about", "equations"]


def play_scene(
    scene: Scene,
    word: str,
    *,
    explain: bool = False,
    input: Input | None = None,  # noqa: A002  # as prompt_toolkit names it
    output: Output | None = None,
) -> int:
    """
    Play a scene until the user leaves it; return the exit status, 130 after an interrupt, 128 and its number after a signal.

    :param explain: show the equations before the first picture.
    :raises AutocompleteError: for a word that the scene cannot show, after the terminal is restored.
    """
    return asyncio.run(_Stage(scene, word, explain, input=input, output=output).run())


class _Stage(Screen[int]):
    """What is shown, and when the next picture is due."""

    def __init__(self, scene: Scene, word: str, explain: bool, **streams: Input | Output | None) -> None:
        self._scene, self._word = scene, word
        self._opening: list[Page] = ["about", "equations"] if explain else ["about"]  # pages before the first picture
        self._position = -1  # of the picture that is shown
        self._plays = True
        self._steps = False  # whether the next picture is to be shown once it is there, though the play is paused
        self._begins = False  # whether the first picture follows the page before it as soon as it is there
        self._page: Page | None = None
        self._enters = False  # whether another word is being typed
        self._message = ""  # what is wrong with that word
        self._former: tuple[str, Reel, int] | None = None  # word, reel, position to return to if it cannot be shown
        self._failure: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._entry = Buffer(multiline=False, accept_handler=self._entered)
        super().__init__(self._layout(), self._bindings(), after_render=lambda _: self._fit(), **streams)

    def _layout(self) -> Layout:
        stage = Window(FormattedTextControl(self._picture, focusable=True, show_cursor=False), always_hide_cursor=True)
        entry = VSplit([Window(width=1), Window(BufferControl(self._entry)), Window(width=2)])
        keys = Window(FormattedTextControl(self._keys), dont_extend_width=True)
        windows = [
            Window(FormattedTextControl(self._title), height=1),
            stage,
            Window(FormattedTextControl(self._caption), height=CAPTION),
            VSplit([ConditionalContainer(entry, filter=Condition(lambda: self._enters)), keys], height=1),
        ]
        return Layout(HSplit(windows), focused_element=stage)

    async def run(self) -> int:
        """Play until the user leaves; return the exit status, or raise what the scene failed with."""
        self._loop = asyncio.get_running_loop()
        fail_on_exceptions(self._fail)
        self._reel = self._new_reel()
        self._wait()
        try:
            status = await self._show(self._exit, set_exception_handler=False)
        finally:
            self._cancel()
            self._reel.close()
            self._forget_former()
        if self._failure is not None:
            raise self._failure
        return status

    # What is computed.

    def _room(self) -> Size:
        """Return what pictures must fit into: never less than the least that every scene can do with."""
        terminal = self._application.output.get_size()
        return Size(max(LEAST.width, terminal.columns), max(LEAST.height, terminal.rows - CHROME))

    def _new_reel(self) -> Reel:
        def changed(reel: Reel) -> None:  # on the worker's thread
            self._loop.call_soon_threadsafe(self._computed, reel)

        return Reel(self._scene, self._word, self._room(), changed)

    def _play_anew(self) -> None:
        """Compute and play from the first picture on."""
        self._reel = self._new_reel()
        self._position, self._plays, self._page, self._opening = -1, True, None, []
        self._wait()

    def _computed(self, reel: Reel) -> None:
        """Take note of what the worker has done."""
        if reel is not self._reel:
            return
        if isinstance(reel.error, AutocompleteError) and self._former is not None:
            refused = self._word
            self._word, self._reel, self._position = self._former
            self._former = None
            self._enter(refused, str(reel.error))
        elif reel.error is not None:
            self._fail(reel.error)
        else:
            self._forget_former()
            if self._steps or (self._timer is None and self._is_moving()):
                self._next()
        self._application.invalidate()

    def _forget_former(self) -> None:
        if self._former is not None:
            self._former[1].close()
            self._former = None

    def _fit(self) -> None:
        """Compute anew where the pictures have become too large for the terminal."""
        room = self._room()
        if room.width < self._reel.size.width or room.height < self._reel.size.height:
            self._reel.close()
            self._play_anew()

    # The time.

    def _is_moving(self) -> bool:
        return self._plays and self._page is None and not self._enters

    def _wait(self) -> None:
        """Let the time of what is shown begin."""
        self._cancel()
        if self._is_moving():
            seconds = self._reel.shots[self._position].seconds if self._position >= 0 else 0.0
            self._timer = self._loop.call_later(_OPENING if self._opening and not self._begins else seconds, self._next)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        """Show the next page of the opening, or the next picture; where that is not there yet, wait until it is."""
        self._cancel()
        if len(self._opening) > 1:
            del self._opening[0]
            self._wait()
            self._application.invalidate()
        elif self._turn_over(self._position + 1):
            self._wait()
        else:
            self._begins = True
            self._application.invalidate()

    def _turn_over(self, position: int) -> bool:
        """Show a picture; return whether it is there."""
        if not 0 <= position < len(self._reel.shots):
            return False
        self._position, self._opening, self._steps = position, [], False
        self._reel.want(position)
        self._application.invalidate()
        return True

    def _is_over(self) -> bool:
        return self._reel.is_complete and self._position == len(self._reel.shots) - 1

    # What the keys do.

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        acts: list[tuple[str, Callable[[], None]]] = [
            (" ", self._pause_or_play),
            ("enter", self._pause_or_play),
            ("right", partial(self._step, 1)),
            ("left", partial(self._step, -1)),
            ("r", self._restart),
            ("?", partial(self._turn_to, "about")),
            ("e", partial(self._turn_to, "equations")),
            ("w", lambda: self._enter(self._word)),
            ("q", partial(self._exit, 0)),
            ("escape", self._escape),
        ]
        bind(bindings, acts, when=Condition(lambda: not self._enters))
        bind(bindings, [("escape", self._stop_entering)], when=Condition(lambda: self._enters))
        bind(bindings, [(key, partial(self._exit, INTERRUPTED)) for key in ("c-c", "<sigint>")])
        return bindings

    def _pause_or_play(self) -> None:
        if self._page is not None:
            self._page = None
        elif self._opening:
            self._next()  # at once; where it is not there yet, as soon as it is
            return
        elif self._is_over():
            self._restart()
        else:
            self._plays = not self._plays
        self._wait()

    def _step(self, by: int) -> None:
        if by < 0 and self._position < 0:  # there is nothing before the first picture
            return
        self._plays, self._page = False, None
        self._cancel()
        self._steps = not self._turn_over(self._position + by) and by > 0 and not self._is_over()

    def _restart(self) -> None:
        if self._opening:
            self._next()
        elif self._reel.size != self._room():
            self._reel.close()
            self._play_anew()
        else:
            self._plays, self._page = True, None
            self._turn_over(0)
            self._wait()

    def _turn_to(self, page: Page) -> None:
        """Open a page over the picture, or close it."""
        stands = self._opening[:1] == [page]  # there before the first picture, below what is opened over it
        if not stands or self._page is not None:
            self._page = None if stands or self._page == page else page
            self._wait()
        elif self._reel.shots:
            self._next()

    def _escape(self) -> None:
        if self._page is None:
            self._exit(0)
        else:
            self._turn_to(self._page)

    def _enter(self, word: str, message: str = "") -> None:
        """Let another word be typed."""
        self._cancel()
        self._enters, self._message = True, message
        self._entry.text = word
        self._entry.cursor_position = len(word)
        self._application.layout.focus(self._entry)

    def _entered(self, buffer: Buffer) -> bool:
        """Play with the word that was typed."""
        if word := " ".join(buffer.text.split()):
            self._forget_former()
            self._former = self._word, self._reel, self._position
            self._word = word
            self._stop_entering()
            self._play_anew()
        return True

    def _stop_entering(self) -> None:
        self._enters, self._message = False, ""
        self._application.layout.focus_last()
        self._wait()

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._exit(2)

    # What is drawn.

    def _title(self) -> AnyFormattedText:
        return title_line(self._scene.name, self._scene.title, self._word, self._state(), self._columns())

    def _state(self) -> str:
        """Return the number of the picture, and whether the next one comes by itself."""
        number = f"{self._position + 1} " if self._position >= 0 else ""
        if self._is_over():
            return f"{number}end"
        if not self._plays and self._reel.shots:  # nothing is paused before there is a picture
            return f"{number}paused"
        return f"{number}{'playing' if self._position + 1 < len(self._reel.shots) else 'computing'}"

    def _picture(self) -> AnyFormattedText:
        terminal = self._application.output.get_size()
        if terminal.columns < LEAST.width or terminal.rows < LEAST.height + CHROME:
            return too_small(terminal.columns, terminal.rows)
        if page := self._page or next(iter(self._opening), None):
            shown = about_page(self._scene) if page == "about" else Padding(equations_page(self._scene), (1, 2))
            return ANSI(draw(shown, self._room()))
        if self._position < 0:
            return "\n computing the first picture ..."
        return ANSI(self._reel.shots[self._position].picture)

    def _caption(self) -> AnyFormattedText:
        text = ""
        if self._enters:
            text = self._message or "Another word for this scene:"
        elif self._page is not None or self._opening:
            soon = ": it is shown as soon as it is there." if self._begins or self._steps else " ..."
            text = "" if self._reel.shots else f"The first picture is being computed{soon}"
        elif self._position >= 0:
            text = self._reel.shots[self._position].caption
        return [("bold", wrapped(text, self._columns()))]

    def _keys(self) -> AnyFormattedText:
        columns, pages = self._columns(), [("?", "about"), ("e", "equations"), ("q", "leave")]
        if self._enters:
            return key_line([("Enter", "play"), ("Esc", "back")], columns // 2)  # the rest is for the word
        if self._page is not None:
            return key_line([("Space", "go on"), *pages], columns)
        space = "begin" if self._opening else "again" if self._is_over() else "pause" if self._plays else "play"
        return key_line([("Space", space), ("→ ←", "step"), ("r", "restart"), ("w", "word"), *pages], columns)
