"""
The suggester and the completer in programs of other people: IPython and ptpython, each set up as its users would do it.

Each program runs in a process and a pseudo-terminal of its own, with a home of its own. Waiting is for a condition.
"""

from __future__ import annotations

import io
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pyte
import pytest
from conftest import random_checkpoint
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from terminals import show

from autocomplete import Predictor
from autocomplete.prompt.strip import format_probability
from autocomplete.storage.checkpoint import write_checkpoint
from autocomplete.terminal import RNNAutoSuggest, RNNCompleter

# From Python 3.12 on, forking with threads about warns; pexpect's child calls exec at once, which is safe.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

PATIENCE = 30.0  # seconds; only a failing test waits so long
LEXICON = {"brown": 300.0, "broke": 45.0, "broad": 25.0, "brother": 20.0, "brought": 15.0, "the": 300.0, "quick": 300.0}
RIGHT, TAB, ENTER = "\x1b[C", "\t", "\r"
CONTROL_C = "\x03"

IPYTHON_STARTUP = """
    from autocomplete import Predictor
    from autocomplete.terminal import RNNAutoSuggest, RNNCompleter
    from prompt_toolkit.completion import merge_completers

    if session := getattr(get_ipython(), "pt_app", None):
        predictor = Predictor.load({checkpoint!r})
        session.auto_suggest = RNNAutoSuggest(predictor)
        session.completer = merge_completers([RNNCompleter(predictor), session.completer])
"""
PTPYTHON_CONFIG = """
    from autocomplete import Predictor
    from autocomplete.terminal import RNNAutoSuggest, RNNCompleter
    from prompt_toolkit.completion import merge_completers

    def configure(repl):
        predictor = Predictor.load({checkpoint!r})
        repl.default_buffer.auto_suggest = RNNAutoSuggest(predictor)
        repl.completer = merge_completers([RNNCompleter(predictor), repl.completer])
"""


@dataclass(frozen=True)
class Program:
    """
    A program to put them into.

    :param arguments: that start it.
    :param settings: its file of settings below the home, and what the user writes into that.
    :param prompts: before the first line and before the ones below it.
    :param menu: the keys that open the menu; none where it opens while one types.
    """

    arguments: tuple[str, ...]
    settings: tuple[str, str]
    prompts: tuple[str, str]
    menu: str


PROGRAMS = {
    "ipython": Program(
        ("-m", "IPython", "--no-banner"),
        ("ipython/profile_default/startup/50-suggestions.py", IPYTHON_STARTUP),
        ("In [1]: ", "   ...: "),
        TAB,
    ),
    "ptpython": Program(("-m", "ptpython"), ("ptpython/config.py", PTPYTHON_CONFIG), (">>> ", "... "), ""),
}


class ProgramTerminal:
    """A program in a terminal of its own, which answers when asked where the cursor is; keeps all that was written."""

    def __init__(self, program: Program, home: Path) -> None:
        self.program = program
        self.written = io.StringIO()
        self.screen = pyte.Screen(80, 24)
        self.stream = pyte.Stream(self.screen)
        folders = {"HOME": ".", "IPYTHONDIR": "ipython", "PTPYTHON_CONFIG_HOME": "ptpython", "XDG_CACHE_HOME": "cache"}
        environment = {name: str(home / folder) for name, folder in folders.items()}
        environment |= {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent.parent)}
        environment |= {"LANG": "C.UTF-8", "TERM": "xterm-256color", "OPENBLAS_NUM_THREADS": "1"}
        self.process = pexpect.spawn(
            sys.executable,
            list(program.arguments),
            env=environment,
            cwd=home,
            dimensions=(self.screen.lines, self.screen.columns),
            encoding="utf-8",
            codec_errors="replace",
        )
        self.process.delaybeforesend = None
        self.process.logfile_read = self.written
        self.screen.write_process_input = self.process.send  # type: ignore[method-assign]

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.screen.display]

    @property
    def typed(self) -> str:
        """The row of the cursor, up to the cursor."""
        return self.screen.display[self.screen.cursor.y][: self.screen.cursor.x]

    @property
    def ghost(self) -> str:
        """The row of the cursor, from the cursor on."""
        return self.screen.display[self.screen.cursor.y][self.screen.cursor.x :].rstrip()

    @property
    def menu(self) -> list[str]:
        """What stands below the row of the cursor."""
        return " ".join(self.rows[self.screen.cursor.y + 1 :]).split()

    def type(self, text: str) -> None:
        self.process.send(text)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Return once the screen meets a condition."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                pytest.fail("never seen; the last screen:\n" + "\n".join(self.rows))
            if not show(self.process, self.stream):
                end = 0.0

    def wait_for(self, typed: str, ghost: str = "", *, line: int = 0) -> None:
        """Return once the cursor stands between what was typed on a line and its ghost."""
        self.wait(lambda: (self.typed, self.ghost) == (self.program.prompts[line] + typed, ghost))

    def leave(self) -> None:
        """Leave it as its users do; fail if it complained of anything before."""
        self.type(" " + CONTROL_C)  # the space closes the menu, where IPython's Ctrl-C would do no more than that
        self.wait(lambda: self.typed in self.program.prompts and not self.ghost)
        self.type("exit()" + ENTER)
        self.process.expect(pexpect.EOF, timeout=PATIENCE)
        self.process.close()
        assert self.process.exitstatus == 0
        complaints = [
            word for word in ("traceback", "exception", "error", "warning") if word in self.written.getvalue().lower()
        ]
        assert not complaints, self.written.getvalue()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("checkpoints") / "test"
    write_checkpoint(path, random_checkpoint(tuple(LEXICON), figures={"network_prior": 0.02}), LEXICON)
    return str(path)


@pytest.fixture(scope="module")
def predictor(checkpoint: str) -> Predictor:
    return Predictor.load(checkpoint)


@pytest.fixture(params=PROGRAMS.values(), ids=PROGRAMS.keys())
def terminal(request: pytest.FixtureRequest, tmp_path: Path, checkpoint: str) -> Iterator[ProgramTerminal]:
    program: Program = request.param
    path, settings = program.settings
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(textwrap.dedent(settings).format(checkpoint=checkpoint), encoding="utf-8")
    terminal = ProgramTerminal(program, tmp_path)
    try:
        terminal.wait_for("")
        yield terminal
    finally:
        terminal.process.close(force=True)


def test_a_ghost_and_a_menu_with_probabilities(terminal: ProgramTerminal, predictor: Predictor) -> None:
    terminal.type("the quick bro")
    terminal.wait_for("the quick bro", "wn")
    terminal.type(RIGHT)
    terminal.wait_for("the quick brown")
    terminal.type(" bro" + terminal.program.menu)
    words = predictor.suggest("bro")
    assert len(words) == 5
    terminal.wait(lambda: terminal.typed.endswith("brown bro") and {word.word for word in words} <= set(terminal.menu))
    for word in words[:2]:
        terminal.type(TAB)
        terminal.wait(lambda word=word: terminal.typed.endswith(f"the quick brown {word.word}"))  # type: ignore[misc]
        terminal.wait(lambda word=word: format_probability(word.probability) in terminal.menu)  # type: ignore[misc]
    terminal.leave()


def test_a_text_of_several_lines(terminal: ProgramTerminal) -> None:
    terminal.type('"""the quick')
    terminal.wait_for('"""the quick')
    terminal.type(ENTER)
    terminal.wait_for("", line=1)
    terminal.type("bro")
    terminal.wait_for("bro", "wn", line=1)
    terminal.type(RIGHT)
    terminal.wait_for("brown", line=1)
    terminal.type(" bro")
    terminal.wait_for("brown bro", "wn", line=1)
    terminal.leave()


def completions(predictor: Predictor, document: Document) -> list[str]:
    return [
        completion.display_text for completion in RNNCompleter(predictor).get_completions(document, CompleteEvent())
    ]


def suggestion(predictor: Predictor, document: Document, threshold: float = 0.0) -> str:
    found = RNNAutoSuggest(predictor, threshold).get_suggestion(Buffer(), document)
    return "" if found is None else found.text


def test_the_line_of_the_cursor_is_what_counts() -> None:
    predictor = Predictor.load("english")
    alone, after = (completions(predictor, Document(text)) for text in ("to", "see you to"))
    assert alone != after  # the test would show nothing else
    assert completions(predictor, Document("see you\nto")) == alone
    assert completions(predictor, Document("\nsee you to")) == after
    assert completions(predictor, Document("say\nto\nnobody", cursor_position=6)) == alone
    assert suggestion(predictor, Document("see you\nto")) == suggestion(predictor, Document("to"))
    assert suggestion(predictor, Document("see you\ntomor\n", cursor_position=13)) == ""  # not at the end


def test_a_word_that_stands_there_whole_is_neither_offered_nor_made_longer_by_the_ghost() -> None:
    predictor = Predictor.load("english")
    document = Document("i like to be")
    offered = completions(predictor, document)
    assert len(offered) == 5
    assert "be" not in offered
    assert suggestion(predictor, document) == ""
    assert suggestion(predictor, Document("i like to b")) == "e"


def test_a_long_text_holds_nothing_up(predictor: Predictor) -> None:
    for long in ("the quick brown fox " * 5000, "the quick brown fox\n" * 5000):
        assert suggestion(predictor, Document(long + "bro")) == "wn"
        assert completions(predictor, Document(long + "bro"))[0] == "brown"
    pasted = Document("the " + "deadbeef" * 12_500)  # one word of 100,000 letters: it would take ten seconds
    assert suggestion(predictor, pasted) == ""
    assert completions(predictor, pasted) == []
    assert suggestion(predictor, Document(pasted.text + " bro")) == "wn"
