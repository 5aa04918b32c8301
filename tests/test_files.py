"""Files and folders that are written whole or not at all, by processes that are killed in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autocomplete.errors import CheckpointError
from autocomplete.storage.atomic import clear_leftovers, is_temporary, replace_file, replace_folder

OLD = {"one": b"1" * 100, "two": b"2"}
NEW = {"one": b"new", "three": b"3" * 1000}

# Replaces a folder or a file again and again, each time in a process that is killed one call of the system later, until one ends.
KILLED_AT_EACH_CALL = """
import os, signal, sys
from pathlib import Path
from autocomplete.storage.atomic import replace_file, replace_folder

action, places = sys.argv[1], iter(map(Path, sys.argv[2:]))
for number, place in enumerate(places, start=1):
    if (process := os.fork()) == 0:
        calls = 0

        def count(event, arguments):
            global calls
            if event == "open" or event.startswith(("os.", "shutil.")) and event != "os.kill":
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        if action == "folder":
            replace_folder(place / "mine", {"one": b"new", "three": b"3" * 1000})
        else:
            replace_file(place / "mine" / "one", b"new")
        os._exit(0)
    if os.waitpid(process, 0)[1] == 0:
        break
print(number)
"""


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_bytes(text)
    return folder


@pytest.fixture
def dead() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def living() -> Iterator[int]:
    """Return the number of another process that has not ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_file_and_folder_are_replaced(tmp_path: Path) -> None:
    replace_folder(tmp_path / "new" / "mine", OLD)
    assert content(tmp_path / "new" / "mine") == OLD
    replace_folder(tmp_path / "new" / "mine", NEW)
    replace_file(tmp_path / "new" / "mine" / "one", b"again")
    assert content(tmp_path / "new" / "mine") == NEW | {"one": b"again"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine"]


def test_what_cannot_be_replaced_stays(tmp_path: Path) -> None:
    folder = written(tmp_path / "mine", OLD)
    (tmp_path / f".mine.new-{os.getpid()}").write_text("in the way")
    (folder / f".one.new-{os.getpid()}").mkdir()
    for replace in (lambda: replace_folder(folder, NEW), lambda: replace_file(folder / "one", b"new")):
        with pytest.raises(CheckpointError, match=r"cannot be written .* free some space or choose another place"):
            replace()
    assert {name: (folder / name).read_bytes() for name in OLD} == OLD


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that are forked")
@pytest.mark.parametrize("action", ["folder", "file"])
def test_process_killed_at_any_call_leaves_the_old_or_the_new(tmp_path: Path, action: str) -> None:
    places = [tmp_path / f"killed{number}" for number in range(1, 60)]
    for place in places:
        written(place / "mine", OLD)
    arguments = [sys.executable, "-c", KILLED_AT_EACH_CALL, action, *map(str, places)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    calls = int(done.stdout)
    assert 3 < calls < len(places)  # the last one was not killed
    new = NEW if action == "folder" else OLD | {"one": b"new"}
    found, left = [], 0
    for place in places[:calls]:
        left += len([path for path in place.rglob(".*") if is_temporary(path.name)])
        clear_leftovers(place / "mine")
        found.append(content(place / "mine"))
        assert [path.name for path in place.iterdir()] == ["mine"]
        assert found[-1] in (OLD, new)
    assert left
    assert found[0] == OLD
    assert found[-1] == new
    assert found.count(OLD) + found.count(new) == calls


def test_leftovers_of_the_dead_are_cleared_and_those_of_the_living_kept(tmp_path: Path, dead: int, living: int) -> None:
    folder = written(tmp_path / "mine", OLD)
    for process in (dead, living, os.getpid()):
        written(tmp_path / f".mine.new-{process}", NEW)
        written(tmp_path / f".mine.former-{process}", OLD)
        written(tmp_path / f".mine.search-{process}", {})
        (folder / f".two.new-{process}").write_bytes(b"half")
    others = written(tmp_path / f".other.new-{dead}", NEW), written(tmp_path / ".mine.new-er", NEW)
    clear_leftovers(folder)
    assert {path.name for path in tmp_path.iterdir()} == {
        "mine", *(f".mine.{kind}-{living}" for kind in ("new", "former", "search")), *(path.name for path in others)
    }  # fmt: skip
    assert content(folder) == OLD | {f".two.new-{living}": b"half"}


def test_clearing_where_nothing_is_does_nothing(tmp_path: Path) -> None:
    clear_leftovers(tmp_path / "none" / "mine")
    (tmp_path / "file").write_text("no folder")
    clear_leftovers(tmp_path / "file" / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
