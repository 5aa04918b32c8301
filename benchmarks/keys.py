"""
Type into the prompt and into a bare `PromptSession` of prompt_toolkit in turn, and time what their screens show.

    python benchmarks/keys.py [--keys 400] [--checkpoint english] [--slow 300]

Both run in pseudo-terminals. Whatever they write is stamped with its time when it is read, and drawn by a terminal
emulator (pyte) only afterwards, between two keys. The bare session suggests from its history, which holds the lines typed.
The last part slows the model down to so many milliseconds an answer. A time is `inf` where what it waits for was not there
before the next key. pexpect and pyte come with the test dependencies.
"""

import argparse
import itertools
import math
import os
import random
import re
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pexpect
import pyte

ROOT = Path(__file__).parents[1]
COLUMNS, ROWS = 80, 24
PATIENCE = 60.0  # seconds that anything may take
SILENCE = 0.06  # seconds without an update after which a screen is looked at
TAIL = 12  # characters before the cursor by which a text is recognized

SENTENCES = [
    "could you bring some milk and a loaf of bread on your way home",
    "the train was late again so we walked along the river instead",
    "my sister bought a yellow bicycle from her neighbour last weekend",
    "please remember to water the tomatoes while we are in Scotland",
    "he laughed and said that nobody had ever asked him that before",
    "I left the keys under the flower pot next to the kitchen door",
    "we should paint the bedroom ceiling before the furniture arrives",
]
FORESEEABLE = [  # the ghost begins with about two keys of five and goes on after them
    "I am looking forward to seeing you again next week",
    "please let me know if you have any questions about this",
    "I really appreciate your support throughout the experience",
    "please contact our customer service department for more information",
    "everything was absolutely beautiful and extremely comfortable",
    "several organizations immediately requested additional information",
]
CONTINUATION = " and then we all went back to the old house by sea"  # 50 keys

CLEAR = "\x15"  # Ctrl-U
PASTE = "\x1b[200~{}\x1b[201~"
ASKS_CURSOR, CURSOR_AT_HOME = b"\x1b[6n", b"\x1b[1;1R"  # only asked where a prompt begins, and Enter is never typed
STATUS = re.compile(r"([\d.]+) ms +(exact|not proved|searching)$")  # how the last row of the strip ends

BARE = f"""
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.history import InMemoryHistory
history = InMemoryHistory({[*SENTENCES, *FORESEEABLE]!r})
PromptSession(auto_suggest=AutoSuggestFromHistory(), history=history).prompt("> ")
"""
SLOW = """
import sys
import time
from autocomplete.cli.main import main
from autocomplete.inference.predictor import Predictor
stream = Predictor.stream
def slow_stream(*arguments, **options):
    time.sleep({seconds})
    yield from stream(*arguments, **options)
Predictor.stream = slow_stream
main(["type", "--checkpoint", {checkpoint!r}])
"""


@dataclass(frozen=True)
class Program:
    """What Python runs, and whether there is a strip of suggestions."""

    arguments: tuple[str, ...]
    suggests: bool = True

    @classmethod
    def ours(cls, checkpoint: str) -> Self:
        """Return the prompt."""
        return cls(("-m", "autocomplete", "type", "--checkpoint", checkpoint))

    @classmethod
    def slow(cls, checkpoint: str, milliseconds: float) -> Self:
        """Return the prompt with a model that sleeps before each answer, whether it is still wanted or not."""
        return cls(("-c", SLOW.format(seconds=milliseconds / 1000, checkpoint=checkpoint)))

    @classmethod
    def bare(cls) -> Self:
        """Return the session that suggests from a history."""
        return cls(("-c", BARE), suggests=False)

    def has_begun(self, frame: "Frame") -> bool:
        """Return whether the first words are there; in the bare session, the prompt."""
        return frame.shows("") and (frame.has_words or not self.suggests)

    def has_settled(self, frame: "Frame", text: str) -> bool:
        """Return whether a text is there and all that is suggested for it."""
        return frame.shows(text) and (frame.is_settled or not self.suggests)


@dataclass(frozen=True)
class Frame:
    """
    What a terminal showed from a time on.

    :param before: what stands before the cursor on its row and the one above, without spaces.
    :param ghost: the characters in italics from the cursor on.
    :param strip: letters, words and status; nothing while there is no answer at all.
    :param fresh: whether the letters are drawn as the answer for this text: greyed, they have nothing bold.
    """

    time: float = field(compare=False)
    cursor: tuple[int, int]
    before: str
    ghost: str
    strip: tuple[str, ...]
    fresh: bool

    @classmethod
    def of(cls, screen: pyte.Screen, at: float) -> Self:
        """Return what an emulated terminal shows."""

        def text(row: int, end: int = COLUMNS) -> str:
            return "".join(screen.buffer[row][column].data for column in range(end)).rstrip()

        x, y = screen.cursor.x, screen.cursor.y
        cells = (screen.buffer[y][column] for column in range(x, COLUMNS))
        below = range(y + 3, min(y + 8, ROWS))  # a ghost may take rows too
        status = next((row for row in below if STATUS.search(text(row))), None)
        return cls(
            time=at,
            cursor=(y, x),
            before=((text(y - 1) if y else "") + text(y, x)).replace(" ", ""),
            ghost="".join(cell.data for cell in itertools.takewhile(lambda cell: cell.italics, cells)),
            strip=() if status is None else tuple(text(row) for row in range(status - 2, status + 1)),
            fresh=status is not None and any(screen.buffer[status - 2][column].bold for column in range(COLUMNS)),
        )

    @property
    def has_words(self) -> bool:
        """Whether words for this text are there, all of them or the first."""
        return self.fresh and bool(self.strip[1])

    @property
    def is_settled(self) -> bool:
        """Whether the answer for this text is there as a whole."""
        return self.fresh and not self.strip[2].endswith("searching")

    @property
    def milliseconds(self) -> float:
        """What the answer took, as the strip says."""
        status = STATUS.search(self.strip[-1]) if self.strip else None
        return float(status[1]) if status else math.nan

    def shows(self, text: str) -> bool:
        """Return whether a text stands before the cursor, as far as can be told from its end."""
        return self.before.endswith(f">{text}".replace(" ", "")[-TAIL:])


@dataclass(frozen=True)
class Keystroke:
    """A key, the text with it, when it was written, and the frames before it and from it to the next key."""

    key: str
    text: str
    sent: float
    before: Frame
    frames: list[Frame]

    @property
    def echo(self) -> float:
        """Milliseconds to the frame that shows the character; infinite where none did before the next key."""
        shown = (f for f in self.frames if f.cursor != self.before.cursor and f.shows(self.text))
        return self._until(next(shown, None))

    @property
    def settled(self) -> float:
        """Milliseconds to the frame after which nothing changed; infinite where that is no whole answer."""
        if not self.frames or not self.frames[-1].is_settled:
            return math.inf
        return self._until(next(frame for frame in self.frames if frame == self.frames[-1]))

    @property
    def is_foreseen(self) -> bool:
        """Whether the ghost began with the key and went on after it."""
        return len(self.before.ghost) > 1 and self.before.ghost.startswith(self.key)

    @property
    def gaps(self) -> int:
        """How many frames before the answer lacked the ghost, if the key was foreseen."""
        if not self.is_foreseen:
            return 0
        # Frames before the echo may have the old ghost; an answer may have another one, whatever it is.
        echoed = itertools.dropwhile(lambda frame: frame.cursor == self.before.cursor and frame.ghost, self.frames)
        waiting = itertools.takewhile(lambda frame: not frame.has_words, echoed)
        return sum(frame.ghost != self.before.ghost[1:] for frame in waiting)

    def _until(self, frame: Frame | None) -> float:
        return math.inf if frame is None else 1000 * (frame.time - self.sent)


class Session:
    """A program in a pseudo-terminal, with settings and a history of its own."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._home = tempfile.TemporaryDirectory()
        homes = dict.fromkeys(["XDG_STATE_HOME", "XDG_CONFIG_HOME"], self._home.name)
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._chunks: list[tuple[float, bytes]] = []
        started = time.perf_counter()
        self.last = Frame.of(self._screen, started)
        self._process = pexpect.spawn(
            sys.executable,
            list(program.arguments),
            dimensions=(ROWS, COLUMNS),
            env=os.environ | homes | {"TERM": "xterm-256color"},
            cwd=str(ROOT),
        )
        self._descriptor: int = self._process.child_fd
        os.set_blocking(self._descriptor, False)
        self.start = self.wait(program.has_begun).time - started  # seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.close(force=True)
        self._home.cleanup()

    def type(self, key: str, text: str, seconds: float) -> Keystroke:
        """Type a key that makes the line this text, and watch the screen for a time."""
        before = self.last
        sent = time.perf_counter()
        self.write(key)
        self._collect(seconds)
        return Keystroke(key, text, sent, before, self._frames())

    def clear(self) -> None:
        """Empty the line."""
        self.write(CLEAR)
        self.wait(lambda frame: self.program.has_settled(frame, ""))

    def paste(self, text: str) -> float:
        """Paste a text on the empty line; return the seconds until it is there, with its suggestions."""
        started = time.perf_counter()
        self.write(PASTE.format(text))
        return self.wait(lambda frame: self.program.has_settled(frame, text)).time - started

    def write(self, data: str) -> None:
        """Write as a terminal does what is typed."""
        left = data.encode()
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # the other side has not read what was written before
                if select.select([self._descriptor], [self._descriptor], [])[0]:
                    self._read()

    def wait(self, condition: Callable[[Frame], bool]) -> Frame:
        """Return the first frame from now on that meets a condition."""
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end:
            self._collect(SILENCE)
            for frame in self._frames():
                if condition(frame):
                    return frame
        raise TimeoutError("\n".join(self._screen.display))

    def _collect(self, seconds: float) -> None:
        """Take what is written within a time."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self._descriptor], [], [], left)[0]:
                self._read()

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, 65536)
        except OSError as error:
            self._frames()
            raise EOFError("\n".join(["the program has ended", *self._screen.display])) from error
        self._chunks.append((time.perf_counter(), chunk))
        if ASKS_CURSOR in chunk:
            os.write(self._descriptor, CURSOR_AT_HOME)

    def _frames(self) -> list[Frame]:
        """Draw what was taken; return the frames. While one is being drawn the cursor is hidden."""
        frames = []
        for at, chunk in self._chunks:
            for piece in re.split(rb"(?<=\x1b\[\?25h)", chunk):
                self._stream.feed(piece)
                if piece and not self._screen.cursor.hidden:
                    frames.append(Frame.of(self._screen, at))
        self._chunks.clear()
        self.last = frames[-1] if frames else self.last
        return frames


class Typist:
    """Types as a human does: at a pace that is never quite the same."""

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most = least / 1000, most / 1000
        self._random = random.Random(0)

    def type(self, session: Session, line: str, before: str = "", *, patient: bool = False) -> list[Keystroke]:
        """Type a line after what stands there; if patient, wait for the answer wherever there is no ghost."""
        strokes = []
        for end, key in enumerate(line):
            seconds = self._random.uniform(self._least, self._most)
            strokes.append(session.type(key, before + line[: end + 1], seconds))
            if patient and not session.last.ghost and not session.last.is_settled:
                session.wait(lambda frame: frame.is_settled)
        return strokes

    def type_in_turn(self, lines: Iterable[str], *sessions: Session) -> list[list[Keystroke]]:
        """Type each line into each session; return the keystrokes of each session."""
        typed: list[list[Keystroke]] = [[] for _ in sessions]
        for line in lines:
            for strokes, session in zip(typed, sessions, strict=True):
                session.clear()
                strokes += self.type(session, line)
        return typed


def cut(sentences: list[str], keys: int) -> Iterator[str]:
    """Yield sentences, again and again, of so many keys in all."""
    for sentence in itertools.cycle(sentences):
        if keys <= 0:
            return
        yield sentence[:keys]
        keys -= len(sentence)


def percentile(values: Iterable[float], share: float) -> float:
    return float(np.percentile(list(values), share, method="higher"))  # which takes infinite ones too


def show(label: str, ours: str = "", bare: str = "", goal: str = "") -> None:
    print(f"{label:48}{ours:>12}{bare:>12}   {goal}", flush=True)


def show_echo(label: str, ours: list[Keystroke], bare: list[Keystroke], *, goals: bool = False) -> None:
    """Print the times from key to echo."""
    middle = [percentile((stroke.echo for stroke in strokes), 50) for strokes in (ours, bare)]
    high = [percentile((stroke.echo for stroke in strokes), 99) for strokes in (ours, bare)]
    show(f"{label}, median, ms", f"{middle[0]:.2f}", f"{middle[1]:.2f}")
    show("  ours less bare", f"{middle[0] - middle[1]:+.2f}", goal="<= 1" if goals else "")
    show("  99th percentile", f"{high[0]:.2f}", f"{high[1]:.2f}", "<= 16" if goals else "")


def show_gaps(label: str, strokes: list[Keystroke]) -> None:
    """Print how many frames lacked the ghost."""
    foreseen = sum(stroke.is_foreseen for stroke in strokes)
    show(f"frames without the ghost, {label}", str(sum(stroke.gaps for stroke in strokes)), goal="0")
    show("  after foreseen keys, of all", f"{foreseen} of {len(strokes)}")


def measure_starts(checkpoint: str, starts: int) -> None:
    """Time the first suggestions, and the prompt of the bare session."""
    times: list[list[float]] = [[], []]
    for _ in range(1 + starts):
        for seconds, program in zip(times, [Program.ours(checkpoint), Program.bare()], strict=True):
            with Session(program) as session:
                seconds.append(session.start)
    ours, bare = (statistics.median(seconds[1:]) for seconds in times)  # the first only fills the caches
    show("first suggestions; bare: prompt, s", f"{ours:.3f}", f"{bare:.3f}")
    show("  ratio", f"{ours / bare:.2f}", goal="<= 3")


def measure_keys(typist: Typist, checkpoint: str, keys: int) -> None:
    """Time echoes and answers; count what flickers."""
    with Session(Program.ours(checkpoint)) as ours, Session(Program.bare()) as bare:
        everyday, everyday_bare = typist.type_in_turn(cut(SENTENCES, keys), ours, bare)
        (foreseeable,) = typist.type_in_turn(cut(FORESEEABLE, 3 * keys // 4), ours)
    show_echo("key to echo", everyday, everyday_bare, goals=True)
    settled = [stroke.settled for stroke in everyday]
    answers = [stroke.frames[-1].milliseconds for stroke in everyday if stroke.settled < math.inf]
    show("key to settled screen, median, ms", f"{percentile(settled, 50):.2f}", goal="<= 5")
    show("  99th percentile", f"{percentile(settled, 99):.2f}", goal="<= 25")
    show("  not before the next key", str(settled.count(math.inf)), goal="0")
    show("  the answer alone, as the strip says, median", f"{percentile(answers, 50):.2f}")
    show("  99th percentile", f"{percentile(answers, 99):.2f}")
    show_gaps("everyday text", everyday)
    show_gaps("foreseeable text", foreseeable)


def measure_pastes(typist: Typist, checkpoint: str) -> None:
    """Time echoes at the end of a long line, and a paste."""
    long, longer = ("".join(cut([f"{sentence} " for sentence in SENTENCES], keys)) for keys in (10_000, 100_000))
    with Session(Program.ours(checkpoint)) as ours, Session(Program.bare()) as bare:
        for label, line in ("on a short line", ""), ("after 10,000 characters", long):
            typed = []
            for session in (ours, bare):
                session.clear()
                if line:
                    session.paste(line)
                typed.append(typist.type(session, CONTINUATION, line))
            show_echo(f"echo {label}", *typed)
        ours.clear()
        bare.clear()
        show("100,000 pasted: settled; bare: drawn, s", f"{ours.paste(longer):.2f}", f"{bare.paste(longer):.2f}")


def measure_slow(typist: Typist, checkpoint: str, milliseconds: float) -> None:
    """Time echoes while the model is slow; compare its last answer with that of the model as it is."""
    (line,) = cut(SENTENCES, 40)
    with (
        Session(Program.slow(checkpoint, milliseconds)) as slow,
        Session(Program.bare()) as bare,
        Session(Program.ours(checkpoint)) as ours,
    ):
        typed, typed_bare, _ = (typist.type(session, line) for session in (slow, bare, ours))
        if not slow.last.is_settled:
            slow.wait(lambda frame: frame.is_settled)
        is_last = slow.last.shows(line) and slow.last.strip[:2] == ours.last.strip[:2]
        slow.clear()
        foreseeable = typist.type(slow, FORESEEABLE[2][:40], patient=True)
    show_echo(f"echo, answers slowed to {milliseconds:.0f} ms", typed, typed_bare, goals=True)
    show("  last answer is the one for the last text", "yes" if is_last else "NO", goal="yes")
    show_gaps("slowed, foreseeable", foreseeable)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--keys", type=int, default=400, help="typed of everyday text; three quarters more are foreseeable"
    )
    parser.add_argument("--checkpoint", default="english")
    parser.add_argument("--slow", type=float, default=300, metavar="MS", help="an answer takes in the last part")
    parser.add_argument(
        "--pace", type=float, nargs=2, default=(60, 120), metavar="MS", help="least and most between keys"
    )
    parser.add_argument("--starts", type=int, default=7)
    options = parser.parse_args()
    typist = Typist(*options.pace)
    show("", "ours", "bare", "goal")
    measure_starts(options.checkpoint, options.starts)
    measure_keys(typist, options.checkpoint, options.keys)
    measure_pastes(typist, options.checkpoint)
    measure_slow(typist, options.checkpoint, options.slow)


if __name__ == "__main__":
    main()
