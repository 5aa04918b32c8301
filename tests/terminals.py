"""
Terminals for tests: keys go in, a screen shows what comes out.

`Terminal` runs the prompt in this process, between a real pipe and a terminal emulator (pyte) that keeps every frame;
`ProcessTerminal` in a process and a pseudo-terminal of its own. Waiting is for a condition.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pexpect
import pyte
import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import History
from prompt_toolkit.input import Input, create_pipe_input
from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output

from autocomplete import Predictor
from autocomplete.prompt.prompt import run_prompt
from autocomplete.prompt.settings import PromptSettings
from autocomplete.storage.checkpoint import Checkpoint
from autocomplete.storage.configuration import Configuration
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.vocabulary import Vocabulary

PATIENCE = 20.0  # seconds; only a failing test waits so long
LEXICON = {  # no word is so frequent that it is offered before its first letter
    "brown": 300.0,
    "broke": 45.0,
    "broad": 25.0,
    "brother": 20.0,
    "brought": 15.0,
    "the": 300.0,
    "and": 300.0,
    "quick": 300.0,
    "triangle": 300.0,
    "trial": 30.0,
    "new york": 100.0,
}

# What a terminal sends for a key.
RIGHT, LEFT, UP, DOWN, HOME, END = "\x1b[C", "\x1b[D", "\x1b[A", "\x1b[B", "\x1b[H", "\x1b[F"
SHIFT_RIGHT, ALT_RIGHT, CONTROL_RIGHT, CONTROL_UP, CONTROL_DOWN = (
    "\x1b[1;2C",
    "\x1b[1;3C",
    "\x1b[1;5C",
    "\x1b[1;5A",
    "\x1b[1;5B",
)
CONTROL_C, CONTROL_D, CONTROL_E, CONTROL_F, CONTROL_G, CONTROL_R = "\x03", "\x04", "\x05", "\x06", "\x07", "\x12"
UNDO, ESCAPE, BACKSPACE, TAB, SHIFT_TAB, ENTER = "\x1f", "\x1b", "\x7f", "\t", "\x1b[Z", "\r"
ALT_F, F2, F4 = "\x1bf", "\x1bOQ", "\x1bOS"


def paste(text: str) -> str:
    """Return what a terminal sends for a paste."""
    return f"\x1b[200~{text}\x1b[201~"


def make_checkpoint(lexicon: Mapping[str, float] = LEXICON) -> Checkpoint:
    """Return an untrained network, which the lexicon outweighs."""
    vocabulary = Vocabulary.from_words(lexicon)
    configuration = Configuration(vocabulary=len(vocabulary), cell="gru", hidden=8, embedding=4)
    generator = np.random.default_rng(0)
    tensors = {
        name: generator.normal(0.0, 0.3, shape).astype(np.float32) for name, shape in configuration.shapes().items()
    }
    return Checkpoint(configuration, vocabulary, Letters(), tensors, figures={"network_prior": 0.02})


def load() -> Predictor:
    return Predictor(make_checkpoint(), LEXICON)


@dataclass(frozen=True)
class Frame:
    """What a terminal showed at one moment."""

    rows: tuple[str, ...]
    italic: tuple[str, ...]  # of each row, only the characters in italics
    bold: tuple[str, ...]
    colors: frozenset[str]
    column: int
    row: int
    typed: str  # the row of the cursor after the prompt, up to the cursor
    picture: str  # that row after the prompt, with a bar where the cursor is and the ghost in brackets

    @classmethod
    def of(cls, screen: pyte.Screen) -> Self:
        # A cell without a character is the right half of the wide one before it.
        cells = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
        row, column = screen.cursor.y, screen.cursor.x
        picture, is_ghost = "", False
        for x, cell in enumerate(cells[row][2:], start=2):
            if cell.italics != is_ghost:
                picture += "]" if is_ghost else ""
            picture += "|" if x == column else ""
            if cell.italics != is_ghost:
                picture += "" if is_ghost else "["
                is_ghost = cell.italics
            picture += cell.data
        return cls(
            rows=tuple(line.rstrip() for line in screen.display),
            italic=tuple("".join(c.data for c in line if c.italics and c.data != " ") for line in cells),
            bold=tuple("".join(c.data for c in line if c.bold and c.data != " ") for line in cells),
            colors=frozenset(c.fg for line in cells for c in line),
            column=column,
            row=row,
            typed="".join(cell.data for cell in cells[row][2:column]),
            picture=picture.rstrip(),
        )

    @property
    def line(self) -> str:
        """The row of the cursor after the prompt, the ghost included."""
        return self.rows[self.row][2:]

    @property
    def ghost(self) -> str:
        return self.italic[self.row]

    @property
    def strip(self) -> tuple[str, ...]:
        return self.rows[self.row + 1 : self.row + 4]

    @property
    def below(self) -> tuple[str, ...]:
        """The rows below that of the cursor, in whichever layout, without the empty ones at the end."""
        rows = self.rows[self.row + 1 :]
        return rows[: max((i for i, row in enumerate(rows, start=1) if row), default=0)]

    @property
    def status(self) -> str:
        """The last row that is drawn."""
        return (self.below or ("",))[-1]

    @property
    def is_complete(self) -> bool:
        """Whether the search for what is on the screen has ended."""
        return self.status.endswith(("exact", "not proved"))

    @property
    def is_fresh(self) -> bool:
        """Whether the strip is drawn as the answer for this text: greyed, it has nothing bold."""
        return bool("".join(self.bold[self.row + 1 : self.row + 4]))


class Watched:
    """A terminal whose screen can be waited for."""

    def wait(self, condition: Callable[[Frame], bool]) -> Frame:
        """Return the newest frame once it meets a condition."""
        raise NotImplementedError

    def settle(self, typed: str) -> Frame:
        """Return the frame that has an answer for a text."""
        return self.wait(lambda frame: frame.typed == typed and frame.is_fresh and frame.strip[2].endswith("exact"))

    def see(self, picture: str) -> Frame:
        """Return the frame with a line as `Frame.picture` has it, and with an answer for it."""
        return self.wait(lambda frame: frame.picture == picture and frame.is_fresh and frame.is_complete)


class Terminal(Watched):
    """Runs a function between a pipe and an emulated terminal, on another thread; keeps every frame drawn."""

    def __init__(self, run: Callable[[Input, Output], Any], columns: int = 80, rows: int = 24) -> None:
        self.screen = Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)
        self.frames: list[Frame] = []
        self.result: Any = None
        self.error: BaseException | None = None
        self._written = ""
        self._run = run
        self._pipe = create_pipe_input()
        self._size = Size(rows=rows, columns=columns)
        self._thread = threading.Thread(
            target=self._work, daemon=True
        )  # a prompt that does not end shall end one test only

    # What Vt100_Output needs of a text stream.
    encoding = "utf-8"

    def write(self, data: str) -> None:
        self._written += data

    def flush(self) -> None:
        self.stream.feed(self._written)
        self._written = ""
        self.frames.append(Frame.of(self.screen))

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1

    def _work(self) -> None:
        try:
            output = Vt100_Output(self, lambda: self._size, term="xterm-256color", enable_cpr=False)  # type: ignore[arg-type]
            self.result = self._run(self.input, output)
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Self:
        self.input = self._pipe.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self.type(CONTROL_C + CONTROL_D)
        self.join()
        self._pipe.__exit__(kind, error, traceback)

    def type(self, text: str) -> None:
        self.input.send_text(text)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size; the program sees it when it next asks."""
        self.screen.resize(rows, columns)
        self._size = Size(rows=rows, columns=columns)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def wait(self, condition: Callable[[Frame], bool]) -> Frame:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._thread.is_alive():
            if self.frames and condition(frame := self.frames[-1]):
                return frame
            time.sleep(0.002)
        pytest.fail(f"never seen; the last frame: {self.frames[-1] if self.frames else None}, error: {self.error!r}")


def prompt(
    load: Callable[[], Predictor] = load,
    settings: PromptSettings = PromptSettings("test", ahead=False),  # noqa: B008  # it is frozen
    history: History | None = None,
    **size: int,
) -> Terminal:
    return Terminal(
        lambda pipe, output: run_prompt(lambda _: load(), settings, history=history, input=pipe, output=output), **size
    )


class Screen(pyte.Screen):
    """A screen that does with characters of no width and with a new size what terminals do."""

    def draw(self, data: str) -> None:
        for character in data:  # pyte drops all that comes in one piece after a joiner, which has no width
            super().draw(character)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        lines = lines or self.lines
        if lines < self.lines:  # the rows below the cursor go, and those at the top only where there are too few
            row, column = self.cursor.y, self.cursor.x
            above = max(0, row - lines + 1)
            self.cursor_position(0, 0)
            self.delete_lines(above)
            self.cursor.y, self.cursor.x = row - above, column
            for y in range(lines, self.lines):
                self.buffer.pop(y, None)
            self.lines = lines
        super().resize(lines, columns)
        self.cursor.x = min(self.cursor.x, self.columns - 1)


def show(process: pexpect.spawn, stream: pyte.Stream) -> bool:
    """Show what a program has written lately on a screen; return whether more can come."""
    try:
        stream.feed(process.read_nonblocking(65536, timeout=0.1))
    except pexpect.TIMEOUT:
        pass
    except pexpect.EOF:
        return False
    return True


class ProcessTerminal(Watched):
    """
    A Python program in a process and a pseudo-terminal of its own; answers when asked where the cursor is, as terminals do.

    :param arguments: of Python.
    :param home: the home folder of the program and its working directory; by default it has this one's.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] = {},  # it is never written to
        columns: int = 80,
        rows: int = 24,
        home: Path | None = None,
    ) -> None:
        self.screen = Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)
        base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONWARNINGS": "error"}
        base |= {"LANG": "C.UTF-8", "TERM": "xterm-256color", "OPENBLAS_NUM_THREADS": "1"}
        base |= {} if home is None else {"HOME": str(home)}
        self.process = pexpect.spawn(
            sys.executable,
            list(arguments),
            env={**base, **environment},
            cwd=home,
            dimensions=(rows, columns),
            encoding="utf-8",
            codec_errors="replace",
        )
        self.screen.write_process_input = self.process.send  # type: ignore[method-assign]
        self.process.delaybeforesend = None
        self.process.ptyproc.delayafterclose = self.process.ptyproc.delayafterterminate = 0.02

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.close(force=True)

    def type(self, text: str) -> None:
        self.process.send(text)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, of which the program is told by a signal."""
        self.screen.resize(rows, columns)
        self.process.setwinsize(rows, columns)

    def wait(self, condition: Callable[[Frame], bool]) -> Frame:
        end = time.monotonic() + PATIENCE
        frame = Frame.of(self.screen)
        while time.monotonic() < end:
            if not show(self.process, self.stream):
                end = 0.0
            if condition(frame := Frame.of(self.screen)):
                return frame
        pytest.fail("\n".join([f"never seen; the last screen, at {frame.picture!r}:", *frame.rows]))

    def leave(self) -> int | None:
        """Return the exit status of a program that is about to end."""
        self.process.expect(pexpect.EOF, timeout=PATIENCE)
        self.stream.feed(self.process.before)
        self.process.wait()
        status: int | None = self.process.exitstatus
        return status
