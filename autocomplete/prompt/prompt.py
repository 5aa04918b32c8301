"""
The prompt: a line to type on, with live suggestions.

It is drawn before the checkpoint is loaded. After every frame the engine is asked for what may be inserted at the cursor, if
that has changed; so what was typed is always drawn first, a paste is one request, and every way to change the line
(Backspace, history, moving the cursor) brings suggestions without a rule of its own.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sys
from functools import partial
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER, EditingMode
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.output import Output
from prompt_toolkit.search import SearchState
from prompt_toolkit.shortcuts import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import is_dumb_terminal

from autocomplete.errors import AutocompleteError
from autocomplete.inference.offers import Place
from autocomplete.inference.predictor import Predictor
from autocomplete.prompt.bindings import prompt_bindings
from autocomplete.prompt.dumb import run_dumb_prompt
from autocomplete.prompt.layout import prompt_layout
from autocomplete.prompt.session import Load, Session
from autocomplete.prompt.settings import STYLES, PromptSettings
from autocomplete.prompt.strip import HEIGHTS, Fragments
from autocomplete.storage.signals import INTERRUPTED, fail_on_exceptions, leaving_on_signals

__all__ = ["run_prompt"]

_HUNG_UP = 129
# Seconds that the worker computes before the event loop gets its turn (Python's own 0.005 would be felt), and that a
# lone Escape waits for what could make it an Alt key: shorter in vi mode, where it means something by itself.
_TURN = 0.0005
_ESCAPE, _ALT, _VI_ALT = 0.02, 0.4, 0.05


def run_prompt(
    load: Load,
    settings: PromptSettings = PromptSettings(),  # noqa: B008  # it is frozen
    *,
    history: History | None = None,
    input: Input | None = None,  # noqa: A002  # as prompt_toolkit names it
    output: Output | None = None,
) -> int:
    """
    Let the user type lines until Ctrl-D; return the exit status, 130 after an interrupt, 128 and its number after a signal.

    :param load: makes the predictor of a checkpoint by its name; called on another thread while the prompt is already drawn.
    :param history: of earlier lines; by default none, and these are forgotten.
    :raises AutocompleteError: what `load` raised, after the terminal is restored.
    """
    load = partial(_load_for_good, load)
    turn = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        if output is None and is_dumb_terminal():
            run_dumb_prompt(load(settings.checkpoint), settings)
            return 0
        return asyncio.run(Prompt(load, settings, history or InMemoryHistory(), input=input, output=output).run())
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        sys.setswitchinterval(turn)


def _load_for_good(load: Load, checkpoint: str) -> Predictor:
    """Load a predictor whose many objects stay: to look through them for garbage takes longer than a key may."""
    gc.disable()
    try:
        return load(checkpoint)
    finally:
        gc.freeze()
        gc.enable()


class _Line(Buffer):
    """A line of which an operator of vi takes nothing where `n` finds another line; prompt_toolkit's own raises there."""

    def get_search_position(
        self, search_state: SearchState, include_current_position: bool = True, count: int = 1
    ) -> int:
        """Return where the next match is, the cursor where it is in another line."""
        position = super().get_search_position(search_state, include_current_position, count)
        return position if position <= len(self.text) else self.cursor_position


class Prompt:
    """A line to type on, the keys that act on it, and its session."""

    def __init__(self, load: Load, settings: PromptSettings, history: History, **streams: Any) -> None:
        self._failure: BaseException | None = None
        self._status = 0  # with which to leave, where a signal asked for that
        self._buffer = _Line(
            name=DEFAULT_BUFFER,
            multiline=False,
            history=history,
            accept_handler=self._enter,
            on_text_changed=lambda _: self.session.moved(),
            on_cursor_position_changed=lambda _: self.session.moved(),
        )
        self.session = Session(load, settings, self._place, lambda: self._application.invalidate(), self._fail)
        self._application: Application[None] = Application(
            layout=prompt_layout(
                self._buffer, ghost=self.ghost, strip=self._strip, height=lambda: HEIGHTS[self.session.settings.layout]
            ),
            key_bindings=prompt_bindings(self, settings),
            style=Style.from_dict(STYLES | dict(settings.colors)),
            after_render=self._ask,
            **streams,
        )
        self._application.ttimeoutlen = _ESCAPE
        self._edit_as(EditingMode.VI if settings.editing == "vi" else EditingMode.EMACS)

    async def run(self) -> int:
        """Take lines until the end of the input; return the exit status, or raise what the engine failed with."""
        fail_on_exceptions(self._fail)
        with self.session.engine, leaving_on_signals(self._leave):
            while self._failure is None and not self._status:
                self._buffer.reset()
                self.session.begin_line()
                try:
                    await self._application.run_async(set_exception_handler=False)
                except EOFError:
                    break
                except OSError as error:
                    if not self._status and error.errno != errno.EIO:
                        raise
                    # The terminal was closed. Whether one is told of it by a signal or not, nothing can be shown any more.
                    self._status, self._failure = self._status or _HUNG_UP, None
                    os.dup2(os.open(os.devnull, os.O_WRONLY), self._application.output.fileno())
                if self.session.printed:
                    print_formatted_text(self.session.printed, output=self._application.output)
                    self.session.printed = ""
        if self._failure is not None:
            raise self._failure
        return self._status

    def _place(self) -> Place:
        document = self._buffer.document
        return Place(document.text_before_cursor, document.text_after_cursor)

    def _ask(self, application: Application[None]) -> None:
        if not application.is_done:
            self.session.ask()

    def _enter(self, buffer: Buffer) -> bool:
        """End the line, unless it is a command with a mistake in it."""
        try:
            self._exit(EOFError() if self.session.enter() else None)
        except AutocompleteError as error:
            self.session.message = str(error)
        return True  # keep the text: what is wrong with it can be mended

    def _exit(self, error: BaseException | None = None) -> None:
        if self._application.is_running and not self._application.is_done:
            self._application.exit(exception=error) if error else self._application.exit()

    def _leave(self, number: int) -> None:
        """End the prompt, as a signal asks."""
        self._status = 128 + number
        self._exit()

    def _fail(self, error: BaseException) -> None:
        """End the prompt, and `run` with it, with what the engine's thread raised."""
        self._failure = self._failure or error
        self._exit(error)

    # What the keys act upon.

    def ghost(self) -> str:
        """Return the ghost text at the cursor, none while letters are commands of vi."""
        return self.session.ghost() if self._editing() in ("emacs", "vi") else ""

    def accept(self, text: str) -> None:
        """Insert text that was offered."""
        self.session.keys.accept(self._buffer.text, len(text))
        self._buffer.insert_text(text)

    def take(self, by: int) -> None:
        """Take the next candidate, or the one before, in the place of the one just taken."""
        if (place := self.session.take(by)) is not None:
            self._buffer.document = Document(place.line, len(place.before))

    def take_number(self, number: int) -> None:
        """Take a candidate by its number, from 1 on."""
        if insert := self.session.candidate(number):
            self.accept(insert)

    def switch_editing(self) -> None:
        """Change between Emacs and vi keys."""
        self._edit_as(EditingMode.VI if self._editing() == "emacs" else EditingMode.EMACS)

    def _edit_as(self, mode: EditingMode) -> None:
        self._application.editing_mode = mode
        self._application.vi_state.input_mode = InputMode.INSERT
        self._application.timeoutlen = _VI_ALT if mode is EditingMode.VI else _ALT

    def _strip(self) -> Fragments:
        return self.session.strip(get_app().output.get_size().columns, self._editing())

    def _editing(self) -> str:
        if self._application.editing_mode is EditingMode.EMACS:
            return "emacs"
        return {InputMode.INSERT: "vi", InputMode.REPLACE: "vi replace"}.get(
            self._application.vi_state.input_mode, "vi normal"
        )
