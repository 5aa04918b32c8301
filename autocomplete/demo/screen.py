"""What the stage and the menu have in common: an application on the whole terminal, and the lines around what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from prompt_toolkit.application import Application
from prompt_toolkit.filters import FilterOrBool
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import Layout
from prompt_toolkit.utils import get_cwidth

from autocomplete.demo.pages import LEAST
from autocomplete.storage.signals import leaving_on_signals
from autocomplete.text.printable import cut, wrapped

__all__ = ["CAPTION", "CHROME", "INTERRUPTED", "Screen", "bind", "key_line", "title_line", "too_small"]

INTERRUPTED = 130  # the exit status after Ctrl-C
_ESCAPE = 0.05  # seconds that a lone Escape waits for what could make it another key
CAPTION = 2  # lines
CHROME = 1 + CAPTION + 1  # lines around a picture: title, caption, keys
_SHORTEST_TITLE = 12  # cells: what is left of it in fewer says nothing

Result = TypeVar("Result")


class Screen(Generic[Result]):
    """
    A full-screen application that is left with a result.

    :param options: of prompt_toolkit's Application, such as its input and output.
    """

    def __init__(self, layout: Layout, bindings: KeyBindings, **options: Any) -> None:
        self._application: Application[Result] = Application(layout, key_bindings=bindings, full_screen=True, **options)
        self._application.ttimeoutlen = self._application.timeoutlen = _ESCAPE

    async def _show(self, on_signal: Callable[[int], None], **options: Any) -> Result:
        """
        Return what the screen is left with.

        :param on_signal: called with the exit status after a signal that ends programs.
        """
        with leaving_on_signals(lambda number: on_signal(128 + number)):
            return await self._application.run_async(**options)

    def _exit(self, result: Result) -> None:
        if self._application.is_running and not self._application.is_done:
            self._application.exit(result=result)

    def _columns(self) -> int:
        return self._application.output.get_size().columns


def bind(bindings: KeyBindings, acts: Iterable[tuple[str, Callable[[], None]]], when: FilterOrBool = True) -> None:
    """Bind what is done to keys; a key is done at once, whatever other keys could follow it."""
    for key, act in acts:
        bindings.add(key, filter=when, eager=True)(lambda _, act=act: act())


def title_line(name: str, title: str, word: str, state: str, width: int) -> StyleAndTextTuples:
    """Return what is played, on what word, and whether it plays; where there is no room, the title is cut, and last the word."""
    room = width - get_cwidth(f" {name}     {state} ")
    word = f"“{cut(word, room - 2)}”" if room > 3 else ""
    room -= get_cwidth(word)
    title = cut(title, room) if room >= _SHORTEST_TITLE else ""
    gap = width - get_cwidth(f" {name}  {title}{word}  {state} ")
    return [("reverse bold", f" {name}  "), ("reverse", f"{title}{' ' * max(1, gap)}{word}  {state} ")]


def key_line(keys: Sequence[tuple[str, str]], width: int) -> StyleAndTextTuples:
    """Return the keys, each with what it does; the last, which leads out, is kept where there is no room for all before it."""
    *others, last = keys
    while others and sum(get_cwidth(f"   {key} {act}") for key, act in [*others, last]) - 2 > width:
        del others[-1]
    line: StyleAndTextTuples = []
    for key, act in [*others, last]:
        line += [("", " " if not line else "   "), ("bold", key), ("", f" {act}")]
    return line


def too_small(columns: int, rows: int) -> str:
    """Return what is said where no picture fits."""
    needed = f"{LEAST.width} x {LEAST.height + CHROME}: please make it larger, or its letters smaller."
    return wrapped(f"This window has {columns} x {rows} characters. The pictures need {needed}", columns)
