"""
The keys of the prompt that prompt_toolkit does not have, or has otherwise.

A key that accepts the ghost or a word of it does so only with the cursor at the end of the line; elsewhere it keeps the
meaning that it has in every line editor. All of them work in Emacs mode and in the insert mode of vi.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prompt_toolkit.application.current import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, FilterOrBool, emacs_mode, has_focus, vi_insert_mode, vi_navigation_mode
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name
from prompt_toolkit.keys import Keys

from autocomplete.inference.offers import first_letter, first_word
from autocomplete.prompt.settings import PromptSettings, key_sequence

if TYPE_CHECKING:
    from autocomplete.prompt.prompt import Prompt

__all__ = ["prompt_bindings"]


def prompt_bindings(prompt: Prompt, settings: PromptSettings) -> KeyBindings:
    """Return the keys that accept, choose, clear the line, leave the prompt and paste; Enter is prompt_toolkit's own."""
    offers, place = prompt.session.offers, prompt.session.place
    bindings = KeyBindings()
    is_line = has_focus(DEFAULT_BUFFER)
    is_typing = is_line & (emacs_mode | vi_insert_mode)
    is_offered = is_typing & Condition(lambda: bool(prompt.ghost()))
    is_at_end = is_offered & Condition(lambda: get_app().current_buffer.document.is_cursor_at_the_end)
    is_empty = Condition(lambda: not get_app().current_buffer.text)

    def on(
        action: str,
        filter: FilterOrBool,  # noqa: A002  # as prompt_toolkit names it
        handler: Callable[[KeyPressEvent], None],
        save_before: Callable[[KeyPressEvent], bool] = lambda event: True,
    ) -> None:
        for key in settings.keys_of(action):
            bindings.add(*key_sequence(key), filter=filter, save_before=save_before)(handler)

    # In vi's insert mode these move nothing by themselves.
    bindings.add("c-f", filter=is_line & vi_insert_mode)(get_by_name("forward-char"))
    bindings.add("c-e", filter=is_line & vi_insert_mode)(get_by_name("end-of-line"))
    on("accept", is_at_end, lambda event: prompt.accept(prompt.ghost()))
    on("accept-word", is_at_end, lambda event: prompt.accept(first_word(prompt.ghost())))
    on("accept-letter", is_offered, lambda event: prompt.accept(first_letter(prompt.ghost())))
    if "accept" not in settings.keys:  # a user who chose keys for it gets what they chose
        bindings.add("right", filter=is_at_end & Condition(lambda: prompt.session.settings.layout == "demo"))(
            lambda event: prompt.accept(first_letter(prompt.ghost()))
        )
    # Taking one candidate after another is one step to undo.
    on("candidate-next", is_typing, lambda event: prompt.take(1), lambda event: offers.taken(place()) is None)
    on("candidate-previous", is_typing, lambda event: prompt.take(-1), lambda event: offers.taken(place()) is None)
    for number, key in enumerate(settings.keys_of("candidate"), start=1):
        bindings.add(*key_sequence(key), filter=is_typing)(lambda event, n=number: prompt.take_number(n))
    on("ghost-next", is_typing, lambda event: offers.turn(place(), 1))
    on("ghost-previous", is_typing, lambda event: offers.turn(place(), -1))
    for key in settings.keys_of("silence"):  # of them, Escape leaves vi's insert mode
        sequence = key_sequence(key)
        is_silencing = is_line & emacs_mode if sequence == ("escape",) else is_typing
        bindings.add(*sequence, filter=is_silencing)(lambda event: offers.silence(place()))
    on("undo", is_typing, lambda event: event.current_buffer.undo(), lambda event: False)
    on("layout", True, lambda event: prompt.session.switch_layout())
    on("editing", True, lambda event: prompt.switch_editing())
    on("quit", is_line & is_empty, lambda event: event.app.exit(exception=EOFError()))

    @bindings.add("c-c", filter=is_line)
    def _clear(event: KeyPressEvent) -> None:
        event.current_buffer.reset()
        event.current_buffer.on_text_changed.fire()  # or what is shown about the former line would stay

    @bindings.add("<sigint>")  # a signal from outside; the key Ctrl-C never arrives as one
    def _interrupt(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt())

    @bindings.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(" ".join(event.data.splitlines()))

    # Mouse reports, which are never asked for: prompt_toolkit's own raises where one is malformed, and so does an operator
    # of vi on a register before a motion. Macros of vi: one that calls itself never ends, and no key or signal could end it.
    @bindings.add(Keys.Vt100MouseEvent)
    @bindings.add('"', Keys.Any, "c", filter=vi_navigation_mode)
    @bindings.add('"', Keys.Any, "d", filter=vi_navigation_mode)
    @bindings.add('"', Keys.Any, "y", filter=vi_navigation_mode)
    @bindings.add("@", Keys.Any, filter=vi_navigation_mode)
    def _ignore(event: KeyPressEvent) -> None:
        pass

    return bindings
