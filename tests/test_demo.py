"""
The demonstration as a user meets it: each scene played, stepped, resized and left on a real terminal, and printed in a pipe.

A scene that is added is tested here without a line more: the tests ask the list of scenes. Waiting is for a condition.
"""

from __future__ import annotations

import io
import signal
import termios
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from command_line import autocomplete
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text
from terminals import CONTROL_C, DOWN, ENTER, ESCAPE, LEFT, PATIENCE, RIGHT, UP, Frame, ProcessTerminal, Terminal
from test_imports import reached

from autocomplete.demo import compare
from autocomplete.demo.menu import choose_scene
from autocomplete.demo.pages import LEAST, about_page, equations_page
from autocomplete.demo.scene import Frame as Picture
from autocomplete.demo.scene import Scene, Size, find_scene, list_scenes
from autocomplete.demo.screen import title_line
from autocomplete.demo.stage import play_scene
from autocomplete.errors import SettingsError
from autocomplete.lab.contenders import FEW
from autocomplete.text.printable import wrapped

# From Python 3.12 on, forking with threads about warns; pexpect's child calls exec at once, which is safe.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

SCENES = list_scenes()
NAME, SHAPES = (next(scene for scene in SCENES if scene.name == name) for name in ("name", "shapes"))


def demo(*arguments: str, environment: Mapping[str, str] = {}, **size: int) -> ProcessTerminal:
    terminal = ProcessTerminal(
        ["-m", "autocomplete", "demo", *arguments], {"OMP_NUM_THREADS": "1", **environment}, **size
    )
    terminal.process.logfile_read = io.StringIO()
    return terminal


def stage(scene: Scene, word: str | None = None, **size: int) -> Terminal:
    """Play a scene in this process."""
    return Terminal(lambda pipe, output: play_scene(scene, word or scene.word, input=pipe, output=output), **size)


def number(frame: Frame) -> int:
    """Return which picture is shown, from 1 on; 0 for none yet."""
    words = frame.rows[0].split()
    return int(words[-2]) if len(words) > 1 and words[-2].isdecimal() else 0


def state(frame: Frame) -> str:
    """Return what the title says of the play: playing, paused, computing or end."""
    return (frame.rows[0].split() or [""])[-1]


def picture(frame: Frame) -> list[str]:
    return list(frame.rows[1:-3])


def caption(frame: Frame) -> str:
    return in_one_line("\n".join(frame.rows[-3:-1]))


def keys(frame: Frame) -> str:
    return frame.rows[-1]


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def written(renderable: RenderableType, width: int, height: int) -> list[str]:
    """Return the lines of a picture without colours, and empty ones up to a height."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(renderable)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    return lines + [""] * (height - len(lines))


def step_to_the_end(terminal: ProcessTerminal | Terminal) -> Frame:
    """Step to the last picture, each key once the one before is answered; the line of keys is what is drawn last."""
    frame = terminal.wait(lambda frame: "leave" in keys(frame))
    while state(frame) != "end":
        shown = number(frame)
        terminal.type(RIGHT)
        frame = terminal.wait(lambda frame: number(frame) > shown or state(frame) == "end")  # noqa: B023  # called at once
    return terminal.wait(lambda frame: "Space again" in keys(frame))


def is_clean(terminal: ProcessTerminal) -> None:
    """The alternate screen was left, the cursor is shown, and nothing was printed but what a test expects."""
    output = terminal.process.logfile_read.getvalue()
    assert output.rindex("\x1b[?1049l") > output.rindex("\x1b[?1049h")
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    assert "Traceback" not in output


@cache
def pictures(scene: Scene, size: Size) -> list[Picture]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes that this is compared with
    try:
        return list(scene.play(scene.word, size))
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def short_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scene that measures time take less of it in this process: its figures differ from time to time anyway."""
    monkeypatch.setattr(compare, "_SECONDS", 5.0)
    monkeypatch.setattr(compare, "_LEAST", 3.0)


# Of scenes whose training is bounded by the clock, what is on the screen however far they came.
CLOCKED = {
    "compare": [*(contender.name for contender in FEW), "tanh RNN", "bits/char"],
    "memory": ["one letter", "window of 3", "convolution", "RNN", "after na", "after tria", "the same answers"],
    "gradient": ["state after", "RNN", "GRU", "LSTM h", "LSTM c", "gradient of all weights", "nothing beyond a cut"],
}


def lasting(scene: Scene, text: str | list[str]) -> str | list[str]:
    """Return what of a text is the same whenever a scene is played."""
    if scene.name not in CLOCKED:
        return text
    text = in_one_line("\n".join(text) if isinstance(text, list) else text)
    return [part for part in CLOCKED[scene.name] if part in text]


each_scene = pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])


@each_scene
@pytest.mark.parametrize("size", [LEAST, Size(120, 36)], ids=["80x24", "120x40"])
def test_every_picture_of_a_scene_fits(scene: Scene, size: Size) -> None:
    for shown in pictures(scene, size):
        lines = written(shown.picture, size.width, 0)
        assert 0 < len(lines) <= size.height
        assert all(cell_len(line) <= size.width for line in lines)
        assert shown.caption
        assert len(wrapped(shown.caption, LEAST.width).splitlines()) <= 2
    assert sum(shown.seconds for shown in pictures(scene, size)) <= 30


@each_scene
def test_what_is_said_of_a_scene_fits(scene: Scene) -> None:
    assert len(written(about_page(scene), LEAST.width, 0)) <= LEAST.height
    assert len(written(equations_page(scene), LEAST.width, 0)) <= LEAST.height - 2
    assert max(map(cell_len, scene.equations.splitlines())) <= 76
    assert cell_len(scene.title) <= 64  # in a line of the menu, after its number and name
    assert find_scene(scene.name) is scene
    assert find_scene(scene.name.upper().replace(" ", "-")) is scene


@each_scene
def test_a_scene_in_a_pipe_is_text_and_a_picture(scene: Scene, tmp_path: Path) -> None:
    completed = autocomplete("demo", scene.name, "--explain", "--svg", "still.svg", folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    assert "\x1b" not in completed.stdout
    last = pictures(scene, LEAST)[-1]
    for text in (scene.title, scene.about, scene.hint, scene.equations):
        assert in_one_line(text) in in_one_line(completed.stdout)
    for text in (last.caption, "\n".join(written(last.picture, 80, 0))):
        shown = lasting(scene, in_one_line(text))
        assert all(part in in_one_line(completed.stdout) for part in ([shown] if isinstance(shown, str) else shown))
    svg = "".join(ElementTree.parse(tmp_path / "still.svg").getroot().itertext()).replace("\xa0", " ")
    assert scene.title in svg
    assert in_one_line(last.caption).split()[0] in svg


@each_scene
def test_a_scene_on_a_terminal_is_whole_and_is_played_again_on_a_larger_one(scene: Scene) -> None:
    with demo(scene.name) as terminal:
        before = termios.tcgetattr(terminal.process.child_fd)
        opening = terminal.wait(lambda frame: "begin" in keys(frame))
        assert in_one_line(scene.about) in in_one_line("\n".join(opening.rows))
        assert in_one_line(scene.hint) in in_one_line("\n".join(opening.rows))
        last = step_to_the_end(terminal)
        assert scene.name in last.rows[0]
        assert keys(last).endswith("q leave")
        first = pictures(scene, LEAST)[-1]
        assert lasting(scene, picture(last)) == lasting(scene, written(first.picture, 80, 20))
        assert lasting(scene, caption(last)) == lasting(scene, in_one_line(first.caption))
        terminal.resize(120, 40)
        terminal.wait(lambda frame: len(frame.rows) == 40 and "leave" in keys(frame) and state(frame) == "end")
        terminal.type("r")
        terminal.wait(lambda frame: state(frame) != "end")
        last = step_to_the_end(terminal)
        larger = written(pictures(scene, Size(120, 36))[-1].picture, 120, 36)
        assert lasting(scene, picture(last)) == lasting(scene, larger)
        terminal.type("q")
        assert terminal.leave() == 0
        is_clean(terminal)
        assert termios.tcgetattr(terminal.process.child_fd) == before


def test_keys_pause_step_back_and_begin_again() -> None:
    with stage(NAME) as terminal:
        terminal.type(" ")
        terminal.wait(lambda frame: number(frame) == 1 and state(frame) in ("playing", "computing"))
        terminal.type(" ")
        paused = terminal.wait(lambda frame: state(frame) == "paused")
        first = number(paused)
        terminal.type(RIGHT)
        second = terminal.wait(lambda frame: number(frame) == first + 1)
        assert picture(second) != picture(paused)
        terminal.type(LEFT)
        back = terminal.wait(lambda frame: number(frame) == first)
        assert picture(back) == picture(paused)
        terminal.type("r")
        terminal.wait(lambda frame: number(frame) == 1 and state(frame) == "playing")
        terminal.wait(lambda frame: number(frame) == 2 and state(frame) == "playing")  # by itself
        terminal.type("q")
        terminal.join()
        assert terminal.result == 0


def test_pages_are_opened_and_closed_over_the_picture() -> None:
    with stage(NAME) as terminal:
        terminal.type(RIGHT)
        shown = terminal.wait(lambda frame: number(frame) == 1)
        terminal.type("?")
        terminal.wait(lambda frame: "What you see" in "\n".join(frame.rows))
        terminal.type("e")
        page = terminal.wait(lambda frame: "What is computed" in "\n".join(frame.rows))
        assert in_one_line(NAME.equations) in in_one_line("\n".join(page.rows))
        terminal.type(ESCAPE)
        assert picture(terminal.wait(lambda frame: caption(frame) != "")) == picture(shown)
        terminal.type("e")
        terminal.wait(lambda frame: "What is computed" in "\n".join(frame.rows))
        terminal.type(" ")
        assert picture(terminal.wait(lambda frame: caption(frame) != "")) == picture(shown)
        terminal.type(ESCAPE)
        terminal.join()
        assert terminal.result == 0


def test_equations_are_shown_first_where_they_are_wanted() -> None:
    with Terminal(lambda pipe, output: play_scene(NAME, "name", explain=True, input=pipe, output=output)) as terminal:
        terminal.wait(lambda frame: "What you see" in "\n".join(frame.rows))
        terminal.type(" ")
        terminal.wait(lambda frame: "What is computed" in "\n".join(frame.rows))
        terminal.type(" ")
        terminal.wait(lambda frame: number(frame) == 1)
        terminal.type("q")


def test_another_word_is_typed_and_one_that_does_not_fit_can_be_mended() -> None:
    with stage(NAME) as terminal:
        terminal.type(RIGHT)
        first = terminal.wait(lambda frame: number(frame) == 1)
        terminal.type("w")
        terminal.wait(lambda frame: "Another word" in caption(frame))
        terminal.type("\x15" + "q" * 30 + ENTER)
        refused = terminal.wait(lambda frame: "has 30 letters" in caption(frame))
        assert "q" * 30 in keys(refused)
        terminal.type("\x15" + "banana" + ENTER)
        terminal.wait(lambda frame: "“banana”" in frame.rows[0] and number(frame) > 0)
        terminal.type("w")
        terminal.type("\x15" + "q" * 30 + ENTER)
        terminal.wait(lambda frame: "has 30 letters" in caption(frame))
        terminal.type(ESCAPE)
        again = terminal.wait(
            lambda frame: "“banana”" in frame.rows[0] and "pause" in keys(frame) and number(frame) > 0
        )
        assert picture(again) != picture(first)
        terminal.type("q")
        terminal.join()
        assert terminal.result == 0


@pytest.mark.parametrize(
    ("moment", "way"),
    [
        ("opening", "key"),
        ("computing", "key"),
        ("computing", "interrupt"),
        ("computing", "terminate"),
    ],
)
def test_a_scene_can_be_ended_at_any_time(moment: str, way: str) -> None:
    with demo("cell") as terminal:
        before = termios.tcgetattr(terminal.process.child_fd)
        terminal.wait(lambda frame: "begin" in keys(frame))
        if moment != "opening":
            terminal.type(" ")  # while torch is imported, or a network trained
        if way == "key":
            terminal.type(CONTROL_C)
        else:
            terminal.process.kill(signal.SIGINT if way == "interrupt" else signal.SIGTERM)
        assert terminal.leave() == (143 if way == "terminate" else 130)
        is_clean(terminal)
        assert termios.tcgetattr(terminal.process.child_fd) == before


class Slow:
    """A scene whose frames wait for leave, and that tells when it was closed."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.closed = threading.Event()
        self.computed = 0
        self.scene = replace(NAME, play=self.play)

    def play(self, word: str, size: Size) -> Iterator[Picture]:
        try:
            while True:
                assert self.may_go_on.wait(PATIENCE)
                self.computed += 1
                yield Picture(Text(f"picture {self.computed}"), "a caption", 0.0 if word == "fast" else 60.0)
        finally:
            self.closed.set()


def test_keys_are_answered_while_a_picture_is_computed_and_the_scene_is_closed() -> None:
    slow = Slow()
    with stage(slow.scene) as terminal:
        terminal.type(" ")
        terminal.type("e")
        terminal.wait(lambda frame: "What is computed" in "\n".join(frame.rows))
        terminal.type("e")
        terminal.wait(lambda frame: "What you see" in "\n".join(frame.rows) and state(frame) == "computing")
        terminal.type("q")
        terminal.join()
        assert terminal.result == 0
        assert not slow.closed.is_set()
        slow.may_go_on.set()
        assert slow.closed.wait(PATIENCE)
        assert slow.computed == 1


@pytest.mark.parametrize("key", [" ", ENTER, RIGHT, "r"])
def test_a_key_pressed_while_the_first_picture_is_computed_is_kept(key: str) -> None:
    slow = Slow()
    with stage(slow.scene) as terminal:
        terminal.wait(lambda frame: "being computed ..." in caption(frame) and "What you see" in "\n".join(frame.rows))
        terminal.type(key)
        terminal.wait(lambda frame: "shown as soon as it is there" in caption(frame) and state(frame) == "computing")
        terminal.type("e")
        terminal.wait(lambda frame: "What is computed" in "\n".join(frame.rows))
        terminal.type("e")
        terminal.wait(lambda frame: "begin" in keys(frame) and "shown as soon as it is there" in caption(frame))
        slow.may_go_on.set()
        terminal.wait(lambda frame: number(frame) == 1 and caption(frame) == "a caption")
        terminal.type("q")


def test_a_page_that_stands_before_the_first_picture_is_closed_by_its_own_key_once_there_is_one() -> None:
    slow = Slow()
    with stage(slow.scene) as terminal:
        terminal.wait(lambda frame: "begin" in keys(frame))
        terminal.type("?e")  # there is no picture to return to yet; another page can be opened
        terminal.wait(lambda frame: "What is computed" in "\n".join(frame.rows))
        terminal.type("?")
        terminal.wait(lambda frame: "What you see" in "\n".join(frame.rows) and "begin" in keys(frame))
        slow.may_go_on.set()
        terminal.wait(lambda frame: caption(frame) == "" and "begin" in keys(frame))
        terminal.type("?")
        terminal.wait(lambda frame: number(frame) == 1 and "pause" in keys(frame))
        terminal.type("q")


def test_only_a_few_pictures_are_computed_ahead() -> None:
    slow = Slow()
    slow.may_go_on.set()
    with stage(slow.scene) as terminal:
        terminal.type(RIGHT)
        terminal.wait(lambda frame: number(frame) == 1)
        ahead = slow.computed
        terminal.type(RIGHT)
        terminal.wait(lambda frame: number(frame) == 2)
        assert 1 <= ahead <= slow.computed <= 12
        terminal.type("q")
    assert slow.closed.wait(PATIENCE)


def test_a_picture_is_what_the_tensors_were_at_that_moment() -> None:
    shown = Text("before")

    def play(word: str, size: Size) -> Iterator[Picture]:
        yield Picture(shown, "first", 60.0)
        shown.plain = "after"
        yield Picture(shown, "second", 60.0)

    with stage(replace(NAME, play=play)) as terminal:
        terminal.type(RIGHT)
        assert picture(terminal.wait(lambda frame: caption(frame) == "first"))[0] == "before"
        terminal.type(RIGHT)
        assert picture(terminal.wait(lambda frame: caption(frame) == "second"))[0] == "after"
        terminal.type(LEFT)
        assert picture(terminal.wait(lambda frame: caption(frame) == "first"))[0] == "before"


@pytest.mark.parametrize("error", [SettingsError("no such thing; give another"), ZeroDivisionError("a mistake")])
def test_what_a_scene_fails_with_ends_the_play(error: Exception) -> None:
    def play(word: str, size: Size) -> Iterator[Picture]:
        yield Picture(Text("fine"), "so far", 60.0)
        raise error

    with stage(replace(NAME, play=play)) as terminal:
        terminal.join()
        assert terminal.error is error


def test_a_terminal_too_small_says_so() -> None:
    with stage(SHAPES, columns=60, rows=15) as terminal:
        small = terminal.wait(lambda frame: "make it larger" in in_one_line("\n".join(frame.rows)))
        assert "80 x 24" in in_one_line("\n".join(small.rows))
        assert state(small) == "computing"
        terminal.type("q")


@pytest.mark.parametrize("columns", [80, 38, 24, 12])
def test_how_to_leave_is_told_on_a_terminal_of_any_width(columns: int) -> None:
    slow = Slow()
    slow.may_go_on.set()
    with stage(slow.scene, columns=columns, rows=15) as terminal:
        assert keys(terminal.wait(lambda frame: "leave" in keys(frame))).endswith(" q leave")
        terminal.type("e")
        terminal.wait(lambda frame: "go on" in keys(frame) or columns < 20)
        assert keys(terminal.wait(lambda frame: "leave" in keys(frame))).endswith(" q leave")
        if columns >= 24:
            terminal.type("w")
            terminal.wait(lambda frame: keys(frame).endswith("Esc back"))
    with Terminal(lambda pipe, output: choose_scene(SCENES, input=pipe, output=output), columns=columns) as terminal:
        assert keys(terminal.wait(lambda frame: "leave" in keys(frame))).endswith(" q leave")


@each_scene
def test_the_word_is_whole_in_the_title_and_the_title_gives_way_to_it(scene: Scene) -> None:
    line = "".join(text for _, text in title_line(scene.name, scene.title, scene.word, "10 computing", 80))
    assert cell_len(line) == 80
    assert f"“{scene.word}”" in line


@pytest.mark.parametrize("width", range(40, 120, 7))
@pytest.mark.parametrize("word", ["name", "日本語 " * 5, "the quick brown fox jumps over the lazy dog " * 3])
def test_a_word_without_room_keeps_its_beginning(word: str, width: int) -> None:
    line = "".join(text for _, text in title_line("triangle", "a title of several words", word, "10 computing", width))
    assert cell_len(line) in (width, width - 1)  # where half a wide character would be left
    shown = line[line.index("“") + 1 : line.index("”")]
    assert shown == word or (shown.endswith("…") and word.startswith(shown[:-1]) and "title" not in line)


def test_a_picture_that_does_not_fit_any_more_is_computed_anew() -> None:
    with stage(SHAPES, columns=120, rows=40) as terminal:
        step_to_the_end(terminal)
        terminal.resize(80, 24)
        terminal.type("ee")  # the equations on and off again: the size is asked for when something is drawn
        terminal.wait(lambda frame: state(frame) != "end" and number(frame) == 1)
        last = step_to_the_end(terminal)
        assert picture(last) == written(pictures(SHAPES, LEAST)[-1].picture, 80, 20)
        terminal.type("q")


def test_without_colors_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with stage(SHAPES) as terminal:
        step_to_the_end(terminal)
        cells = [cell for row in terminal.screen.buffer.values() for cell in row.values()]
        assert {cell.fg for cell in cells} | {cell.bg for cell in cells} == {"default"}
        terminal.type("q")


def test_a_word_that_is_no_scene_is_learned_and_a_dumb_terminal_shows_it_as_text() -> None:
    with demo("hi", environment={"TERM": "dumb"}) as terminal:
        assert terminal.leave() == 0
        printed = terminal.process.logfile_read.getvalue()
        assert "\x1b" not in printed
        assert NAME.title in printed
        assert "makes up, each letter drawn from its own answers: hi" in in_one_line(printed)


def test_the_menu_plays_scenes_and_is_left() -> None:
    with demo() as terminal:
        menu = terminal.wait(lambda frame: "choose" in keys(frame))
        for scene in SCENES:
            assert any(scene.name in row and scene.title in row for row in menu.rows)
        assert in_one_line(SCENES[0].about) in in_one_line("\n".join(menu.rows))
        terminal.type(DOWN)
        terminal.wait(lambda frame: in_one_line(SCENES[1].about) in in_one_line("\n".join(frame.rows)))
        terminal.type(UP + ENTER)
        terminal.wait(lambda frame: frame.rows[0].split()[:1] == [SCENES[0].name])
        terminal.type("q")
        terminal.wait(lambda frame: "choose" in keys(frame))
        terminal.type("2")
        terminal.wait(lambda frame: frame.rows[0].split()[:1] == SCENES[1].name.split()[:1])
        terminal.type(ESCAPE)
        marked = terminal.wait(lambda frame: "choose" in keys(frame))
        assert in_one_line(SCENES[1].about) in in_one_line("\n".join(marked.rows))
        terminal.type("n")
        terminal.wait(lambda frame: in_one_line(SCENES[0].about) in in_one_line("\n".join(frame.rows)))
        terminal.type(ENTER)
        terminal.wait(lambda frame: frame.rows[0].split()[:1] == ["name"])
        terminal.type("q")
        terminal.wait(lambda frame: "choose" in keys(frame))
        terminal.type("q")
        assert terminal.leave() == 0
        is_clean(terminal)


@pytest.mark.parametrize(("keys_typed", "status"), [(CONTROL_C, 130), (ESCAPE, 0), (ENTER + CONTROL_C, 130)])
def test_the_menu_is_left_with_every_key_for_that(keys_typed: str, status: int) -> None:
    with demo() as terminal:
        terminal.wait(lambda frame: "choose" in keys(frame))
        for key in keys_typed:
            terminal.type(key)
            if key == ENTER:
                terminal.wait(lambda frame: "begin" in keys(frame))
        assert terminal.leave() == status
        is_clean(terminal)


def test_the_menu_in_a_pipe_is_a_list_of_commands(tmp_path: Path) -> None:
    completed = autocomplete("demo", folder=tmp_path)
    assert completed.returncode == 0, completed.stderr
    for scene in SCENES:
        assert f"autocomplete demo {scene.name.replace(' ', '-')} " in completed.stdout
        assert scene.title in completed.stdout


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["hello", "world"], ["no scene 'hello'", "name", "quotes"]),
        (["name", ""], ["needs a word"]),
        (["name", "a" * 21], ["21 letters", "1 to 20"]),
        (["cell", "\t"], ["needs a word"]),
        (["shapes", "one two three four five"], ["room for 4 words"]),
        (["compare", "two words"], ["two words is not one word", "try triangle"]),
        (["compare", "a" * 15], ["has 15 letters", "14 at most"]),
        (["trinagle"], ["is it triangle?", "autocomplete demo name trinagle"]),
        (["--svg", "still.svg"], ["--svg", "autocomplete demo name"]),
        (["name", "--svg", "nowhere/still.svg"], ["nowhere", "--svg"]),
        (["name", "--svg", "still.png"], ["still.png", ".svg"]),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], parts: list[str], tmp_path: Path) -> None:
    completed = autocomplete("demo", *arguments, folder=tmp_path)
    assert completed.returncode == 2, completed
    assert completed.stdout == ""
    assert len(completed.stderr.splitlines()) == 1, completed.stderr
    assert all(part in completed.stderr for part in parts), completed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scene", "word"),
    [
        ("name", "a"),
        ("name", "counterrevolutionary"),
        ("name", "नमस्ते"),
        ("name", "日本語"),
        ("name", "two words"),
        ("name", "👍🏽"),
        ("cell", "a"),
        ("cell", "counterrevolutionary"),
        ("cell", "日本"),
        ("shapes", "a conversational नमस्ते 日本"),
    ],
)
def test_any_word_can_be_shown(scene: str, word: str) -> None:
    for shown in find_scene(scene).play(word, LEAST):
        lines = written(shown.picture, LEAST.width, 0)
        assert len(lines) <= LEAST.height
        assert all(cell_len(line) <= LEAST.width for line in lines)
        assert len(wrapped(shown.caption, LEAST.width).splitlines()) <= 2


def test_a_letter_that_several_things_follow_needs_the_state() -> None:
    last = list(find_scene("name").play("banana", LEAST))[-1]
    assert last.caption.startswith("Learned")


def test_counts_on_the_screen_are_those_worked_out() -> None:
    lines = "\n".join(written(list(find_scene("cell").play("name", LEAST))[-1].picture, 80, 0))
    for text in ("= 12 + 9 + 3 = 24  PyTorch 27", "= 30 + 9 + 3 = 42  PyTorch 45", "PyTorch 108", "PyTorch 81"):
        assert text in lines


def test_pictures_of_a_cell_say_which_network_their_numbers_come_from() -> None:
    tables = ["\n".join(written(shown.picture, 80, 0)) for shown in pictures(find_scene("cell"), LEAST)]
    for name, row in (("tanh RNN", "h' = tanh(sum)"), ("LSTM", "forget gate"), ("GRU", "reset gate")):
        of_it = [table for table in tables if row in table]
        assert len(of_it) >= 2
        assert all(f"{name}: 4 inputs, 3 units, trained for 200 steps on “name”\n" in table for table in of_it)


def test_scenes_are_listed_without_torch() -> None:
    listed = tuple(f"autocomplete.demo.{scene.name.replace(' ', '_')}" for scene in SCENES)
    assert reached(("autocomplete.demo.demonstration", "autocomplete.demo.menu", *listed), ("torch",)) == set()
