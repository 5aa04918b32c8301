"""
The prompt: a line to type on, with live suggestions.

It is drawn before the checkpoint is loaded. After every frame the engine is asked for what may follow the text on the
screen, if that has changed; so what was typed is always drawn first, a paste is one request, and every way to change the
line (Backspace, history, moving the cursor) brings suggestions without a rule of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prompt_toolkit.application import Application
from prompt_toolkit.application.current import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import merge_key_bindings
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import is_dumb_terminal

from autocomplete.inference.predictor import Prediction, Predictor
from autocomplete.terminal.bindings import ghost_bindings, line_bindings
from autocomplete.terminal.engine import Answer, Engine
from autocomplete.terminal.layout import PROMPT, STYLES, THRESHOLD, ghost_text, prompt_layout, render_strip

__all__ = ["run_prompt"]

_FRAME = 1 / 60  # seconds; words that a search adds one by one are not drawn more often
_INTERRUPTED = 130
_DUMB_WIDTH = 80  # such a terminal cannot be asked


def run_prompt(
    load: Callable[[], Predictor],
    *,
    checkpoint_name: str,
    count: int = 5,
    threshold: float = THRESHOLD,
    input: Input | None = None,  # noqa: A002  # as prompt_toolkit names it
    output: Output | None = None,
) -> int:
    """
    Let the user type lines until Ctrl-D; return the exit status, 130 after an interrupt signal.

    :param load: makes the predictor; called on another thread while the prompt is already drawn.
    :param count: of words offered.
    :param threshold: words less probable than this are not shown as ghost text.
    :raises AutocompleteError: what `load` raised, after the terminal is restored.
    """
    try:
        if output is None and is_dumb_terminal():
            _run_dumb(load(), checkpoint_name, count)
        else:
            asyncio.run(_Prompt(load, checkpoint_name, count, threshold, input, output).run())
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _run_dumb(predictor: Predictor, checkpoint_name: str, count: int) -> None:
    """Answer below each line: on a terminal that cannot move its cursor, nothing can be shown while one types."""
    while True:
        try:
            text = input(PROMPT)
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return
        else:
            strip = render_strip(predictor.predict(text, count), checkpoint_name=checkpoint_name, width=_DUMB_WIDTH)
            print("".join(fragment[1] for fragment in strip))


class _Prompt:
    """A line, its engine, and the newest answer."""

    def __init__(
        self,
        load: Callable[[], Predictor],
        checkpoint_name: str,
        count: int,
        threshold: float,
        input: Input | None,  # noqa: A002
        output: Output | None,
    ) -> None:
        self._checkpoint_name = checkpoint_name
        self._count = count
        self._threshold = threshold
        self._asked: str | None = None  # the text of the last request
        self._answer: Answer | None = None
        self._ghost_source: Prediction | None = None  # the newest prediction that knows its best word
        self._repaint: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._engine = Engine(load, self._receive, self._fail)
        self._buffer = Buffer(
            name=DEFAULT_BUFFER, multiline=False, history=InMemoryHistory(), accept_handler=self._accept
        )
        self._application: Application[None] = Application(
            layout=prompt_layout(self._buffer, ghost=self._ghost, strip=self._strip),
            key_bindings=merge_key_bindings([ghost_bindings(self._ghost), line_bindings()]),
            style=Style.from_dict(STYLES),
            after_render=lambda _: self._ask(),
            input=input,
            output=output,
        )

    async def run(self) -> None:
        """Take lines until the end of the input; raise what the engine failed with."""
        with self._engine:
            while self._failure is None:
                self._buffer.reset()
                try:
                    await self._application.run_async()
                except EOFError:
                    break
        if self._failure is not None:
            raise self._failure

    def _accept(self, buffer: Buffer) -> bool:
        self._application.exit()
        return True  # keep the text, for the last frame shows it

    def _ask(self) -> None:
        """Ask for what may follow the text of the frame that was just drawn."""
        text = self._buffer.document.text_before_cursor
        if text != self._asked and not self._application.is_done:
            self._asked = text
            self._engine.request(text, self._count)

    def _receive(self, answer: Answer) -> None:
        """Take an answer; draw it at once if it is complete, with the next frame if more is to come."""
        self._answer = answer
        if answer.complete or answer.prediction.words:
            self._ghost_source = answer.prediction
        if answer.complete:
            self._draw()
        elif self._repaint is None:
            self._repaint = asyncio.get_running_loop().call_later(_FRAME, self._draw)

    def _draw(self) -> None:
        if self._repaint is not None:
            self._repaint.cancel()
            self._repaint = None
        self._application.invalidate()

    def _fail(self, error: BaseException) -> None:
        """End the prompt, and `run` with it, with what the engine's thread raised."""
        self._failure = error
        if self._application.is_running and not self._application.is_done:
            self._application.exit(exception=error)

    def _ghost(self) -> str:
        document = self._buffer.document
        if self._ghost_source is None or not document.is_cursor_at_the_end:
            return ""
        return ghost_text(self._ghost_source, document.text, self._threshold)

    def _strip(self) -> StyleAndTextTuples:
        answer = self._answer
        width = get_app().output.get_size().columns
        if answer is None:
            return render_strip(None, checkpoint_name=self._checkpoint_name, width=width)
        return render_strip(
            answer.prediction,
            checkpoint_name=self._checkpoint_name,
            width=width,
            complete=answer.complete,
            stale=answer.prediction.text != self._buffer.document.text_before_cursor,
        )
