"""Lines that begin with a colon, on the screen: what each does, how it is completed, and what a mistake leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.history import InMemoryHistory
from terminals import (
    BACKSPACE,
    CONTROL_C,
    CONTROL_E,
    ENTER,
    F2,
    LEFT,
    LEXICON,
    RIGHT,
    SHIFT_TAB,
    TAB,
    UNDO,
    UP,
    Frame,
    Terminal,
    make_checkpoint,
)

from autocomplete.errors import SettingsError
from autocomplete.inference.predictor import Predictor
from autocomplete.prompt.commands import COMMANDS, complete_command, help_text, parse_command
from autocomplete.prompt.prompt import run_prompt
from autocomplete.prompt.settings import ACTIONS, PromptSettings
from autocomplete.prompt.strip import HEIGHTS
from autocomplete.storage.checkpoint import write_checkpoint

OTHER = {"bramble": 300.0, "brook": 30.0, "the": 300.0, "and": 300.0}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with two checkpoints and a damaged one."""
    for name, lexicon in [("alpha", LEXICON), ("beta", OTHER), ("broken", LEXICON)]:
        write_checkpoint(tmp_path / "checkpoints" / name, make_checkpoint(lexicon), lexicon)
    (tmp_path / "checkpoints" / "broken" / "model.safetensors").write_bytes(b"nothing of use")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def terminal(places: Path) -> Iterator[Terminal]:
    with open_prompt() as terminal:
        terminal.see("|")
        yield terminal


def open_prompt(history: InMemoryHistory | None = None, **size: int) -> Terminal:
    settings = PromptSettings("alpha", ahead=False)
    return Terminal(
        lambda pipe, output: run_prompt(Predictor.load, settings, history=history, input=pipe, output=output), **size
    )


def enter(terminal: Terminal, line: str) -> None:
    """Enter a command without a mistake, and wait for the next line."""
    terminal.type(line)
    terminal.wait(lambda frame: frame.typed == line)
    frames = len(terminal.frames)
    terminal.type(ENTER)
    terminal.wait(lambda frame: len(terminal.frames) > frames and frame.typed == "" and frame.is_complete)
    assert f"> {line}".rstrip() in terminal.frames[-1].rows


def told(frame: Frame) -> str:
    """Return what stands below the line, of which a message may take several rows."""
    return " ".join(row.strip() for row in frame.below)


def refuse(terminal: Terminal, line: str, message: str) -> None:
    """Enter a command with a mistake: it is told in the rows below, and the line is kept."""
    terminal.type(line)
    before = terminal.wait(lambda frame: frame.typed == line)
    terminal.type(ENTER)
    frame = terminal.wait(lambda frame: message in told(frame))
    assert (frame.typed, frame.row, len(frame.below)) == (line, before.row, len(before.below))
    terminal.type(CONTROL_C)
    terminal.wait(lambda frame: frame.picture == "|" and message not in frame.status)


# What each does.


def test_help_lists_every_key_and_command(places: Path) -> None:
    with open_prompt(rows=60) as terminal:
        enter(terminal, ":help")
        shown = "\n".join(terminal.frames[-1].rows)
        for action, (what, keys) in ACTIONS.items():
            assert what in shown, action
            assert keys[0] in shown
        for name, (takes, what) in COMMANDS.items():
            assert f":{name} {takes}".rstrip() in shown
            assert what in shown
        assert all(len(line) <= 80 for line in help_text(PromptSettings()).splitlines())


def test_help_lists_the_keys_that_the_user_chose() -> None:
    assert "Ctrl-T" in help_text(PromptSettings(keys={"accept": ("Ctrl-T",)}))
    assert "Alt-1 to Alt-9" in help_text(PromptSettings())


def test_count_and_threshold_change_what_is_offered(terminal: Terminal) -> None:
    terminal.type("bro")
    assert "5 brought" in terminal.see("bro|[wn]").strip[1]
    terminal.type(CONTROL_C)
    enter(terminal, ":count 2")
    terminal.type("bro")
    terminal.wait(  # for a moment the five that were kept for this text may be shown
        lambda frame: frame.picture == "bro|[wn]" and "2 broke" in frame.strip[1] and "3 broad" not in frame.strip[1]
    )
    terminal.type(CONTROL_C)
    enter(terminal, ":threshold 0.99")
    terminal.type("bro")
    assert "1 brown" in terminal.see("bro|").strip[1]
    terminal.type(CONTROL_C)
    enter(terminal, ":threshold 0")
    terminal.type("br")
    terminal.see("br|[own]")


def test_letters_are_hidden_and_shown_again(terminal: Terminal) -> None:
    for layout in HEIGHTS:
        enter(terminal, ":letters")
        terminal.type("bro")
        frame = terminal.see("bro|[wn]")
        assert "next" not in frame.strip[0]
        assert "#" not in "".join(frame.below)
        assert len(frame.below) == HEIGHTS[layout]
        terminal.type(CONTROL_C)
        enter(terminal, ":letters")
        terminal.type("bro")
        frame = terminal.see("bro|[wn]")
        assert ("next" in frame.strip[0]) == (layout == "strip")
        assert ("#" in frame.strip[0]) == (layout == "demo")
        terminal.type(CONTROL_C + F2)
        terminal.wait(lambda frame, layout=layout: frame.picture == "|" and len(frame.below) != HEIGHTS[layout])  # type: ignore[misc]


def test_another_checkpoint_is_asked_without_leaving(terminal: Terminal) -> None:
    terminal.type("the br")
    assert " alpha " in terminal.see("the br|[own]").status
    terminal.type(ENTER + ":checkpoint beta" + ENTER)
    frame = terminal.wait(lambda frame: " beta " in frame.status and frame.picture == "|" and frame.is_fresh)
    assert frame.rows[:2] == ("> the br", "> :checkpoint beta")
    terminal.type("br")
    terminal.see("br|[amble]")
    terminal.type(CONTROL_C)
    enter(terminal, ":checkpoint ./checkpoints/alpha")  # the folder itself
    terminal.wait(lambda frame: " alpha " in frame.status)
    terminal.type("br")
    terminal.see("br|[own]")


def test_a_damaged_checkpoint_leaves_the_former_one_in_use(terminal: Terminal) -> None:
    enter(terminal, ":checkpoint beta")
    terminal.wait(lambda frame: " beta " in frame.status)
    terminal.type(":checkpoint broken" + ENTER)
    frame = terminal.wait(lambda frame: "still at beta: checkpoints/broken/" in told(frame))
    assert frame.status.endswith("copy it again")
    assert (frame.picture, len(frame.below)) == ("|", HEIGHTS["strip"])
    terminal.type("br")
    assert " beta " in terminal.see("br|[amble]").status


def test_lines_are_saved_into_a_new_file_only(terminal: Terminal, places: Path) -> None:
    lines = ["the quick bro", "한국어 🙂", "  and "]
    for line in lines:
        enter(terminal, line)
    enter(terminal, ":letters")  # which is no line
    enter(terminal, ":save my lines.txt")
    saved = places / "my lines.txt"
    assert saved.read_text(encoding="utf-8").splitlines() == lines
    assert any("3 lines written to my lines.txt" in row for row in terminal.frames[-1].rows)
    saved.write_text("precious", encoding="utf-8")
    refuse(terminal, ":save my lines.txt", "my lines.txt exists")
    assert saved.read_text(encoding="utf-8") == "precious"
    enter(terminal, ":save ~/second")
    assert (places / "second").read_text(encoding="utf-8").splitlines() == lines


def test_a_single_line_is_saved_as_one(terminal: Terminal) -> None:
    enter(terminal, "bro")
    enter(terminal, ":save one.txt")
    assert any("1 line written to one.txt" in row for row in terminal.frames[-1].rows)


@pytest.mark.parametrize("line", [":-)", "::", ":8", " :help"])
def test_a_colon_that_begins_no_name_begins_a_line(terminal: Terminal, places: Path, line: str) -> None:
    enter(terminal, line)
    enter(terminal, ":save lines.txt")
    assert (places / "lines.txt").read_text(encoding="utf-8") == line + "\n"


def test_quit_leaves(terminal: Terminal) -> None:
    terminal.type("  " + BACKSPACE * 2 + ":quit" + ENTER)
    terminal.join()
    assert (terminal.result, terminal.error) == (0, None)


# Mistakes.


def test_a_mistake_is_told_in_the_status_and_the_line_is_kept(terminal: Terminal, places: Path) -> None:
    (places / "file").touch()
    for line, message in [
        (":", "no such command"),
        (":nonsense", ":nonsense: no such command; :help shows"),
        (":Help", "no such command"),
        (": help me", ":help takes nothing; leave out me"),
        (":count", ":count takes K, as in"),
        (":count 0", "the count is 0; it must be from 1 to 100"),
        (":count ²", "the count is ²"),
        (":count 101", "must be from 1 to 100"),
        (":count many", "must be from 1 to 100"),
        (":threshold", ":threshold takes P"),
        (":threshold 1.1", "the threshold is 1.1; it must be from 0 to 1"),
        (":threshold nan", "must be from 0 to 1"),
        (":threshold x", "must be from 0 to 1"),
        (":letters on", ":letters takes nothing; leave out on"),
        (":quit now", ":quit takes nothing"),
        (":checkpoint", ":checkpoint takes NAME"),
        (":checkpoint gamma", "gamma: no such checkpoint"),
        (":checkpoint " + 60 * "g", "`autocomplete train` makes one"),  # in the second row
        (":checkpoint checkpoints", "no model.safetensors in it"),
        (":save", ":save takes FILE"),
        (":save file", "file exists"),
        (":save file/below", "file/below: Not a directory"),
        (":save none/file", "none/file: No such file or directory"),
        (":save ~nobody-of-this-name/file", "~nobody-of-this-name"),
    ]:
        refuse(terminal, line, message)
    terminal.type("bro")  # all is as it was
    assert "5 brought" in terminal.see("bro|[wn]").strip[1]


def test_a_mistake_is_mended_in_place(terminal: Terminal) -> None:
    terminal.type(":count 200" + ENTER)
    terminal.wait(lambda frame: "from 1 to 100" in frame.status)
    terminal.type(BACKSPACE)
    terminal.wait(lambda frame: frame.typed == ":count 20" and "from 1 to 100" not in frame.status)
    terminal.type(ENTER)
    terminal.wait(lambda frame: frame.picture == "|" and "> :count 20" in frame.rows)


def test_a_command_is_in_the_history(places: Path) -> None:
    history = InMemoryHistory()
    with open_prompt(history) as terminal:
        terminal.see("|")
        enter(terminal, ":count 3")
        terminal.type(UP)
        terminal.wait(lambda frame: frame.typed == ":count 3")
    assert history.get_strings() == [":count 3"]


# Completion.


@given(st.text("abceghilnopqrtuv: ", max_size=12), st.lists(st.text("ab", min_size=1, max_size=3), max_size=4))
def test_a_completion_goes_on_with_what_is_typed(line: str, checkpoints: list[str]) -> None:
    for completion in complete_command(line, checkpoints):
        assert line + completion.insert == completion.word
    expected = [f":{name}" for name in COMMANDS if line and f":{name}".startswith(line)]
    assert [completion.word for completion in complete_command(line, [])] == expected


def test_names_of_checkpoints_are_completed_once_each() -> None:
    found = complete_command(":checkpoint b", ["beta", "alpha", "beta", "b"])
    assert [(c.word, c.insert) for c in found] == [(":checkpoint beta", "eta"), (":checkpoint b", "")]
    assert complete_command(":checkpoint x", ["beta"]) == []
    assert complete_command(":save b", ["beta"]) == []


@given(st.text(max_size=20))
def test_any_line_is_a_command_or_a_mistake(text: str) -> None:
    try:
        name, argument = parse_command(":" + text)
    except SettingsError as error:
        assert str(error)
    else:
        assert name in COMMANDS
        assert bool(argument) == bool(COMMANDS[name][0])


def test_commands_are_shown_and_completed(terminal: Terminal) -> None:
    terminal.type(":")
    frame = terminal.wait(lambda frame: ":checkpoint" in frame.strip[1])
    assert [f":{name}" in frame.strip[1] for name in COMMANDS] == [True] * len(COMMANDS)
    assert len(frame.below) == HEIGHTS["strip"]
    terminal.type("c")
    frame = terminal.wait(lambda frame: frame.typed == ":c" and ":help" not in frame.strip[1])
    assert frame.picture == ":c|"  # there are two
    terminal.type("o")
    frame = terminal.wait(lambda frame: frame.picture == ":co|[unt]")
    assert "offer K words" in frame.strip[0]
    terminal.type(TAB)
    terminal.wait(lambda frame: frame.picture == ":count|")
    terminal.type(UNDO)
    terminal.wait(lambda frame: frame.picture == ":co|[unt]")
    terminal.type(RIGHT)
    terminal.wait(lambda frame: frame.picture == ":count|")
    terminal.type(CONTROL_C + ":x" + TAB)
    assert terminal.wait(lambda frame: frame.typed == ":x").strip[1] == ""
    terminal.type(BACKSPACE + "q" + LEFT + TAB)  # completed only at the end
    terminal.wait(lambda frame: frame.picture == ":|q")
    terminal.type(CONTROL_E + SHIFT_TAB)
    terminal.wait(lambda frame: frame.picture == ":quit|")


def test_names_of_checkpoints_are_shown_and_completed(terminal: Terminal) -> None:
    terminal.type(":checkpoint ")
    frame = terminal.wait(lambda frame: ":checkpoint alpha" in frame.strip[1])
    assert ":checkpoint beta" in frame.strip[1]
    terminal.type("al")
    terminal.wait(lambda frame: frame.picture == ":checkpoint al|[pha]")
    terminal.type(BACKSPACE * 2 + "be" + TAB)
    terminal.wait(lambda frame: frame.picture == ":checkpoint beta|")
    terminal.type(ENTER)
    terminal.wait(lambda frame: " beta " in frame.status)


def test_tab_goes_round_what_a_command_may_become(terminal: Terminal) -> None:
    terminal.type(":c")
    terminal.wait(lambda frame: frame.typed == ":c")
    for key, line in [
        (TAB, ":checkpoint"),
        (TAB, ":count"),
        (SHIFT_TAB, ":checkpoint"),
        (UNDO, ":c"),
        (SHIFT_TAB, ":count"),
    ]:
        terminal.type(key)
        terminal.wait(lambda frame, line=line: frame.typed == line)  # type: ignore[misc]


def test_a_command_of_no_meaning_asks_the_model_nothing(places: Path) -> None:
    asked: list[str] = []

    class Listening(Predictor):
        def stream(self, text: str, *rest: int, **options: object):  # type: ignore[no-untyped-def, override]
            asked.append(text)
            return super().stream(text, *rest, **options)  # type: ignore[arg-type]

    settings = PromptSettings("alpha", ahead=False)
    with Terminal(lambda pipe, output: run_prompt(Listening.load, settings, input=pipe, output=output)) as terminal:
        terminal.see("|")
        terminal.type(":cou")
        terminal.wait(lambda frame: frame.picture == ":cou|[nt]")
        terminal.type(CONTROL_C)
        terminal.see("|")
    assert asked == [""]
