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
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER, EditingMode
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.output import Output
from prompt_toolkit.search import SearchState
from prompt_toolkit.shortcuts import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import is_dumb_terminal

from autocomplete.errors import AutocompleteError, SettingsError
from autocomplete.inference.engine import Engine, Request
from autocomplete.inference.offers import Answer, Offers, Place
from autocomplete.inference.prediction import Suggestion
from autocomplete.inference.predictor import Predictor
from autocomplete.inference.savings import KeysSaved
from autocomplete.prompt.bindings import prompt_bindings
from autocomplete.prompt.commands import (
    Completion,
    complete_command,
    help_text,
    is_command,
    parse_command,
    parse_count,
    parse_threshold,
)
from autocomplete.prompt.dumb import run_dumb_prompt
from autocomplete.prompt.layout import HEIGHTS, Status, prompt_layout, render_commands, render_demo, render_strip
from autocomplete.prompt.settings import STYLES, PromptSettings
from autocomplete.storage.lookup import find_checkpoint, list_checkpoints
from autocomplete.storage.signals import leaving_on_signals
from autocomplete.text.printable import printable

__all__ = ["run_prompt"]

_INTERRUPTED, _HUNG_UP = 130, 129
# Seconds that the worker computes before the event loop gets its turn (Python's own 0.005 would be felt), and that a
# lone Escape waits for what could make it an Alt key: shorter in vi mode, where it means something by itself.
_TURN = 0.0005
_ESCAPE, _ALT, _VI_ALT = 0.02, 0.4, 0.05

Load = Callable[[str], Predictor]


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
        return asyncio.run(_Prompt(load, settings, history or InMemoryHistory(), input, output).run())
    except KeyboardInterrupt:
        return _INTERRUPTED
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


class _Prompt:
    """A line, its engine, and what is offered."""

    def __init__(
        self,
        load: Load,
        settings: PromptSettings,
        history: History,
        input: Input | None,  # noqa: A002
        output: Output | None,
    ) -> None:
        self._load = load
        self._settings = settings
        self._offers = Offers(settings.threshold)
        self._asked: Place | None = None  # of the last request
        self._failure: BaseException | None = None
        self._status = 0  # with which to leave, where a signal asked for that
        self._message = ""
        self._printed = ""  # below the line that was just entered
        self._lines: list[str] = []
        self._keys = KeysSaved()
        self._checkpoints = [folder.name for folder in list_checkpoints()]
        self._engine = Engine(partial(self._load, settings.checkpoint), self._receive, self._offers.keep, self._fail)
        self._buffer = _Line(
            name=DEFAULT_BUFFER,
            multiline=False,
            history=history,
            accept_handler=self._enter,
            on_text_changed=lambda _: self._moved(),
            on_cursor_position_changed=lambda _: self._moved(),
        )
        self._application: Application[None] = Application(
            layout=prompt_layout(
                self._buffer, ghost=self.ghost, strip=self._strip, height=lambda: HEIGHTS[self._settings.layout]
            ),
            key_bindings=prompt_bindings(self, settings),
            style=Style.from_dict(STYLES | dict(settings.colors)),
            editing_mode=EditingMode.VI if settings.editing == "vi" else EditingMode.EMACS,
            after_render=lambda _: self._ask(),
            input=input,
            output=output,
        )
        self._application.ttimeoutlen = _ESCAPE
        self._set_timeout()

    async def run(self) -> int:
        """Take lines until the end of the input; return the exit status, or raise what the engine failed with."""
        asyncio.get_running_loop().set_exception_handler(self._unforeseen)
        with self._engine, leaving_on_signals(self._leave):
            while self._failure is None and not self._status:
                message = self._message  # which may have come after the former line was ended
                self._buffer.reset()
                self._offers.begin()
                self._moved()
                self._message = message
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
                if self._printed:
                    print_formatted_text(self._printed, output=self._application.output)
                    self._printed = ""
        if self._failure is not None:
            raise self._failure
        return self._status

    def _leave(self, number: int) -> None:
        """End the prompt, as a signal asks."""
        self._status = 128 + number
        self._exit()

    def _exit(self, error: BaseException | None = None) -> None:
        if self._application.is_running and not self._application.is_done:
            if error is None:
                self._application.exit()
            else:
                self._application.exit(exception=error)

    # The line.

    def _place(self) -> Place:
        document = self._buffer.document
        return Place(document.text_before_cursor, document.text_after_cursor)

    def _moved(self) -> None:
        """Take note that the line or the cursor changed, and of what was answered for that place before."""
        place = self._place()
        self._message = ""
        self._keys.changed(place.line)
        self._offers.edited(place)
        self._offers.recall(place)

    def _enter(self, buffer: Buffer) -> bool:
        """End the line, unless it is a command with a mistake in it."""
        line = buffer.text
        if is_command(line):
            try:
                self._command(*parse_command(line))
            except AutocompleteError as error:
                self._message = str(error)
                return True  # keep the text: what is wrong with it can be mended
        else:
            self._lines.append(line)
            self._keys.end(line)
        self._exit()
        return True

    def _command(self, name: str, argument: str) -> None:
        """Do what a command asks for; raise SettingsError for a bad argument."""
        if name == "quit":
            self._exit(EOFError())
        elif name == "help":
            self._printed = help_text(self._settings)
        elif name == "letters":
            self._settings = replace(self._settings, letters=not self._settings.letters)
        elif name == "checkpoint":
            self._use(argument)
        elif name == "save":
            self._save(argument)
        elif name == "count":
            self._settings = replace(self._settings, count=parse_count(argument))
            self._forget()
        else:
            self._settings = replace(self._settings, threshold=parse_threshold(argument))
            self._offers.threshold = self._settings.threshold
            self._forget()

    def _use(self, checkpoint: str) -> None:
        """Ask another checkpoint from now on, once it is loaded."""
        find_checkpoint(checkpoint)  # which raises at once for a name that there is not

        def done(failure: AutocompleteError | None) -> None:
            if failure is None:
                self._settings = replace(self._settings, checkpoint=checkpoint)
            else:
                self._message = f"still at {self._settings.checkpoint}: {failure}"
            self._forget()
            self._application.invalidate()

        self._engine.use(partial(self._load, checkpoint), done)

    def _save(self, name: str) -> None:
        """Write the lines of this session into a file that is not there yet."""
        path = Path(name)
        try:
            path = path.expanduser()
            with path.open("x", encoding="utf-8", errors="replace") as file:
                file.writelines(line + "\n" for line in self._lines)
        except FileExistsError:
            raise SettingsError(f"{path} exists, and is left as it is; give another name") from None
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}; give another place") from None
        except (RuntimeError, ValueError) as error:  # the home of nobody; a zero in it
            raise SettingsError(f"{path}: {error}; give another place") from None
        count = len(self._lines)
        self._printed = f"{count} {'line' if count == 1 else 'lines'} written to {printable(str(path))}"

    # Suggestions.

    def _forget(self) -> None:
        """Ask anew. At once, or an answer to what was asked before would come later, and be kept."""
        self._offers.forget()
        self._asked = None
        place, settings = self._place(), self._settings
        place = Place("", "") if is_command(place.line) else place
        self._engine.request(Request(place, settings.count, settings.threshold, settings.ahead))

    def _ask(self) -> None:
        """Ask for what may be inserted at the cursor of the frame that was just drawn."""
        place = self._place()
        if place == self._asked or self._application.is_done or is_command(place.line):
            return
        self._asked = place
        is_drawn, known = self._offers.is_fresh(place), None
        if self._offers.recall(place):
            known = self._offers.newest
            if not is_drawn:
                self._application.invalidate()
        settings = self._settings
        if known is None or known.more is None or settings.ahead:
            self._engine.request(Request(place, settings.count, settings.threshold, settings.ahead, known))

    def _receive(self, answer: Answer) -> None:
        """Take an answer and draw it."""
        place = self._place()
        if answer.place != place and self._offers.is_fresh(place):
            return  # it comes late, and what is on the screen needs none
        is_drawn = self._offers.newest == replace(answer, more=None) and not answer.more
        self._offers.receive(answer)
        if not is_drawn:
            self._application.invalidate()

    def _fail(self, error: BaseException) -> None:
        """End the prompt, and `run` with it, with what the engine's thread raised."""
        self._failure = self._failure or error
        self._exit(error)

    def _unforeseen(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End the prompt with what a key or a frame raised: to go on would be to go on with who knows what."""
        if "exception" in context:
            self._fail(context["exception"])
        else:
            loop.default_exception_handler(context)

    # What the keys do.

    def ghost(self) -> str:
        """Return the ghost text at the cursor."""
        if not self._is_inserting():
            return ""
        if is_command(self._buffer.text):
            completions = self._completions()
            return completions[0].insert if len(completions) == 1 else ""
        return self._offers.ghost(self._place())

    def _is_inserting(self) -> bool:
        """Return whether letters are typed, and not commands of vi."""
        application = self._application
        return application.editing_mode is EditingMode.EMACS or application.vi_state.input_mode is InputMode.INSERT

    def _completions(self) -> list[Completion]:
        """Return how the command on the line may go on."""
        document = self._buffer.document
        return complete_command(document.text, self._checkpoints) if document.is_cursor_at_the_end else []

    def accept(self, text: str) -> None:
        """Insert text that was offered."""
        self._keys.accepted.append((self._buffer.text, len(text) - 1))
        self._buffer.insert_text(text)

    def take(self, by: int) -> None:
        """Take the next candidate, or the one before, in the place of the one just taken."""
        place = self._place()
        names = None
        if is_command(place.line):
            names = [Suggestion(name.whole, name.insert, 0, False, 1.0, exact=True) for name in self._completions()]
        if (taken := self._offers.take(place, by, names)) is not None:
            remove, insert = taken
            self._keys.accepted.append((place.line, len(insert) - remove - 1))
            before = place.before[: len(place.before) - remove] + insert
            self._buffer.document = Document(before + place.after, len(before))

    def take_number(self, number: int) -> None:
        """Take a candidate by its number, from 1 on."""
        candidates = self._offers.candidates(self._place())
        if not is_command(self._buffer.text) and number <= len(candidates):
            self.accept(candidates[number - 1].insert)

    def is_taking(self) -> bool:
        """Return whether a candidate has just been taken."""
        return self._offers.taken(self._place()) is not None

    def turn(self, by: int) -> None:
        """Show the next candidate as ghost, or the one before."""
        self._offers.turn(self._place(), by)

    def silence(self) -> None:
        """Offer nothing until the next edit."""
        self._offers.silence(self._place())

    def is_demo(self) -> bool:
        """Return whether the demo layout is shown."""
        return self._settings.layout == "demo"

    def switch_layout(self) -> None:
        """Show the other layout."""
        self._settings = replace(self._settings, layout="strip" if self.is_demo() else "demo")

    def switch_editing(self) -> None:
        """Change between Emacs and vi keys."""
        is_vi = self._application.editing_mode is EditingMode.VI
        self._application.editing_mode = EditingMode.EMACS if is_vi else EditingMode.VI
        self._application.vi_state.input_mode = InputMode.INSERT
        self._set_timeout()

    def _set_timeout(self) -> None:
        self._application.timeoutlen = _VI_ALT if self._application.editing_mode is EditingMode.VI else _ALT

    # What is drawn below the line.

    def _strip(self) -> StyleAndTextTuples:
        width = get_app().output.get_size().columns
        place, newest = self._place(), self._offers.newest
        status = Status(
            Path(self._settings.checkpoint).name,
            hints=(f"F2 {'strip' if self.is_demo() else 'demo'}", f"F4 {self._editing()}"),
            message=self._message,
            complete=newest is not None and newest.complete,
            stale=newest is not None and newest.place != place,
        )
        if is_command(self._buffer.text):
            names = [completion.whole for completion in self._completions()]
            return render_commands(names, status, width=width, height=HEIGHTS[self._settings.layout])
        prediction = None if newest is None else newest.prediction
        taken = self._offers.taken(place)
        if prediction is not None and taken is not None:
            prediction = replace(prediction, words=tuple(taken[0]))
        elif prediction is not None and self._offers.is_silent(place):
            prediction = replace(prediction, words=())
        chosen = None if taken is None else taken[1]
        letters = self._settings.letters
        if self.is_demo():
            saved = self._keys.saved(self._buffer.text)
            return render_demo(prediction, status, width=width, saved=saved, letters=letters, taken=chosen)
        return render_strip(prediction, status, width=width, letters=letters, taken=chosen)

    def _editing(self) -> str:
        if self._application.editing_mode is EditingMode.EMACS:
            return "emacs"
        return {InputMode.INSERT: "vi", InputMode.REPLACE: "vi replace"}.get(
            self._application.vi_state.input_mode, "vi normal"
        )
