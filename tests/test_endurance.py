"""
The prompt under random keys, a slow model, long lines, and every way to end it.

`ENDURANCE_KEYS=100000 pytest tests/test_endurance.py -k random` types more random keys than the few of an ordinary run.
"""

from __future__ import annotations

import io
import os
import re
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output
from terminals import (
    BACKSPACE,
    CONTROL_C,
    CONTROL_D,
    CONTROL_G,
    ENTER,
    ESCAPE,
    F4,
    LEXICON,
    PATIENCE,
    Frame,
    ProcessTerminal,
    Terminal,
    make_checkpoint,
    paste,
    prompt,
)

from autocomplete import Prediction, Predictor
from autocomplete.models.protocol import States, Symbols
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.prompt.prompt import run_prompt
from autocomplete.prompt.settings import ACTIONS, PromptSettings, key_sequence
from autocomplete.storage.checkpoint import write_checkpoint

# From Python 3.12 on, forking with threads about warns; pexpect's child calls exec at once, which is safe.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

KEYS = int(os.environ.get("ENDURANCE_KEYS", "5000"))
AT_ONCE = 100  # keys, before the screen is looked at


class CountingNetwork(RecurrentNetwork):
    """A network that counts the symbols that it reads."""

    steps = 0

    def step(self, states: States, symbols: Symbols) -> States:
        self.steps += len(symbols)
        return super().step(states, symbols)


class WatchedPredictor(Predictor):
    """
    A real predictor of text, that tells what it was asked and answers only while its gate is open.

    :param seconds: that it waits before each answer.
    """

    network = CountingNetwork

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(replace(make_checkpoint(), unit="text"), LEXICON)
        self.seconds = seconds
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    @property
    def steps(self) -> int:
        network = self._models._network
        assert isinstance(network, CountingNetwork)
        return network.steps

    def stream(self, text: str, count: int = 5, characters: int = 5, **options: Any) -> Iterator[Prediction]:
        if count > 1:  # else it goes on behind a word
            self.asked.append(text)
            time.sleep(self.seconds)
            assert self.gate.wait(PATIENCE)
        yield from super().stream(text, count, characters, **options)


# Random keys.

_BYTES: dict[str, str] = {}  # what a terminal sends, by prompt_toolkit's name of the key
for _sequence, _key in ANSI_SEQUENCES.items():
    if isinstance(_key, Keys):
        _BYTES.setdefault(_key.value, _sequence)
# All but what ends the prompt: Ctrl-D on an empty line.
SEQUENCES = [sequence for sequence, key in ANSI_SEQUENCES.items() if "\x04" not in sequence and key != Keys.ControlD]
TABLE = [
    "".join(_BYTES.get(key, key) for key in key_sequence(name))
    for _, names in ACTIONS.values()
    for name in names
    if name != "Ctrl-D"
]
COMMANDS = [":letters", ":count 3", ":count 9", ":threshold 0.3", ":help", ":save", ":checkpoint \x00", ":", ":x y"]
PASTES = ("\x1b[200~", "\x1b[201~")
characters = st.characters(exclude_characters="\x04")  # surrogates among them, which become bytes that are no UTF-8
texts = st.text(characters, max_size=12)
numbers = st.integers(0, 300)


def cut(text: str, end: int) -> str:
    return text[: end % (len(text) + 1)]


keys = st.one_of(
    characters,
    st.sampled_from("the quick brown fox"),
    st.sampled_from([chr(i) for i in range(32) if i != 4] + ["\x7f", *'hjklwbdcyprqiaAIRxXuvV0$/?nN@".']),
    st.sampled_from([ENTER, BACKSPACE, CONTROL_C, ESCAPE]),
    st.sampled_from(TABLE),
    st.sampled_from(TABLE),
    st.sampled_from(SEQUENCES),
    st.builds(cut, st.sampled_from(SEQUENCES), numbers),
    st.builds("\x1b{}".format, characters),  # with Alt
    st.builds(  # mouse reports, sound and malformed
        str.format,
        st.sampled_from(["\x1b[<{};{};{}M", "\x1b[<{};{};{}m", "\x1b[{};{};{}M", "\x1b[{};{}M"]),
        numbers,
        numbers,
        numbers,
    ),
    st.builds("\x1b[M{}".format, st.text(characters, min_size=3, max_size=3)),
    st.builds("\x1b[{};{}R".format, numbers, numbers),  # an answer that nobody asked for
    st.builds(paste, texts),
    st.builds(cut, st.builds(paste, texts), numbers),
    st.builds(lambda *parts: "".join(parts), *[st.sampled_from(PASTES), texts] * 2),  # nested, or ended twice
    st.builds("{}\r".format, st.sampled_from(COMMANDS)),
)
bytes_typed = st.one_of(
    keys.map(lambda key: key.encode(errors="surrogatepass")),
    st.binary(max_size=4).map(lambda key: key.replace(b"\x04", b"")),
)

# Whatever the prompt is in the middle of: ends a paste, a search and what waits for another key, then goes to the insert mode
# of vi (in Emacs mode, types an i), and clears the line.
RECOVERY = PASTES[1] + CONTROL_C * 3 + CONTROL_G + ESCAPE + "i" + CONTROL_C

_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class StrictTerminal(Terminal):
    """A terminal that notes what was written to it and is neither text nor one of the sequences that move and colour it."""

    def __init__(self, run: Callable[[Input, Output], Any]) -> None:
        super().__init__(run)
        self.stray = ""

    def write(self, data: str) -> None:
        data = data.encode(errors="replace").decode()  # as prompt_toolkit writes to a real one
        self.stray += "".join(c for c in _ESCAPE_SEQUENCE.sub("", data) if c < " " or "\x7f" <= c < "\xa0").strip(
            "\r\n\b\a"
        )
        super().write(data)

    @property
    def has_quit(self) -> bool:
        """Whether the prompt has ended by the command for that, which Shift-Tab completes first."""
        return self.result == 0 and any(row.startswith("> :quit") for row in self.frames[-1].rows)


def strict_prompt() -> StrictTerminal:
    predictor = Predictor(make_checkpoint(), LEXICON)
    test = PromptSettings("test")
    return StrictTerminal(lambda pipe, output: run_prompt(lambda _: predictor, test, input=pipe, output=output))


def is_sane(frame: Frame) -> bool:
    return (
        0 <= frame.row < 24
        and 0 <= frame.column < 80
        and all(c.isprintable() or c > "\x9f" for c in "".join(frame.rows))
    )


def test_random_keys_leave_it_running_and_the_screen_sane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the lines go that some of the keys save
    typed = 0
    session = ExitStack()
    terminal: StrictTerminal | None = None

    @given(st.lists(bytes_typed, min_size=AT_ONCE, max_size=AT_ONCE))
    @settings(max_examples=KEYS // AT_ONCE, suppress_health_check=list(HealthCheck))
    def type_them(some: list[bytes]) -> None:
        nonlocal typed, terminal
        if terminal is None:
            terminal = session.enter_context(strict_prompt())
        typed += len(some)
        last = f"{typed} bro"
        try:
            terminal.input.send_bytes(b"".join(some))
            terminal.type(RECOVERY)
            terminal.type(last)
            frame = terminal.wait(lambda frame: frame.typed == last and frame.is_fresh and frame.is_complete)
            assert frame.rows[frame.row].startswith(f"> {last}")
            assert len(frame.below) in (3, 7)
            assert all(map(is_sane, terminal.frames))
            assert not terminal.stray
        except BaseException:
            ended, terminal = terminal, None  # one more try, and the search for a smaller example, with a new prompt
            if not ended.has_quit:
                raise
            return
        del terminal.frames[:-1]

    with session:
        type_them()
    assert typed >= KEYS


@pytest.mark.parametrize(
    "keys",
    [
        "\x1b[1;2M",
        "\x1b[Mabc",
        "\x1b[<;;M",
        paste(":save a\x00b") + ENTER,
        ":save ~nobody-of-that-name/file" + ENTER,
        paste(":count " + "9" * 5000) + ENTER,
        ":checkpoint no-such-checkpoint" + ENTER,
        "\x12" + paste("in\na\nsearch"),
    ],
    ids=["mouse", "old-mouse", "empty-mouse", "zero", "nobody", "digits", "checkpoint", "search"],
)
def test_what_once_ended_in_a_traceback_does_not(keys: str) -> None:
    with strict_prompt() as terminal:
        terminal.settle("")
        terminal.type(keys + RECOVERY + "the bro")
        assert terminal.settle("the bro").ghost == "wn"


def test_an_operator_of_vi_takes_nothing_where_the_match_is_in_another_line() -> None:
    with strict_prompt() as terminal:
        terminal.settle("")
        terminal.type("the " * 15 + "xyz" + ENTER)
        terminal.wait(lambda frame: frame.row == 1 and frame.is_fresh)
        terminal.type(F4 + "brown")
        terminal.settle("brown")
        terminal.type(ESCAPE)
        terminal.wait(lambda frame: "vi normal" in frame.status)
        terminal.type("?xyz" + ENTER)
        terminal.wait(lambda frame: frame.line.startswith("the the"))
        terminal.type("j")
        terminal.wait(lambda frame: frame.line == "brown")
        terminal.type("dn" + RECOVERY + "the bro")
        assert terminal.settle("the bro").ghost == "wn"


@pytest.mark.parametrize(
    "keys", ['0v$"ay@a', '0"ay$', '0"ad$', '0"ac$'], ids=["calls-itself", "yank", "delete", "change"]
)
def test_a_register_of_vi_does_not_end_it(keys: str) -> None:
    with strict_prompt() as terminal:
        terminal.settle("")
        terminal.type(F4 + "@a")
        terminal.wait(lambda frame: frame.typed == "@a")
        terminal.type(ESCAPE)
        terminal.wait(lambda frame: "vi normal" in frame.status)
        terminal.type(keys + RECOVERY + "the bro")
        assert terminal.settle("the bro").ghost == "wn"


# A slow model, no flicker, long lines.


def test_a_model_that_takes_300_milliseconds_delays_no_key() -> None:
    predictor = WatchedPredictor(seconds=0.3)
    text = "the quick brown triang"
    with prompt(lambda: predictor) as terminal:
        terminal.settle("")
        start = time.monotonic()
        for length in range(1, len(text) + 1):
            terminal.type(text[length - 1])
            terminal.wait(lambda frame, typed=text[:length]: frame.typed == typed)  # type: ignore[misc]
        elapsed = time.monotonic() - start
        assert elapsed < 0.3 * len(text) / 2  # a key that waited for an answer would wait for the rest of the 300 ms
        assert terminal.settle(text).strip[1].startswith("  1 triangle")
        assert predictor.asked[-1] == text
        assert len(predictor.asked) <= 2 + elapsed / 0.3 + 1


def test_no_frame_of_three_hundred_keys_lacks_the_ghost_that_predicted_them() -> None:
    predictor = WatchedPredictor()
    pressed = predicted = 0
    with prompt(lambda: predictor) as terminal:
        terminal.settle("")
        while pressed < 300:
            typed = ""
            for word in ("triangle", "brown", "triangle", "quick"):
                for letter in word[: 2 if word == "triangle" else 1]:  # until there is a ghost
                    typed += letter
                    pressed += 1
                    terminal.type(letter)
                    frame = terminal.settle(typed)
                whole, rest = frame.line, frame.ghost
                assert rest
                assert whole == typed + rest
                start = len(terminal.frames) - 1
                predictor.gate.clear()  # no answer comes until the gate is open again
                for key in [*rest, *[BACKSPACE] * len(rest), *rest]:
                    typed = typed[:-1] if key == BACKSPACE else typed + key
                    terminal.type(key)
                    terminal.wait(lambda frame, typed=typed: frame.typed == typed)  # type: ignore[misc]
                    pressed += 1
                    predicted += 1
                predictor.gate.set()
                terminal.settle(typed)
                shown = [frame for frame in terminal.frames[start:] if not frame.is_fresh or frame.typed != typed]
                assert len(shown) > 2 * len(rest)
                assert {frame.typed + frame.ghost for frame in shown} == {whole}
                typed += " "
                pressed += 1
                terminal.type(" ")
                terminal.settle(typed)
            terminal.type(CONTROL_C)
            terminal.settle("")
    assert predicted > pressed / 2


def test_backspace_shows_at_once_what_was_answered_before() -> None:
    predictor = WatchedPredictor()
    with prompt(lambda: predictor) as terminal:
        terminal.type("bro")
        terminal.settle("bro")
        predictor.gate.clear()
        terminal.type("k")
        terminal.wait(lambda frame: frame.typed == "brok")
        terminal.type(BACKSPACE)
        assert terminal.settle("bro").ghost == "wn"  # although the gate is closed
        predictor.gate.set()


def test_a_paste_of_100000_characters_is_one_prediction() -> None:
    predictor = WatchedPredictor()
    text = "the quick brown " * 6250 + "bro"
    with prompt(lambda: predictor) as terminal:
        terminal.settle("")
        terminal.type(paste(text))
        frame = terminal.wait(lambda frame: frame.ghost == "wn")
        assert frame.row > 15
        assert predictor.asked == ["", text]


def test_a_key_costs_no_more_steps_on_a_long_line_than_on_a_short_one() -> None:
    end = "the quick brown triangle"

    def steps(rows: int) -> int:
        """Return what the keys of the end of a line cost that fills some rows."""
        predictor = WatchedPredictor()
        line = ("brown triangle and " * 11 * rows)[: 198 * rows - 1] + " "
        with prompt(lambda: predictor, columns=200, rows=60) as terminal:
            terminal.settle("")
            terminal.type(paste(line))
            terminal.wait(lambda frame: predictor.asked == ["", line] and frame.is_fresh and frame.is_complete)
            before = predictor.steps
            for length in range(1, len(end) + 1):
                terminal.type(end[length - 1])
                terminal.wait(lambda frame: frame.typed == end[:length] and frame.is_fresh and frame.is_complete)  # noqa: B023
            assert predictor.asked[2:] == [line + end[: length + 1] for length in range(len(end))]
            return predictor.steps - before

    few = steps(rows=5)
    assert few
    assert steps(rows=51) <= 1.5 * few  # 10,098 characters; what the network has read differs, hence the search


# Every way to end.

_MODE = re.compile(r"\x1b\[\?([0-9;]+)([hl])")
_MODES = {"7": "h", "25": "h"}  # what a terminal has switched on by itself: wrapping, and the cursor

FAILING = """
import sys
from prompt_toolkit.history import FileHistory
from autocomplete import Predictor
from autocomplete.prompt.history import PrivateHistory, history_path
from autocomplete.prompt.prompt import run_prompt
from autocomplete.prompt.settings import PromptSettings

class FailingPredictor(Predictor):
    def stream(self, text, *rest, **options):
        yield from super().stream(text, *rest, **options)
        if text == "fail":
            raise ZeroDivisionError

class FailingHistory(PrivateHistory):
    def store_string(self, string):
        super().store_string(string)
        if string == "fail":
            raise ZeroDivisionError

kind, folder = sys.argv[1:]
load = (FailingPredictor if kind == "predictor" else Predictor).load
run_prompt(lambda _: load(folder), PromptSettings(folder), history=FailingHistory(history_path()))
"""

APART = """
import fcntl, os, runpy, signal, sys, termios
os.dup2(os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT), 2)
if sys.argv.pop(1) == "detached":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    fcntl.ioctl(0, termios.TIOCNOTTY)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
runpy.run_module("autocomplete", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "test"
    write_checkpoint(path, make_checkpoint(), LEXICON)
    return path


class Session(ProcessTerminal):
    """The command in a pseudo-terminal, all that it writes, and the state that it found the terminal in."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        places = {"XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "configuration")}
        super().__init__(arguments, places, home=home)
        self.settings = termios.tcgetattr(self.process.child_fd)
        assert self.settings[3] & termios.ICANON  # Python has not even started
        self.written = io.StringIO()
        self.process.logfile_read = self.written
        self.history = home / "state" / "autocomplete" / "history"

    def enter(self, *lines: str) -> None:
        for line in lines:
            self.wait(lambda frame: frame.typed == "" and frame.is_fresh)
            self.type(line)
            self.wait(lambda frame, line=line: frame.typed == line)  # type: ignore[misc]
            self.type(ENTER)
        self.wait(lambda frame: frame.typed == "" and frame.is_fresh)

    def is_restored(self) -> bool:
        modes = dict(_MODES)
        for numbers, switch in _MODE.findall(self.written.getvalue()):
            modes |= dict.fromkeys(numbers.split(";"), switch)
        on = {number for number, switch in modes.items() if switch == "h"}
        attributes = self.screen.cursor.attrs
        plain = not (attributes.bold or attributes.italics or attributes.reverse or attributes.underscore)
        return termios.tcgetattr(self.process.child_fd) == self.settings and on == _MODES.keys() and plain

    def remembered(self) -> list[str]:
        return [*FileHistory(str(self.history)).load_history_strings()][::-1]


LINES = ["the quick", "brown \N{HANGUL SYLLABLE HAN}", "+triangle #1"]


def command(folder: Path) -> list[str]:
    return ["-m", "autocomplete", "type", "--checkpoint", str(folder)]


@pytest.mark.parametrize(
    ("leave", "status"),
    [
        (CONTROL_D, 0),
        (":quit" + ENTER, 0),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGINT, 130),
    ],
    ids=["control-d", "quit", "sigterm", "sighup", "sigint"],
)
@pytest.mark.parametrize("typed", ["", "bro"], ids=["empty", "amid"])
def test_the_terminal_is_restored_and_the_history_whole(
    folder: Path, tmp_path: Path, leave: str | signal.Signals, status: int, typed: str
) -> None:
    if isinstance(leave, str) and typed:
        typed, leave = "", CONTROL_C + leave  # for these the line must be empty
    with Session(command(folder), tmp_path) as session:
        session.enter(*LINES)
        session.type(typed)
        session.wait(lambda frame: frame.typed == typed)
        if isinstance(leave, str):
            session.type(leave)
        else:
            session.process.kill(leave)
        assert session.leave() == status
        assert session.is_restored()
        assert session.remembered() == LINES + [":quit"] * str(leave).count(":quit")
        assert "Traceback" not in session.written.getvalue()
        assert not any(row.strip() for row in session.screen.display[session.screen.cursor.y + 1 :])


@pytest.mark.parametrize("kind", ["predictor", "history"])
def test_an_exception_is_told_on_a_restored_terminal(folder: Path, tmp_path: Path, kind: str) -> None:
    with Session(["-c", FAILING, kind, str(folder)], tmp_path) as session:
        session.enter(*LINES)
        session.type("fail")
        if kind == "history":
            session.type(ENTER)
        assert session.leave() == 1
        assert session.is_restored()
        assert session.written.getvalue().count("Traceback") == 1
        assert session.written.getvalue().rstrip().endswith("ZeroDivisionError")
        assert session.remembered() == LINES + ["fail"] * (kind == "history")


def test_a_damaged_checkpoint_is_told_on_a_restored_terminal(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "model.safetensors").write_bytes(b"no model")
    with Session(command(tmp_path / "bad"), tmp_path) as session:
        assert session.leave() == 2
        assert session.is_restored()
        assert "autocomplete: " in session.written.getvalue()
        assert "Traceback" not in session.written.getvalue()


@pytest.mark.parametrize("kind", ["attached", "detached"])  # one that is detached is sent no signal
def test_it_ends_by_itself_when_the_terminal_is_closed(folder: Path, tmp_path: Path, kind: str) -> None:
    told = tmp_path / "errors"
    with Session(["-c", APART, str(told), kind, "type", "--checkpoint", str(folder)], tmp_path) as session:
        session.enter(*LINES)
        session.type("bro")
        session.wait(lambda frame: frame.typed == "bro")
        session.process.ptyproc.fileobj.close()
        end = time.monotonic() + PATIENCE
        while session.process.isalive() and time.monotonic() < end:
            time.sleep(0.01)
        ended = not session.process.isalive()
        session.process.ptyproc.closed = True
        assert ended
        assert session.process.exitstatus == 129
        assert session.remembered() == LINES
    assert told.read_text() == ""


def test_the_history_is_whole_after_it_was_killed(folder: Path, tmp_path: Path) -> None:
    with Session(command(folder), tmp_path) as session:
        session.enter(*LINES)
        session.type("bro")
        session.wait(lambda frame: frame.typed == "bro")
        session.process.kill(signal.SIGKILL)
        session.leave()
        assert session.remembered() == LINES
    with Session(command(folder), tmp_path) as session:
        session.enter("again")
        assert session.remembered() == [*LINES, "again"]
