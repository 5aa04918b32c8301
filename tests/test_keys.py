"""
Every key, by the screen that it leaves: in a real pseudo-terminal, in each mode of editing, at one size after another.

A session is one process that runs through all the keys. What is typed begins to the left of the bar, which is the cursor;
the ghost is in brackets. Waiting is for a condition.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.history import InMemoryHistory
from terminals import (
    ALT_F,
    ALT_RIGHT,
    BACKSPACE,
    CONTROL_C,
    CONTROL_D,
    CONTROL_DOWN,
    CONTROL_E,
    CONTROL_F,
    CONTROL_G,
    CONTROL_R,
    CONTROL_RIGHT,
    CONTROL_UP,
    DOWN,
    END,
    ENTER,
    ESCAPE,
    F2,
    F4,
    HOME,
    LEFT,
    LEXICON,
    RIGHT,
    SHIFT_RIGHT,
    SHIFT_TAB,
    TAB,
    UNDO,
    UP,
    Frame,
    ProcessTerminal,
    make_checkpoint,
    paste,
    prompt,
)
from wcwidth import wcwidth

from autocomplete.inference.predictor import Predictor
from autocomplete.prompt.settings import PromptSettings
from autocomplete.prompt.strip import HEIGHTS
from autocomplete.storage.checkpoint import write_checkpoint

# From Python 3.12 on, forking with threads about warns; pexpect's child calls exec at once, which is safe.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

STARS = ["star", "stay", "state", "stall", "stand", "stamp", "stage", "stain", "stack"]  # the most frequent first
# None is as probable as another: which comes first would be for the processor to say.
WORDS = LEXICON | {"the": 310.0, "and": 305.0} | {word: 90.0 - 5 * i for i, word in enumerate(STARS)}
SIZES = [(80, 24), (40, 10), (200, 50)]

Steps = list[tuple[str, str]]  # keys, and the line that they leave

KEYS: dict[str, Steps] = {
    f"{name} accepts the ghost at the end, elsewhere it moves": [
        ("the quick bro", "the quick bro|[wn]"),
        (key, "the quick brown|"),
        (UNDO, "the quick bro|[wn]"),
        (LEFT * 3, "the quick |bro"),
        (key, moved),
    ]
    for name, key, moved in [
        ("Right", RIGHT, "the quick b|ro"),
        ("Ctrl-F", CONTROL_F, "the quick b|ro"),
        ("End", END, "the quick bro|[wn]"),
        ("Ctrl-E", CONTROL_E, "the quick bro|[wn]"),
    ]
}
KEYS |= {
    f"{name} accepts one word": [("ne", "ne|[w york]"), (key, "new|[ york]"), (key, "new york|"), (UNDO, "new|[ york]")]
    for name, key in [("Alt-F", ALT_F), ("Ctrl-Right", CONTROL_RIGHT), ("Alt-Right", ALT_RIGHT)]
}
KEYS |= {
    f"Alt-{number} takes a candidate": [("sta", "sta|"), (f"{ESCAPE}{number}", f"{word}|"), (UNDO, "sta|")]
    for number, word in enumerate(STARS, start=1)
}
KEYS |= {
    "Alt-9 does nothing where there are fewer": [("bro", "bro|[wn]"), (f"{ESCAPE}9", "bro|[wn]"), ("w", "brow|[n]")],
    "Shift-Right accepts one letter": [
        ("bro", "bro|[wn]"),
        (SHIFT_RIGHT, "brow|[n]"),
        (SHIFT_RIGHT, "brown|"),
        (UNDO, "brow|[n]"),
    ],
    "Tab takes one candidate after another, Shift-Tab the one before, as one step to undo": [
        ("the bro", "the bro|[wn]"),
        (TAB, "the brown|"),
        (TAB, "the broke|"),
        (TAB, "the broad|"),
        (SHIFT_TAB, "the broke|"),
        (UNDO, "the bro|[wn]"),
        (SHIFT_TAB, "the brought|"),
        (SHIFT_TAB, "the brother|"),
        (TAB * 2, "the bro|[wn]"),  # after the last comes what was typed
        (TAB, "the brown|"),
        (BACKSPACE, "the brow|[n]"),
        (TAB, "the brown|"),  # taking has begun anew
        (TAB, "the brow|[n]"),
    ],
    "Ctrl-Down and Ctrl-Up turn the ghost": [
        ("bro", "bro|[wn]"),
        (CONTROL_DOWN, "bro|[ke]"),
        (CONTROL_DOWN, "bro|[ad]"),
        (CONTROL_UP, "bro|[ke]"),
        ("k", "brok|[e]"),
        (RIGHT, "broke|"),
        (BACKSPACE * 2 + CONTROL_UP, "bro|[ught]"),
        (CONTROL_DOWN, "bro|[wn]"),
    ],
    "Ctrl-Down shows what is not sure enough by itself": [
        ("sta", "sta|"),
        (CONTROL_DOWN, "sta|[r]"),
        (CONTROL_DOWN, "sta|[y]"),
        (CONTROL_UP * 2, "sta|[ck]"),
        (END, "stack|"),
    ],
    "Ctrl-G silences until the next edit": [
        ("bro", "bro|[wn]"),
        (CONTROL_G, "bro|"),
        (RIGHT, "bro|"),
        (LEFT + END, "bro|"),
        (TAB, "bro|"),
        ("w", "brow|[n]"),
        (BACKSPACE, "bro|[wn]"),
    ],
    "Ctrl-_ undoes one acceptance after another": [
        ("the tri", "the tri|[angle]"),
        (RIGHT, "the triangle|"),
        (" qui", "the triangle qui|[ck]"),
        (TAB, "the triangle quick|"),
        (UNDO, "the triangle qui|[ck]"),
        (BACKSPACE * 4, "the triangle|"),
    ],
    "Space never accepts": [("bro", "bro|[wn]"), (" ", "bro |"), (BACKSPACE, "bro|[wn]")],
    "Enter never accepts, Up and Down go through the history": [
        ("the tri", "the tri|[angle]"),
        (ENTER, "|"),
        ("bro", "bro|[wn]"),
        (ENTER, "|"),
        (UP, "bro|[wn]"),
        (UP, "the tri|[angle]"),
        (DOWN, "bro|[wn]"),
        (DOWN, "|"),
    ],
    "What fits between both sides of the cursor is drawn and taken there": [
        ("the trile", "the trile|"),
        (LEFT * 2, "the tri|[ang]le"),
        (TAB, "the triang|le"),
        (UNDO, "the tri|[ang]le"),
        (RIGHT, "the tril|e"),
        (LEFT, "the tri|[ang]le"),
        (SHIFT_RIGHT, "the tria|[ng]le"),
        (f"{ESCAPE}1", "the triang|le"),
        (UNDO, "the tria|[ng]le"),
        (BACKSPACE, "the tri|[ang]le"),
        (CONTROL_G, "the tri|le"),
        ("a", "the tria|[ng]le"),
        (END, "the triale|"),
    ],
    "A word is inserted before another with its space": [
        ("brown", "brown|"),
        (HOME, "|brown"),
        (TAB, "the |brown"),
        (TAB, "and |brown"),
        (UNDO, "|brown"),
        ("tri", "tri|brown"),
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "test"
    write_checkpoint(path, make_checkpoint(WORDS), WORDS)
    return path


def session(
    folder: Path, home: Path, *options: str, environment: dict[str, str] | None = None, **size: int
) -> ProcessTerminal:
    arguments = ["-m", "autocomplete", "--checkpoint", str(folder), "--count", "9", *options]
    return ProcessTerminal(arguments, environment or {}, home=home, **size)


def run_through(terminal: ProcessTerminal, steps: Steps) -> None:
    """Type keys, each when the line is as those before it leave it; then clear the line."""
    for keys, picture in [*steps, (CONTROL_C, "|")]:
        terminal.type(keys)
        terminal.see(picture)


def search_backwards(terminal: ProcessTerminal, mode: str) -> None:
    """Find a line of the history by a part of it, with Ctrl-R."""
    run_through(terminal, [("the quick tri", "the quick tri|[angle]"), (ENTER, "|"), ("and", "and|"), (ENTER, "|")])
    terminal.type(CONTROL_R + "qui")
    terminal.wait(lambda frame: any(row.endswith(": qui") for row in frame.rows) and "> the quick tri" in frame.rows)
    terminal.type(ENTER)  # which ends the search and not the line
    terminal.see("the |quick tri")
    terminal.type(END if mode == "emacs" else "A")  # in vi mode a search ends in normal mode
    terminal.see("the quick tri|[angle]")
    run_through(terminal, [])


def draw_the_other_layout(terminal: ProcessTerminal) -> None:
    """Change layouts with F2 and back; in the demo layout plain Right accepts a letter."""
    terminal.type("bro")
    frame = terminal.see("bro|[wn]")
    assert len(frame.below) == HEIGHTS["strip"]
    terminal.type(F2)
    frame = terminal.wait(lambda frame: len(frame.below) == HEIGHTS["demo"])
    assert "1 brown" in frame.below[0]
    assert "5 brought" in frame.below[4]
    assert "keys saved:" in frame.below[5]
    for keys, picture in [
        (RIGHT, "brow|[n]"),
        (UNDO, "bro|[wn]"),
        (END, "brown|"),
        (LEFT, "brow|n"),
        (RIGHT, "brown|"),
    ]:
        terminal.type(keys)
        assert len(terminal.see(picture).below) == HEIGHTS["demo"]
    terminal.type(F2)
    terminal.wait(lambda frame: len(frame.below) == HEIGHTS["strip"])
    run_through(terminal, [])


def leave_and_enter_insert_mode(terminal: ProcessTerminal) -> None:
    """Press Escape in vi mode, where it has its own meaning; nothing is offered until there is inserting again."""
    run_through(terminal, [("bro", "bro|[wn]"), (ESCAPE, "br|o"), ("A", "bro|[wn]")])


def silence_with_escape(terminal: ProcessTerminal) -> None:
    steps = KEYS["Ctrl-G silences until the next edit"]
    run_through(terminal, [(ESCAPE if keys == CONTROL_G else keys, picture) for keys, picture in steps])


@pytest.mark.parametrize(
    ("mode", "first", "environment"),
    [("emacs", 0, {}), ("--vi", 1, {}), ("F4", 2, {}), ("emacs", 2, {"NO_COLOR": "1"})],
    ids=["emacs", "vi", "emacs-then-vi", "no-color"],
)
def test_every_key_does_its_work_at_every_size(
    folder: Path, tmp_path: Path, mode: str, first: int, environment: dict[str, str]
) -> None:
    sizes = SIZES[first:] + SIZES[:first]
    options = ["--vi"] if mode == "--vi" else []
    columns, rows = sizes[0]
    with session(folder, tmp_path, *options, environment=environment, columns=columns, rows=rows) as terminal:
        terminal.see("|")
        if mode == "F4":
            terminal.type(F4)
            terminal.wait(lambda frame: "F4 vi " in frame.status)
        for size in sizes:
            terminal.resize(*size)
            for steps in KEYS.values():
                run_through(terminal, steps)
            search_backwards(terminal, mode)
            draw_the_other_layout(terminal)
            (silence_with_escape if mode == "emacs" else leave_and_enter_insert_mode)(terminal)
            assert (terminal.wait(lambda frame: True).colors == {"default"}) == bool(environment)
        terminal.type(CONTROL_D)
        assert terminal.leave() == 0


@pytest.mark.parametrize("end", [CONTROL_D, ":quit" + ENTER], ids=["Ctrl-D", ":quit"])
def test_a_dumb_terminal_has_the_keys_that_end_a_line_and_the_prompt(folder: Path, tmp_path: Path, end: str) -> None:
    with session(folder, tmp_path, environment={"TERM": "dumb"}) as terminal:
        terminal.wait(lambda frame: frame.picture == "|")
        terminal.type("the bro" + ENTER)
        frame = terminal.wait(lambda frame: frame.row == 4 and frame.picture == "|")
        assert frame.rows[0] == "> the bro"
        assert frame.rows[2].startswith("  1 brown .7")
        terminal.type("tri")
        terminal.wait(lambda frame: frame.picture == "tri|")
        terminal.type(CONTROL_C)  # which clears the line
        terminal.wait(lambda frame: frame.row == 5 and frame.picture == "|")
        terminal.type(end)
        assert terminal.leave() == 0


def test_quit_leaves_in_both_layouts(folder: Path, tmp_path: Path) -> None:
    for layout in HEIGHTS:
        with session(folder, tmp_path, "--layout", layout) as terminal:
            terminal.see("|")
            terminal.type(":quit" + ENTER)
            assert terminal.leave() == 0
            assert [row for row in terminal.screen.display if row.strip()] == ["> :quit".ljust(80)]


def test_control_d_in_a_line_does_not_leave(folder: Path, tmp_path: Path) -> None:
    with session(folder, tmp_path) as terminal:
        terminal.wait(lambda frame: frame.picture == "|")
        run_through(terminal, [("bro", "bro|[wn]"), (CONTROL_D, "bro|[wn]"), (LEFT + CONTROL_D, "br|[own]")])


def test_a_new_size_in_the_middle_of_a_line_leaves_one_line_and_one_strip(folder: Path, tmp_path: Path) -> None:
    text = "and the quick brown triangle or bro"  # with its prompt nearly as wide as a terminal
    with session(folder, tmp_path) as terminal:
        terminal.see("|")
        terminal.type(text)
        terminal.see(text + "|[wn]")
        for columns, rows in [(40, 10), (200, 50), (40, 10), (80, 24), (24, 6), (200, 50)]:
            terminal.resize(columns, rows)
            width = columns - 2
            end = (text + "brown"[3:])[len(text) // width * width :]
            frame = terminal.wait(
                lambda frame, end=end: frame.line == end and frame.ghost == "wn" and frame.status.endswith("exact")  # type: ignore[misc]
            )
            assert len(frame.below) == HEIGHTS["strip"]
            assert frame.column == 2 + len(text) % width
        terminal.type(RIGHT)
        frame = terminal.see(text + "wn|")
        assert sum("> and" in row for row in frame.rows) == 1


def test_a_prompt_in_the_last_row_of_the_screen_is_drawn_as_a_whole(folder: Path, tmp_path: Path) -> None:
    with session(folder, tmp_path, columns=40, rows=10) as terminal:
        terminal.wait(lambda frame: frame.picture == "|")
        for _ in range(12):  # lines, so that the screen scrolls
            run_through(terminal, [("bro", "bro|[wn]"), (ENTER, "|")])
        terminal.type("tri" + F2)
        terminal.wait(lambda frame: frame.picture == "tri|[angle]" and len(frame.below) == HEIGHTS["demo"])
        terminal.type(F2)
        frame = terminal.wait(lambda frame: frame.picture == "tri|[angle]" and len(frame.below) == HEIGHTS["strip"])
        assert set(frame.rows[: frame.row]) <= {"> bro", "> brown", ">", ""}


def test_only_what_stays_accepted_has_saved_keys() -> None:
    with prompt(settings=PromptSettings("test", layout="demo")) as terminal:
        for keys, picture, saved in [
            ("bro", "bro|[wn]", 0),
            (END, "brown|", 20),
            (UNDO, "bro|[wn]", 0),
            (TAB * 4, "brother|", 0),  # as many keys as letters
            (UNDO, "bro|[wn]", 0),
            (TAB, "brown|", 20),
            (CONTROL_C, "|", 0),
            ("tri", "tri|[angle]", 0),
            (END, "triangle|", 50),
            (ENTER, "|", 50),
            ("and ", "and |", 33),
        ]:
            terminal.type(keys)
            terminal.wait(
                lambda frame, picture=picture, saved=saved: (  # type: ignore[misc]
                    frame.picture == picture and frame.below[5].endswith(f"keys saved: {saved} %")
                )
            )


@pytest.mark.parametrize("layout", HEIGHTS)
def test_nothing_jumps_within_a_layout(layout: str) -> None:
    settings = PromptSettings("test", layout=layout)  # type: ignore[arg-type]
    with prompt(settings=settings) as terminal:
        for keys in [
            "tri",
            RIGHT,
            TAB,
            SHIFT_TAB,
            UNDO,
            ESCAPE,
            CONTROL_DOWN,
            LEFT * 2,
            TAB,
            END,
            BACKSPACE * 9,
            ":",
            "l",
        ]:
            before = len(terminal.frames)
            terminal.type(keys)
            terminal.wait(lambda frame, before=before: len(terminal.frames) > before)  # type: ignore[misc]
        terminal.type(CONTROL_C)
        terminal.see("|")
        drawn = [frame for frame in terminal.frames if frame.rows[0].startswith(">")]
        assert drawn
        assert {len(frame.below) for frame in drawn} == {HEIGHTS[layout]}
        assert {frame.row for frame in drawn} == {0}


# Text of every kind of width. Pyte composes what it can, and leaves out what has no width and is no combining mark.

TEXTS = {
    "Korean": "한국어 키보드",
    "Korean letters": "\u1112\u1161\u11ab ㅎㅏㄴ",
    "Japanese": "日本語 カタカナ ﾊﾝｶｸ が",
    "Chinese": "汉字，標點。",
    "marks": "cafe\u0301 n\u0303 x\u0323\u0307 Việt",
    "Devanagari": "हिन्दी",
    "Thai": "ภาษาไทย",
    "emoji": "🙂👍🏽❤️🇰🇷",
    "emoji joined": "👩‍👩‍👧‍👦 🏳️‍🌈 👩🏽‍💻",
    "Arabic": "مرحبا بالعالم مُحَمَّد",
    "Hebrew": "שלום עולם שָׁלוֹם",
    "mixed directions": "abc שלום \u200fdef\u200e 12",
}


def shown(text: str) -> str:
    """Return what is to be seen of a text."""
    return unicodedata.normalize("NFC", "".join(c for c in text if wcwidth(c) > 0 or unicodedata.combining(c)))


def columns_of(text: str) -> int:
    return sum(max(0, wcwidth(character)) for character in text)


@pytest.fixture(scope="module")
def unicode_terminal(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessTerminal]:
    with session(folder, tmp_path_factory.mktemp("home")) as terminal:
        terminal.wait(lambda frame: frame.picture == "|")
        yield terminal


def is_typed(frame: Frame, text: str) -> bool:
    return unicodedata.normalize("NFC", frame.typed) == shown(text) and frame.column == 2 + columns_of(text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_of_any_script_has_the_cursor_where_it_ends(unicode_terminal: ProcessTerminal, text: str) -> None:
    terminal = unicode_terminal
    for end in range(1, len(text) + 1):
        terminal.type(text[end - 1])
        terminal.wait(lambda frame, end=end: is_typed(frame, text[:end]))  # type: ignore[misc]
    terminal.type(" tri")
    frame = terminal.wait(lambda frame: is_typed(frame, text + " tri") and frame.ghost == "angle" and frame.is_fresh)
    assert unicodedata.normalize("NFC", frame.line) == shown(text) + " triangle"
    assert len(frame.below) == HEIGHTS["strip"]
    terminal.type(TAB)
    terminal.wait(lambda frame: is_typed(frame, text + " triangle"))
    terminal.type(LEFT * len(" triangle"))
    terminal.wait(lambda frame: is_typed(frame, text))
    for end in reversed(range(len(text))):
        terminal.type(LEFT)
        terminal.wait(lambda frame, end=end: frame.column == 2 + columns_of(text[:end]))  # type: ignore[misc]
    terminal.type(CONTROL_C)
    terminal.wait(lambda frame: frame.picture == "|")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_of_any_script_is_pasted_as_it_is(unicode_terminal: ProcessTerminal, text: str) -> None:
    terminal = unicode_terminal
    terminal.type("bro " + LEFT * 4 + paste(text + "\n"))
    terminal.wait(lambda frame: is_typed(frame, text))
    terminal.type(" tri")
    terminal.wait(lambda frame: is_typed(frame, text + " tri"))
    terminal.type(BACKSPACE * len(text + " tri"))
    frame = terminal.wait(lambda frame: frame.column == 2)
    assert frame.line.startswith("bro")
    terminal.type(CONTROL_C)
    terminal.wait(lambda frame: frame.picture == "|")


def test_candidates_of_any_script_keep_their_columns() -> None:
    lexicon = {"한국어": 90.0, "한글": 5.0, "日本語": 5.0, "cafe\u0301": 5.0, "שלום": 5.0, "हिन्दी": 5.0}
    for layout in HEIGHTS:
        settings = PromptSettings("test", layout=layout)  # type: ignore[arg-type]
        with prompt(lambda: Predictor(make_checkpoint(lexicon), lexicon), settings) as terminal:
            terminal.type("한")
            frame = terminal.see("한|[국어]")
            assert frame.column == 4
            terminal.type(END)
            assert terminal.wait(lambda frame: frame.typed == "한국어").column == 8
            terminal.type(CONTROL_C + "हि")
            frame = terminal.wait(lambda frame: frame.ghost != "" and frame.typed == "ह")
            assert any("हनद" in row or "हन्द" in row for row in frame.below)


def test_a_letter_that_is_accepted_brings_its_marks() -> None:
    lexicon = {"xq\u0323\u0307z": 90.0, "oकिz": 90.0}
    history = InMemoryHistory()
    with prompt(lambda: Predictor(make_checkpoint(lexicon), lexicon), history=history) as terminal:
        for letter in ("x", "o"):
            terminal.type(letter)
            terminal.wait(lambda frame, letter=letter: frame.typed == letter and frame.ghost != "")  # type: ignore[misc]
            terminal.type(SHIFT_RIGHT)
            terminal.wait(lambda frame, letter=letter: frame.typed != letter and frame.ghost == "z")  # type: ignore[misc]
            terminal.type(ENTER)
            terminal.wait(lambda frame: frame.picture == "|")
    assert history.get_strings() == ["xq\u0323\u0307", "oकि"]
