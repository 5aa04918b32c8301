"""
The keys of the prompt that prompt_toolkit does not have, or has otherwise: accepting the ghost, leaving, pasting.

A key that accepts does so only with the cursor at the end of the line and a ghost after it; elsewhere it keeps the
meaning that it has in every line editor.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from prompt_toolkit.application.current import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

__all__ = ["ghost_bindings", "line_bindings"]


def ghost_bindings(ghost: Callable[[], str]) -> KeyBindings:
    """
    Return the keys that accept.

    :param ghost: what is shown after the cursor, or would be if the cursor stood at the end.
    """
    bindings = KeyBindings()
    is_offered = has_focus(DEFAULT_BUFFER) & Condition(lambda: bool(ghost()))

    @bindings.add("right", filter=is_offered)
    @bindings.add("c-f", filter=is_offered)
    @bindings.add("end", filter=is_offered)
    @bindings.add("c-e", filter=is_offered)
    def _accept_all(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(ghost())

    @bindings.add("escape", "f", filter=is_offered)
    @bindings.add("c-right", filter=is_offered)
    def _accept_word(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(_first_word(ghost()))

    return bindings


def _first_word(ghost: str) -> str:
    """Return the first word of a ghost with the spaces before it; what follows it stays a ghost."""
    found = re.match(r"\s*\S+", ghost)
    return found.group() if found else ghost


def line_bindings() -> KeyBindings:
    """Return the keys that clear the line, leave the prompt and paste; Enter is prompt_toolkit's own."""
    bindings = KeyBindings()
    is_typing = has_focus(DEFAULT_BUFFER)
    is_empty = Condition(lambda: not get_app().current_buffer.text)

    @bindings.add("c-c", filter=is_typing)
    def _clear(event: KeyPressEvent) -> None:
        event.current_buffer.reset()

    @bindings.add("c-d", filter=is_typing & is_empty)
    def _leave(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError())

    @bindings.add("<sigint>")  # a signal from outside; the key Ctrl-C never arrives as one
    def _interrupt(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt())

    @bindings.add(Keys.BracketedPaste, filter=is_typing)
    def _paste(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(" ".join(event.data.splitlines()))

    return bindings
