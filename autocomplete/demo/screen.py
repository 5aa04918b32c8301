"""What the stage and the menu have in common, and the stage's windows: the picture and the lines around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Filter
from prompt_toolkit.formatted_text import AnyFormattedText, StyleAndTextTuples
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.utils import get_cwidth

from autocomplete.demo.pages import LEAST
from autocomplete.text.printable import cut, wrapped

__all__ = ["CHROME", "ESCAPE", "INTERRUPTED", "key_line", "stage_layout", "title_line", "too_small"]

INTERRUPTED = 130  # the exit status after Ctrl-C
ESCAPE = 0.05  # seconds that a lone Escape waits for what could make it another key
_CAPTION = 2  # lines
CHROME = 1 + _CAPTION + 1  # lines around a picture: title, caption, keys
_SHORTEST_TITLE = 12  # cells: what is left of it in fewer says nothing

Shown = Callable[[], AnyFormattedText]


def stage_layout(*, title: Shown, picture: Shown, caption: Shown, keys: Shown, entry: Buffer, enters: Filter) -> Layout:
    """
    Return the windows.

    :param entry: the line on which another word is typed, shown beside the keys while it `enters`.
    """
    stage = Window(FormattedTextControl(picture, focusable=True, show_cursor=False), always_hide_cursor=True)
    word = ConditionalContainer(VSplit([Window(width=1), Window(BufferControl(entry)), Window(width=2)]), filter=enters)
    return Layout(
        HSplit(
            [
                Window(FormattedTextControl(title), height=1),
                stage,
                Window(FormattedTextControl(caption), height=_CAPTION),
                VSplit([word, Window(FormattedTextControl(keys), dont_extend_width=True)], height=1),
            ]
        ),
        focused_element=stage,
    )


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
    text = (
        f"This window has {columns} x {rows} characters. The pictures need {LEAST.width} x {LEAST.height + CHROME}: "
        "please make it larger, or its letters smaller."
    )
    return wrapped(text, columns)
