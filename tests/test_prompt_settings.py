"""The file of settings and the file of the history, as they are written and as the prompt obeys them."""

from __future__ import annotations

import contextlib
import os
import stat
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.keys import Keys
from terminals import (
    CONTROL_C,
    CONTROL_D,
    CONTROL_G,
    END,
    ENTER,
    ESCAPE,
    LEXICON,
    RIGHT,
    TAB,
    UP,
    ProcessTerminal,
    make_checkpoint,
    prompt,
)

from autocomplete.errors import SettingsError
from autocomplete.prompt.history import PrivateHistory
from autocomplete.prompt.renamed import RENAMED
from autocomplete.prompt.settings import ACTIONS, STYLES, PromptSettings, describe_settings, key_sequence, read_settings
from autocomplete.prompt.strip import HEIGHTS
from autocomplete.storage.checkpoint import write_checkpoint

# From Python 3.12 on, forking with threads about warns; pexpect's child calls exec at once, which is safe.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def settings_of(tmp_path: Path, content: str | bytes) -> PromptSettings:
    path = tmp_path / "config.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_settings(path)


# What is read.


def test_every_setting_is_read(tmp_path: Path) -> None:
    content = """
        checkpoint = "mine"
        count = 7
        threshold = 1
        layout = "demo"
        editing = "vi"
        letters = false
        history = false
        ahead = false
        explicit = true
        [keys]
        accept = ["Right", "Alt-x"]
        quit = []
        [colors]
        ghost = "italic ansiblue"
        word = "#888888"
    """
    assert settings_of(tmp_path, content) == PromptSettings(
        "mine",
        7,
        1,
        "demo",
        "vi",
        letters=False,
        history=False,
        ahead=False,
        explicit=True,
        keys={"accept": ("Right", "Alt-x"), "quit": ()},
        colors={"ghost": "italic ansiblue", "word": "#888888"},
    )


def test_every_setting_may_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of(tmp_path, "") == settings_of(tmp_path, "\ufeff# mine\r\n") == PromptSettings()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    assert read_settings() == PromptSettings()


def test_the_settings_of_the_user_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "autocomplete").mkdir()
    (tmp_path / "autocomplete" / "config.toml").write_text("count = 3", encoding="utf-8")
    assert read_settings().count == 3


def test_the_settings_that_the_help_lists_are_the_defaults(tmp_path: Path) -> None:
    described = tomllib.loads(describe_settings())
    assert described["keys"].keys() == ACTIONS.keys()
    assert described["colors"] == STYLES
    read = settings_of(tmp_path, describe_settings())
    assert replace(read, keys={}, colors={}) == PromptSettings()


def test_a_former_name_of_a_setting_is_read_as_the_present_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RENAMED, "number", "count")
    monkeypatch.setitem(RENAMED, "keys.leave", "keys.quit")
    read = settings_of(tmp_path, 'number = 7\n[keys]\nleave = ["Ctrl-Q"]')
    assert read == PromptSettings(count=7, keys={"quit": ("Ctrl-Q",)})
    with pytest.raises(SettingsError, match="line 2: count must be a number from 1 to 100"):
        settings_of(tmp_path, "letters = true\nnumber = 0")


# Mistakes.

MISTAKES = {
    "no TOML": ("count = 5\nthreshold 1", 2, "TOML"),
    "no value": ("count = 5\ncount =", 2, "TOML"),
    "an open text": ('count = 5\nlayout = "demo', 2, "TOML"),
    "an open list": ('[keys]\naccept = [\n"Right",\n', 3, "TOML"),
    "twice": ("count = 5\nletters = true\ncount = 6\n", 3, "TOML"),
    "unknown": ("count = 5\nnumber = 5", 2, "unknown setting number; there are: checkpoint, count"),
    "unknown section": ("\n[key]\naccept = []", 2, "unknown setting key"),
    "unknown action": ("[keys]\n\naccpt = []", 3, "unknown setting keys.accpt; there are: keys.accept"),
    "unknown colour": ("[colors]\n'gost' = ''", 2, "unknown setting colors.gost; there are: colors.prompt"),
    "section of a section": ("[keys.accept]\nkey = 'Right'", 2, "unknown setting keys.accept.key"),
    "no section": ("count = 5\nkeys = 5", 2, "keys"),
    "count": ("# of words\ncount = 0", 2, "count must be a number from 1 to 100"),
    "count with a fraction": ("count = 5.0", 1, "count must be"),
    "count that is none": ("count = true", 1, "count must be"),
    "threshold": ("threshold = 1.01", 1, "threshold must be a number from 0 to 1"),
    "threshold that is none": ("threshold = nan", 1, "threshold must be"),
    "layout": ("layout = 'wide'", 1, 'layout must be "strip" or "demo"'),
    "layout that is a list": ("layout = ['demo']", 1, "layout must be"),
    "layout that is a section": ("[layout]\nname = 'demo'", 1, "layout must be"),
    "editing": ("editing = 'Vi'", 1, "editing must be"),
    "letters": ("letters = 1", 1, "letters must be true or false"),
    "history": ("history = 'no'", 1, "history must be"),
    "explicit": ("explicit = 0", 1, "explicit must be"),
    "checkpoint": ("checkpoint = ''", 1, "checkpoint must be the name"),
    "key": ("[keys]\nundo = []\naccept = ['Right', 'Rihgt']", 3, "keys.accept must be a list of keys"),
    "key without a list": ("[keys]\naccept = 'Right'", 2, "keys.accept must be"),
    "key that is a number": ("[keys]\naccept = [1]", 2, "keys.accept must be"),
    "key that is empty": ("[keys]\naccept = ['']", 2, "keys.accept must be"),
    "key with a dot": ("\nkeys.accept = ['Hyper-X']", 2, "keys.accept must be"),
    "key in braces": ("\nkeys = {accept = ['Ctrl-']}", 2, "keys.accept must be"),
    "colour": ("[colors]\nprompt = ''\nghost = 'ansipurpel'", 3, "colors.ghost must be a style"),
    "colour that is a number": ("[colors]\nghost = 7", 2, "colors.ghost must be"),
}


@pytest.mark.parametrize(("content", "line", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_names_its_line(tmp_path: Path, content: str, line: int, message: str) -> None:
    for ending in ("\n", "\r\n"):
        with pytest.raises(SettingsError) as raised:
            settings_of(tmp_path, content.replace("\n", ending))
        assert f"line {line}" in str(raised.value).replace(",", ":")
        assert message in str(raised.value)
        assert str(raised.value).startswith(f"{tmp_path / 'config.toml'}: ")
        assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: there is no such file"):
        read_settings(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="Is a directory"):
        read_settings(tmp_path)
    with pytest.raises(SettingsError, match="not UTF-8 at byte 10"):
        settings_of(tmp_path, b"# caf\xc3\xa9 \x20\x20\xff")


@given(st.text())
def test_any_file_is_settings_or_one_mistake(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content.encode("utf-8", errors="surrogatepass"))
    try:
        assert isinstance(read_settings(path), PromptSettings)
    except SettingsError as error:
        assert str(path) in str(error)


# Names of keys.

MODIFIERS = {"c-": "Ctrl-", "s-": "Shift-"}


def name_of(sequence: tuple[str, ...]) -> str:
    """Return the name of a key as people write it, given as prompt_toolkit has it."""
    name = "Alt-" if len(sequence) == 2 else ""
    key = sequence[-1]
    while key[:2] in MODIFIERS:
        name += MODIFIERS[key[:2]]
        key = key[2:]
    return name + (key.upper() if len(key) == 1 and name else key.capitalize() if len(key) > 1 else key)


KEYS = sorted({key.value for key in Keys if not key.value.startswith("<")})


@given(
    st.sampled_from(KEYS) | st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="-"), st.booleans()
)
def test_the_name_of_a_key_stands_for_it(key: str, alt: bool) -> None:
    sequence = ("escape", key.lower()) if alt else (key,)
    assert key_sequence(name_of(sequence)) == sequence


@given(st.text(max_size=12) | st.lists(st.sampled_from(["Ctrl", "Alt", "Shift", "Right", "x", ""])).map("-".join))
def test_a_name_is_a_key_or_none(name: str) -> None:
    with contextlib.suppress(ValueError):
        assert all(key_sequence(name))


def test_the_default_keys_are_keys() -> None:
    assert all(key_sequence(key) for _, keys in ACTIONS.values() for key in keys)
    assert key_sequence("Alt-F") == ("escape", "f")
    assert key_sequence("Shift-Ctrl-Right") == ("c-s-right",)
    assert key_sequence("Alt--") == ("escape", "-")


# What the prompt makes of them.


def test_layout_count_letters_and_threshold_take_effect() -> None:
    settings = PromptSettings("test", count=2, threshold=0.9, layout="demo", letters=False)
    with prompt(settings=settings) as terminal:
        terminal.type("bro")
        frame = terminal.wait(
            lambda frame: frame.picture == "bro|" and "2 broke" in frame.strip[1] and frame.is_complete
        )
        assert len(frame.below) == HEIGHTS["demo"]
        assert "broad" not in "".join(frame.below)
        assert "#" not in "".join(frame.below)
        terminal.type("k")
        terminal.see("brok|[e]")


def test_keys_are_where_the_user_puts_them() -> None:
    keys = {
        "accept": ("Alt-x",),
        "accept-word": ("F6",),
        "accept-letter": ("Ctrl-L",),
        "candidate-next": ("Ctrl-N",),
        "candidate": ("F7", "F8"),
        "ghost-next": ("F9",),
        "silence": ("F10",),
        "undo": ("Ctrl-Z",),
        "quit": ("Ctrl-Q",),
    }
    f6, f7, f8, f9, f10 = (f"\x1b[{number}~" for number in (17, 18, 19, 20, 21))
    for editing in ("emacs", "vi"):
        settings = PromptSettings("test", editing=editing, keys=keys)  # type: ignore[arg-type]
        with prompt(settings=settings) as terminal:
            for typed, picture in [
                ("bro", "bro|[wn]"),
                (END + RIGHT + TAB, "bro|[wn]"),  # which have no work any more, but their own
                (ESCAPE + "x", "brown|"),
                ("\x1a", "bro|[wn]"),
                ("\x0c", "brow|[n]"),
                ("\x1a" + f8, "broke|"),
                ("\x1a" + f7, "brown|"),
                ("\x1a" + f9, "bro|[ke]"),
                (f10, "bro|"),
                ("w", "brow|[n]"),
                ("\x1a\x0e\x0e", "broke|"),
                (CONTROL_C, "|"),
                ("ne", "ne|[w york]"),
                (f6, "new|[ york]"),
                (CONTROL_C + CONTROL_D, "|"),
            ]:
                terminal.type(typed)
                terminal.see(picture)
            terminal.type("\x11")
            terminal.join()
            assert (terminal.result, terminal.error) == (0, None)


def test_vi_keys_from_the_start_and_ctrl_g_in_them() -> None:
    with prompt(settings=PromptSettings("test", editing="vi")) as terminal:
        terminal.type("bro")
        assert "F4 vi " in terminal.see("bro|[wn]").status
        terminal.type(CONTROL_G)
        terminal.see("bro|")
        terminal.type(ESCAPE)
        assert "F4 vi normal" in terminal.wait(lambda frame: frame.picture == "br|o").status


def test_colours_take_effect_and_meaning_does_not_hang_on_them() -> None:
    with prompt(
        settings=PromptSettings("test", colors={"ghost": "italic ansired", "best": "bold ansiblue"})
    ) as terminal:
        terminal.type("bro")
        frame = terminal.see("bro|[wn]")
        assert {"red", "blue"} <= frame.colors
        assert "green" not in frame.colors


# Of the user, by the command.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "test"
    write_checkpoint(path, make_checkpoint(), LEXICON)
    return path


def session(home: Path, *options: str) -> ProcessTerminal:
    environment = {"XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
    return ProcessTerminal(["-m", "autocomplete", *options], environment, home=home)


def history_of(home: Path) -> Path:
    return home / "state" / "autocomplete" / "history"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write_settings(home: Path, content: str) -> None:
    (home / "config" / "autocomplete").mkdir(parents=True)
    (home / "config" / "autocomplete" / "config.toml").write_text(content, encoding="utf-8")


def test_an_option_goes_before_the_settings_of_the_user(folder: Path, tmp_path: Path) -> None:
    write_settings(tmp_path, f'checkpoint = "{folder}"\ncount = 2\nlayout = "demo"\nhistory = false\n')
    with session(tmp_path, "--count", "3") as terminal:
        terminal.see("|")
        terminal.type("bro")
        frame = terminal.see("bro|[wn]")
        assert len(frame.below) == HEIGHTS["demo"]
        assert "3 broad" in frame.strip[2]
        assert "brother" not in "".join(frame.below)
        terminal.type(ENTER)
        terminal.see("|")
        terminal.type(CONTROL_D)
        assert terminal.leave() == 0
    assert not history_of(tmp_path).exists()


def test_a_mistake_in_the_settings_ends_the_command_with_one_line(tmp_path: Path) -> None:
    write_settings(tmp_path, "count = 2\nlayout = 7\n")
    with session(tmp_path) as terminal:
        assert terminal.leave() == 2
        rows = "".join(terminal.screen.display).rstrip()
        assert rows.startswith(f"autocomplete: {tmp_path}/config/autocomplete/config.toml: line 2: layout must be")


@pytest.mark.parametrize("wide", [False, True], ids=["new", "with a wider mode"])
def test_the_history_is_the_users_alone(folder: Path, tmp_path: Path, wide: bool) -> None:
    history = history_of(tmp_path)
    if wide:
        history.parent.mkdir(parents=True)
        history.write_text("\n# 2020\n+an old line\n", encoding="utf-8")
        history.chmod(0o666)
    with session(tmp_path, "--checkpoint", str(folder)) as terminal:
        terminal.see("|")
        assert mode_of(history) == 0o600  # before anything is written to it
        for line in ("the bro", "한국어 🙂"):
            terminal.type(line + ENTER)
            terminal.wait(lambda frame, line=line: f"> {line}" in frame.rows and frame.rows[frame.row] == ">")  # type: ignore[misc]
        terminal.type(CONTROL_D)
        assert terminal.leave() == 0
    assert mode_of(history) == 0o600
    if not wide:
        assert mode_of(history.parent) == 0o700
    with session(tmp_path, "--checkpoint", str(folder)) as terminal:  # another session
        terminal.see("|")
        for line in ["한국어 🙂", "the bro"] + ["an old line"] * wide:
            terminal.type(UP)
            terminal.wait(lambda frame, line=line: frame.typed == line)  # type: ignore[misc]


def test_without_a_history_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    with session(tmp_path, "--checkpoint", str(folder), "--no-history") as terminal:
        terminal.see("|")
        terminal.type("bro" + ENTER)
        terminal.see("|")
        terminal.type(UP)  # within the session there is one
        terminal.see("bro|[wn]")
        terminal.type(ENTER)
        terminal.see("|")
        terminal.type(CONTROL_D)
        assert terminal.leave() == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_history_that_cannot_be_written_is_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder", encoding="utf-8")
    with session(tmp_path, "--checkpoint", str(folder)) as terminal:
        assert terminal.leave() == 2
        rows = "".join(terminal.screen.display).rstrip()
        assert rows.startswith(f"autocomplete: {history_of(tmp_path)}: no place for the history (")
        assert "--no-history" in rows


def test_a_folder_in_the_place_of_the_history_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir(mode=0o755)
    with pytest.raises(SettingsError, match="no place for the history"):
        PrivateHistory(tmp_path / "history")
    assert mode_of(tmp_path / "history") == 0o755


def test_a_history_that_vanishes_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "history"
    history = PrivateHistory(path)
    path.unlink()
    former = os.umask(0)
    try:
        history.append_string("one line\nof two")
    finally:
        os.umask(former)
    assert mode_of(path) == 0o600
    assert list(PrivateHistory(path).load_history_strings()) == ["one line\nof two"]


@given(st.lists(st.text(min_size=1), max_size=5))
def test_lines_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("history") / "history"
    history = PrivateHistory(path)
    lines = [line.replace("\r", "").encode("utf-8", errors="replace").decode() for line in lines]
    for line in lines:
        history.store_string(line)
    assert list(PrivateHistory(path).load_history_strings()) == lines[::-1]
