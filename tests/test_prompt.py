"""
The prompt as a user meets it: keys go in, a terminal shows what comes out.

Most tests run it in this process, between a real pipe and a terminal emulator (pyte) that keeps every frame. Those on
starting, leaving and the environment run it in a process and a pseudo-terminal of its own. Waiting is for a condition.
"""

from __future__ import annotations

import signal
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prompt_toolkit import PromptSession
from prompt_toolkit.input import Input
from prompt_toolkit.output import Output
from prompt_toolkit.utils import get_cwidth
from terminals import (
    ALT_F,
    BACKSPACE,
    CONTROL_C,
    CONTROL_D,
    CONTROL_E,
    CONTROL_F,
    CONTROL_RIGHT,
    END,
    ENTER,
    LEFT,
    LEXICON,
    PATIENCE,
    RIGHT,
    UP,
    ProcessTerminal,
    Terminal,
    load,
    make_checkpoint,
    prompt,
)

from autocomplete import Prediction, Predictor, Suggestion
from autocomplete.errors import CheckpointError
from autocomplete.inference.engine import Engine, Request
from autocomplete.inference.offers import ghost_text
from autocomplete.inference.prediction import NextCharacter
from autocomplete.inference.search import Budget
from autocomplete.prompt.settings import PromptSettings
from autocomplete.prompt.strip import HEIGHTS, Status, format_probability, render_strip
from autocomplete.storage.checkpoint import write_checkpoint
from autocomplete.terminal import RNNAutoSuggest, RNNCompleter

# From Python 3.12 on, forking with threads about warns; pexpect's child calls exec at once, which is safe.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

ACCEPTING = {"right": RIGHT, "c-f": CONTROL_F, "end": END, "c-e": CONTROL_E, "a-f": ALT_F, "c-right": CONTROL_RIGHT}


class GatedPredictor(Predictor):
    """A real predictor that answers only while its gates are open, one for all and one for words: as slow as a test likes."""

    def __init__(self) -> None:
        super().__init__(make_checkpoint(), LEXICON)
        self.gate = threading.Event()
        self.gate.set()
        self.word_gate = threading.Event()
        self.word_gate.set()
        self.asked: list[str] = []

    def stream(
        self, text: str, count: int = 5, characters: int = 5, *, after: str = "", budget: Budget | None = None
    ) -> Iterator[Prediction]:
        self.asked.append(text)
        assert self.gate.wait(PATIENCE)
        for prediction in super().stream(text, count, characters, after=after, budget=budget):
            yield prediction
            assert self.word_gate.wait(PATIENCE)


@pytest.mark.parametrize("columns", [40, 80])
def test_the_strip_shows_letters_words_and_state(columns: int) -> None:
    with prompt(columns=columns) as terminal:
        terminal.type("the quick bro")
        letters, words, status = terminal.settle("the quick bro").strip
        assert letters.startswith("  next  w ")
        assert words.startswith("  1 brown .7")
        assert ("5 brought" in words) == (columns == 80)  # what does not fit is left out, not cut
        assert status.startswith(" test   " if columns == 40 else " F2 demo   F4 emacs   test   ")


def test_nothing_jumps() -> None:
    with prompt() as terminal:
        for letter in "the quick brown":
            terminal.type(letter)
        terminal.settle("the quick brown")
        terminal.type(BACKSPACE * 20)
        terminal.settle("")
        drawn = [frame for frame in terminal.frames if frame.rows[0].startswith(">")]
        assert drawn
        assert all(" test " in frame.rows[3] and not any(frame.rows[4:]) for frame in drawn)


@pytest.mark.parametrize("key", ACCEPTING.values(), ids=ACCEPTING.keys())
def test_a_key_accepts_the_ghost(key: str) -> None:
    with prompt() as terminal:
        terminal.type("the quick bro")
        frame = terminal.settle("the quick bro")
        assert (frame.line, frame.ghost) == ("the quick brown", "wn")
        terminal.type(key)
        assert terminal.settle("the quick brown").ghost == ""


@pytest.mark.parametrize("key", ACCEPTING.values(), ids=ACCEPTING.keys())
def test_the_same_key_moves_inside_the_line(key: str) -> None:
    with prompt() as terminal:
        terminal.type("bro")
        terminal.settle("bro")
        terminal.type(LEFT * 3)
        assert terminal.settle("").line == "bro"  # no ghost before the end of the line
        terminal.type(key)
        frame = terminal.settle("b" if key in (RIGHT, CONTROL_F) else "bro")  # one letter, or to the end of the word
        assert frame.line == frame.typed + (frame.ghost or "ro")


@pytest.mark.parametrize("key", [ALT_F, CONTROL_RIGHT], ids=["a-f", "c-right"])
def test_one_word_is_accepted_of_a_ghost_of_several(key: str) -> None:
    with prompt() as terminal:
        terminal.type("ne")
        assert terminal.settle("ne").line == "new york"
        terminal.type(key)
        assert terminal.settle("new").line == "new york"
        assert all(frame.line == "new york" for frame in terminal.frames if frame.typed == "new")
    with prompt() as terminal:
        terminal.type("ne")
        terminal.settle("ne")
        terminal.type(END)
        assert terminal.wait(lambda frame: frame.typed == "new york")


def test_enter_never_accepts() -> None:
    with prompt() as terminal:
        terminal.type("bro")
        terminal.settle("bro")
        terminal.type(ENTER)
        frame = terminal.wait(lambda frame: frame.row == 1 and frame.is_fresh)
        assert frame.rows[:2] == ("> bro", ">")
        terminal.type(UP)
        assert terminal.settle("bro").line == "brown"  # the history has what was typed


def test_backspace_brings_suggestions_back() -> None:
    with prompt() as terminal:
        terminal.type("brox")
        assert terminal.wait(lambda frame: frame.typed == "brox" and not frame.ghost)
        terminal.type(BACKSPACE)
        assert terminal.settle("bro").ghost == "wn"


def test_no_frame_lacks_the_ghost_between_a_predicted_key_and_its_answer() -> None:
    predictor = GatedPredictor()
    with prompt(lambda: predictor) as terminal:
        terminal.type("the quick bro")
        terminal.settle("the quick bro")
        start = len(terminal.frames)
        predictor.gate.clear()
        terminal.type("w")
        frame = terminal.wait(lambda frame: frame.typed == "the quick brow")  # echoed, although there is no answer
        assert not frame.is_fresh
        assert frame.strip[1].startswith("  1 brown")
        predictor.word_gate.clear()
        predictor.gate.set()
        frame = terminal.wait(lambda frame: frame.is_fresh)  # the letters are there, the words not yet
        assert frame.strip[:2] == ("  next  n 1.0", "")
        assert frame.strip[2].endswith("searching")
        predictor.word_gate.set()
        terminal.settle("the quick brow")
        assert all(frame.line == "the quick brown" for frame in terminal.frames[start:])
        assert all(frame.typed + frame.ghost == "the quick brown" for frame in terminal.frames[start:])
        predictor.gate.clear()
        terminal.type("x")  # not predicted
        assert not terminal.wait(lambda frame: frame.typed == "the quick browx").ghost
        predictor.gate.set()


def test_a_likely_letter_is_answered_before_it_is_typed() -> None:
    predictor = GatedPredictor()
    with prompt(lambda: predictor, PromptSettings("test")) as terminal:
        terminal.type("the quick bro")
        terminal.settle("the quick bro")
        terminal.wait(
            lambda _: "the quick brok" in predictor.asked
        )  # w is the most probable, and has been answered then
        predictor.gate.clear()
        start = len(terminal.frames)
        terminal.type("w")
        assert terminal.settle("the quick brow").ghost == "n"
        assert all(frame.is_fresh for frame in terminal.frames[start:] if frame.typed == "the quick brow")
        predictor.gate.set()
        terminal.wait(lambda _: "the quick brown" in predictor.asked)  # and on it goes from there


def test_a_slow_model_delays_no_key_and_only_the_newest_text_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = GatedPredictor()
    requested: list[str] = []

    def request(engine: Engine, wanted: Request) -> None:
        own_request(engine, wanted)
        requested.append(wanted.place.before)

    own_request = Engine.request
    monkeypatch.setattr(Engine, "request", request)
    with prompt(lambda: predictor) as terminal:
        terminal.settle("")
        predictor.gate.clear()
        for length in range(1, 6):
            terminal.type("trian"[length - 1])
            terminal.wait(lambda frame, typed="trian"[:length]: frame.typed == typed)  # type: ignore[misc]
        terminal.wait(lambda _: "trian" in requested)  # a text is drawn first, and asked for a moment later
        predictor.gate.set()
        assert terminal.settle("trian").strip[1].startswith("  1 triangle")
        # The worker is at the first text that it took when the gate opens; those between it and the last are never asked.
        assert predictor.asked[0] == ""
        assert predictor.asked[-1] == "trian"
        assert len(predictor.asked) <= 3


def test_a_paste_is_one_line_and_one_prediction() -> None:
    predictor = GatedPredictor()
    with prompt(lambda: predictor) as terminal:
        terminal.settle("")
        terminal.type("\x1b[200~the\x07\nquick\r\nbro\x1b[201~")
        assert terminal.settle("the^G quick bro").ghost == "wn"
        assert predictor.asked == ["", "the\x07 quick bro"]


def test_wide_characters_and_long_lines() -> None:
    with prompt(columns=40) as terminal:
        terminal.type("한국어 日本語 " * 3 + "bro")  # three times 14 columns: the line wraps
        frame = terminal.wait(lambda frame: frame.row == 1 and frame.ghost == "wn" and frame.is_fresh)
        assert (frame.line, frame.column) == ("本語 brown", 10)
        assert frame.strip[1].startswith("  1 brown")


def test_a_tiny_terminal_keeps_the_line() -> None:
    with prompt(columns=10, rows=2) as terminal:
        terminal.type("bro")
        assert terminal.wait(lambda frame: frame.typed == "bro" and frame.ghost == "wn")


def test_control_c_clears_the_line_and_control_d_leaves() -> None:
    with prompt() as terminal:
        terminal.type("bro")
        terminal.settle("bro")
        terminal.type(CONTROL_C)
        assert terminal.settle("").rows[0] == ">"
        terminal.type(CONTROL_C + CONTROL_D)
        terminal.join()
        assert terminal.result == 0
        assert terminal.error is None


def test_what_the_worker_raises_ends_the_prompt() -> None:
    def fail() -> Predictor:
        raise CheckpointError("english: damaged")

    class Failing(GatedPredictor):
        def stream(self, text: str, *rest: Any, **options: Any) -> Iterator[Prediction]:
            yield from super().stream(text, *rest, **options)
            if text == "bro":
                raise ZeroDivisionError

    with prompt(fail) as terminal:
        terminal.join()
        assert isinstance(terminal.error, CheckpointError)
    with prompt(Failing) as terminal:
        terminal.type("bro")
        terminal.join()
        assert isinstance(terminal.error, ZeroDivisionError)


def test_no_thread_is_left_behind() -> None:
    with prompt() as terminal:
        terminal.settle("")
    assert not [thread for thread in threading.enumerate() if thread.name == "autocomplete-engine"]


def test_another_program_has_the_same_ghost_and_words() -> None:
    predictor = load()

    def run(pipe: Input, output: Output) -> str:
        session: PromptSession[str] = PromptSession(
            "> ",
            auto_suggest=RNNAutoSuggest(predictor),
            completer=RNNCompleter(predictor),
            complete_while_typing=False,
            input=pipe,
            output=output,
        )
        return session.prompt()

    with Terminal(run) as terminal:
        terminal.type("the Bro")
        terminal.wait(lambda frame: frame.line == "the Brown")
        terminal.type("\t")
        frame = terminal.wait(lambda frame: any("Brought" in row for row in frame.rows))
        first = next(row for row in frame.rows[1:] if row)
        assert first.split() == ["Brown", format_probability(predictor.suggest("Bro")[0].probability)]
        terminal.type("\t")
        terminal.wait(lambda frame: frame.typed == "the Brown")
        terminal.type("\t")
        terminal.wait(lambda frame: frame.typed == "the Broke")
        terminal.type(ENTER)
        terminal.join()
        assert terminal.result == "the Broke"


def make_prediction(text: str, insert: str, probability: float) -> Prediction:
    word = Suggestion(text.split()[-1] + insert, insert, 0, True, probability, exact=True)
    return Prediction(text, (NextCharacter(" ", 0.999), NextCharacter("\x1b", 0.001)), (word,), True, 0.8)


@pytest.mark.parametrize(
    ("text", "ghost"),
    [("a bro", "wn"), ("a brow", "n"), ("a brown", ""), ("a browns", ""), ("a brok", ""), ("a br", ""), ("", "")],
)
def test_the_ghost_of_an_earlier_text(text: str, ghost: str) -> None:
    assert ghost_text(make_prediction("a bro", "wn", 0.6), text, 0.5) == ghost
    assert ghost_text(make_prediction("a bro", "wn", 0.1), text, 0.5) == ""


def test_the_strip_is_three_lines_without_control_characters() -> None:
    prediction = make_prediction("bro\x1b]0;title\x07", "wn\n", 0.5)
    strip = "".join(fragment[1] for fragment in render_strip(prediction, Status("a\tb"), width=80))
    first, second, third = strip.split("\n")
    assert first == "  next  ␣ 1.0  \ufffd <.01"
    assert second == "  1 bro\ufffd]0;title\ufffdwn\ufffd .50"
    assert third == " a\ufffdb   0.8 ms   exact"
    stale = render_strip(prediction, Status("a", stale=True), width=80)
    assert {fragment[0] for fragment in stale} == {"class:stale"}


@given(st.text("a漢 ", min_size=1, max_size=300), st.integers(8, 100))
def test_a_message_takes_the_last_rows_and_ends_with_an_ellipsis_where_they_do_not_suffice(
    text: str, width: int
) -> None:
    assume(text.strip())
    strip = render_strip(make_prediction("bro", "wn", 0.5), Status("a", message=text), width=width)
    rows = "".join(fragment[1] for fragment in strip).split("\n")
    assert len(rows) == HEIGHTS["strip"]
    assert max(map(get_cwidth, rows)) <= width
    told = "".join(part[1] for part in strip if part[0] == "class:message").replace(" ", "").replace("\n", "")
    meant = text.replace(" ", "")
    assert told == meant or (told.endswith("…") and meant.startswith(told[:-1]) and len(told) <= len(meant))


DRIVER = """
import sys
from autocomplete import Predictor
from autocomplete.prompt.prompt import run_prompt
from autocomplete.prompt.settings import PromptSettings
status = run_prompt(lambda _: Predictor.load(sys.argv[1]), PromptSettings("test"))
print("status", status, "torch" in sys.modules, "autocomplete.training" in sys.modules)
"""


def process_prompt(folder: Path, environment: dict[str, str], columns: int = 80) -> ProcessTerminal:
    return ProcessTerminal(["-c", textwrap.dedent(DRIVER), str(folder)], environment, columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "test"
    write_checkpoint(path, make_checkpoint(), LEXICON)
    return path


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["colors", "no-colors"])
def test_a_real_terminal_without_torch(folder: Path, environment: dict[str, str], columns: int) -> None:
    with process_prompt(folder, environment, columns) as terminal:
        terminal.process.send("the quick bro")
        frame = terminal.wait(lambda frame: frame.ghost == "wn" and frame.is_fresh)
        assert frame.line == "the quick brown"  # the ghost is told from the text by its italics
        assert (frame.colors == {"default"}) == bool(environment)
        terminal.process.send(RIGHT)
        terminal.wait(lambda frame: frame.typed == "the quick brown" and frame.is_fresh)
        terminal.process.send(ENTER + CONTROL_D)
        terminal.wait(lambda frame: "status 0 False False" in frame.rows)
        assert terminal.screen.display[0].rstrip() == "> the quick brown"


def test_a_dumb_terminal_answers_below_the_line(folder: Path) -> None:
    with process_prompt(folder, {"TERM": "dumb"}) as terminal:
        terminal.wait(lambda frame: frame.column == 2)
        terminal.process.send("bro" + ENTER)
        frame = terminal.wait(lambda frame: frame.row == 4 and frame.column == 2)
        assert frame.rows[0] == "> bro"
        assert frame.rows[2].startswith("  1 brown")
        terminal.process.send(CONTROL_D)
        terminal.wait(lambda frame: "status 0 False False" in frame.rows)


def test_an_interrupt_from_outside_ends_it_with_its_own_status(folder: Path) -> None:
    with process_prompt(folder, {}) as terminal:
        terminal.process.send("bro")
        terminal.wait(lambda frame: frame.ghost == "wn")
        terminal.process.kill(signal.SIGINT)
        terminal.wait(lambda frame: "status 130 False False" in frame.rows)
