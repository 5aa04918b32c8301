"""Text read as a stream against the same text read line by line and word by word; and what is kept of it in the cache."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit

import numpy as np
import pytest
from command_line import COMMAND, ENVIRONMENT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autocomplete.corpus import cache, chunks, encoding, running_text, tokens
from autocomplete.corpus.corpus import Corpus, read_corpus
from autocomplete.corpus.encoded import EncodedText, FileArray
from autocomplete.corpus.files import TextFile
from autocomplete.corpus.running_text import RunningText
from autocomplete.corpus.tokens import OTHER, START
from autocomplete.errors import CorpusError
from autocomplete.storage.checkpoint import CONTEXT, LEXICON, read_checkpoint
from autocomplete.text.alphabets.letters import Letters
from autocomplete.text.normalization import without_marks
from autocomplete.text.words import closing_chance, running_words
from autocomplete.training.settings import TrainingInputs, TrainingSettings
from autocomplete.training.trainer import train

NORMALIZATION = Letters()
LINES = "The cat sat here. It ran!\nThen “Anna” (my cat) said: don’t.\n\nIn May we may go; Anna's iPhone rang\n"

PIECES = """
the The cat Anna's don’t 'tis ’n’ cafe\u0301 café CAFÉ Straße ŉ İs well-known a1 33 33, (12: -- “Stop.” (Perhaps) no? yes…
yes…, he: ' '' end. end." end?) ΟΔΟΣ, ﬁn 한국. नमस्ते \u0301 rock'n'roll 😀 😀. \ufeff I may May (.a a.b .5 a.
"""
pieces = st.sampled_from([*PIECES.split(), "x" * 8, "y" * 9, "z" * 70, "w" * 101, "e\u0301" * 3])
blanks = st.sampled_from(
    [
        " ",
        " ",
        " ",
        "\n",
        "\n",
        "\r\n",
        "  ",
        "\t",
        "\u00a0",
        "\u2003",
        "\u2028",
        "\x0b",
        "\x1f",
        "\x85",
        " \n",
        "\n\n",
        "\n \n",
    ]
)
texts = st.builds(
    lambda begin, parts, end: begin + "".join(chain for pair in parts for chain in pair) + end,
    st.sampled_from(["", "\ufeff", "\n", " "]),
    st.lists(st.tuples(st.one_of(pieces, st.text(max_size=5)), blanks), min_size=1, max_size=40),
    st.sampled_from(["", "cat", "cat sat\n"]),
).map(lambda text: text.translate({0: None, 1: None}).encode("utf-8", "ignore"))


def text_of(*paths: Path, **options) -> RunningText:
    return RunningText([TextFile(path, path) for path in paths], NORMALIZATION, **options)


def lines_of(content: bytes) -> list[str]:
    """Return the lines as they were read before there were streams: one after the other."""
    text = content.decode().removeprefix("\ufeff")
    return [line.strip() for line in text.split("\n") if line.strip()]


def keys_of(lines: list[str]) -> str:
    """Return what the network of characters reads, with a newline for each boundary."""
    return "".join("\n" + " ".join(NORMALIZATION.key(line).split()) for line in lines) + "\n"


def words_of(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        for word, begins in running_words(line):
            found += [".", NORMALIZATION.key(word)] if begins else [NORMALIZATION.key(word)]
    return [word if len(word) < 90 else "?" for word in found]  # too long ones are no words


def shown(text: EncodedText) -> tuple[str, list[str]]:
    """Return the symbols and the words of an encoded text, spelled."""
    codes, numbers = text.symbols[0 : len(text.symbols)], text.words[0 : len(text.words)]
    every = dict(enumerate(["\n", "\ufffd", *text.characters]))
    spelled = {START: ".", OTHER: "?"} | {i: NORMALIZATION.key(s) for i, s in enumerate(text.spellings(), start=2)}
    return "".join(every[code] for code in codes.tolist()), [spelled[number] for number in numbers.tolist()]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Read as if a few bytes were a long text: many chunks, a memory for few tokens, and a cache."""
    monkeypatch.setattr(running_text, "_CHUNK", 60)
    monkeypatch.setattr(running_text, "_SMALL", 0)
    monkeypatch.setattr(running_text, "_PROCESSES", 1)
    monkeypatch.setattr(encoding, "_REMEMBERED", 12)
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


# Against the plain way.


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(st.lists(texts, min_size=1, max_size=2), st.sampled_from([0.0, 1.0]))
@example([b"\xef\xbb\xbfThe cat\r\n", b"\xef\xbb\xbf\xef\xbb\xbf no\xe2\x80\x9d\n\xef\xbb\xbf\n"], 0.0)
def test_symbols_and_words_are_those_of_the_lines(
    small_parts: Path, tmp_path: Path, contents: list[bytes], hurried: float
) -> None:
    paths = [tmp_path / f"{number}.txt" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    lines = [NORMALIZATION.surface(line) for content in contents for line in lines_of(content)]
    text = text_of(*paths)
    assert list(text.lines()) == lines
    found = text.encoded(hurried)
    assert found.lines == len(lines)
    read = [bare for line in lines if (bare := without_marks(line))] if hurried else lines
    assert shown(found) == (keys_of(read), words_of(read))
    symbols = found.symbols[0 : len(found.symbols)]
    np.testing.assert_array_equal(found.character_counts, np.bincount(symbols, minlength=2)[2:])
    for line in {0, 1, len(lines) // 2, len(lines)} & set(range(len(lines) + 1)):
        assert list(text.lines(line)) == lines[line:]
        before = [bare for each in lines[:line] if (bare := without_marks(each))] if hurried else lines[:line]
        assert text.before(line, hurried) == (len(keys_of(before)) - 1, len(words_of(before)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(texts, st.sampled_from([0.0, 0.5]))
def test_words_are_counted_as_they_are_written(
    small_parts: Path, tmp_path: Path, content: bytes, hurried: float
) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    counts: Counter[str] = Counter()
    evidence: Counter[str] = Counter()
    left_out = 0
    for line in lines_of(content):
        for word, begins in running_words(line):
            if len(word) > 100:
                left_out += 1
                continue
            counts[word] += 1
            evidence[word] += not begins
    found = text_of(tmp_path / "text.txt").encoded(hurried)
    spellings = found.spellings()
    assert {s: n for s, n in zip(spellings, found.counts.tolist(), strict=True) if n} == counts
    assert {s: n for s, n in zip(spellings, found.evidence.tolist(), strict=True) if n} == +evidence
    assert found.left_out == left_out
    first = [spellings[i] for i in np.argsort(found.first_evidence, kind="stable") if found.evidence[i]]
    expected = [word for line in lines_of(content) for word, begins in running_words(line) if not begins]
    expected = list(dict.fromkeys(word for word in expected if len(word) <= 100))
    by_token = {word: place for place, word in enumerate(expected)}
    assert sorted(first) == sorted(expected)
    places = [by_token[word] for word in first]
    assert all(later > earlier - 4 for earlier, later in pairwise(places))  # within a token, in any order


def test_half_of_the_lines_are_hurried_and_always_the_same(small_parts: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(f"Here, {'is' * (i % 7)} line." for i in range(600)))
    found = text_of(tmp_path / "text.txt").encoded(0.5)
    lines = shown(found)[0].strip("\n").split("\n")
    assert len(lines) == 600
    assert sum("," in line for line in lines) == pytest.approx(300, abs=60)
    assert all(("," in line) == ("." in line) for line in lines)
    assert shown(text_of(tmp_path / "text.txt").encoded(0.5)) == shown(found)


def test_several_processes_read_what_one_does(small_parts: Path, tmp_path: Path, monkeypatch) -> None:
    content = "\n".join(
        f"It was the {i % 50}th, “{'a' * (i % 13)}é{'bc' * (i % 5)}” said Anna {i % 17}a." for i in range(400)
    )
    (tmp_path / "text.txt").write_text(content)
    one = text_of(tmp_path / "text.txt").encoded(0.5)
    monkeypatch.setattr(running_text, "_PROCESSES", 2)
    monkeypatch.setattr(running_text, "_processors", lambda: 2)
    monkeypatch.setattr(running_text, "_CHUNK", 60)
    monkeypatch.setattr(running_text, "_FORMAT", "another")
    several = text_of(tmp_path / "text.txt").encoded(0.5)
    assert shown(several) == shown(one)
    assert [chunk.byte for chunk in several.chunks] == [chunk.byte for chunk in one.chunks]
    assert multiprocessing.active_children() == []


def test_more_characters_than_a_byte_can_tell_take_two(small_parts: Path, tmp_path: Path) -> None:
    alphabet = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 400))
    lines = [alphabet[start : start + 8] for start in range(0, 400, 4)]
    (tmp_path / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    found = text_of(tmp_path / "text.txt").encoded()
    assert shown(found)[0] == keys_of(lines)
    assert found.symbols[0:3].dtype == np.uint16


def test_tokens_that_want_the_same_slots_are_told_apart(small_parts: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tokens, "_SLOTS", 3)
    monkeypatch.setattr(encoding, "_REMEMBERED", 1000)
    content = " ".join(
        f"{a}{b}{'x' * (i % 30)}" for i, (a, b) in enumerate(zip("abcdefgh" * 40, "stuvw" * 64, strict=True))
    )
    (tmp_path / "text.txt").write_text(content.replace(" a", "\na"))
    assert shown(text_of(tmp_path / "text.txt").encoded())[0] == keys_of(lines_of((tmp_path / "text.txt").read_bytes()))


def test_where_there_are_too_many_words_only_frequent_ones_are_taken_in(
    small_parts: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(chunks, "_MANY", 3)
    monkeypatch.setattr(chunks, "_MOST", 4)
    monkeypatch.setattr(chunks, "_SEVERAL", 2)
    monkeypatch.setattr(running_text, "_CHUNK", 1000)
    (tmp_path / "1.txt").write_text("one two three " * 4)
    (tmp_path / "2.txt").write_text("four four one five six\n" * 2)
    (tmp_path / "3.txt").write_text("five four\n" * 2)
    found = text_of(*(tmp_path / f"{number}.txt" for number in (1, 2, 3))).encoded()
    counts = dict(zip(found.spellings(), found.counts.tolist(), strict=True))
    assert counts == {"one": 6, "two": 4, "three": 4, "four": 6}
    assert Counter(shown(found)[1]) == {".": 5, "?": 6} | counts


def test_numbers_in_a_file_are_those_of_an_array(tmp_path: Path) -> None:
    numbers = np.arange(5000, dtype=np.uint16)[::-1]
    numbers.tofile(tmp_path / "numbers.bin")
    turned, thrice = np.arange(5000)[::-1], np.arange(5000) * 3
    found = FileArray(tmp_path / "numbers.bin", "u2", 5000)
    other = found.translated(turned, 4995).translated(thrice)
    for places in (slice(7, 99), slice(4990, None), np.array([[0, 1], [4994, 17]])):
        for _ in range(20):  # pages are let go now and then
            np.testing.assert_array_equal(found[places], numbers[places])
            if isinstance(places, np.ndarray):
                np.testing.assert_array_equal(other[places], thrice[turned[numbers[places]]])
    assert (len(other), len(found)) == (4995, 5000)
    np.testing.assert_array_equal(np.concatenate(list(found.parts())), numbers)


# The cache.

SMALL = TrainingSettings(hidden=8, embedding=4, batch=4, bptt=8, steps=3, warmup=1, precision="fp32")


@pytest.fixture
def written(small_parts: Path, tmp_path: Path) -> Path:
    """A text, and not yet anything in the cache."""
    (tmp_path / "text.txt").write_text(LINES * 30, encoding="utf-8")
    return tmp_path / "text.txt"


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def doings(path: Path) -> tuple[Corpus, list[str]]:
    """Return a corpus, and what was done to read it."""
    done: list[str] = []
    corpus = read_corpus([path], hurried=0.5, watch=lambda doing, *_: done.append(doing))
    return corpus, list(dict.fromkeys(done))


def test_second_reading_finds_the_cache_and_trains_the_same(small_parts: Path, written: Path, tmp_path: Path) -> None:
    found = []
    for name, expected in (("one", ["checking", "reading"]), ("two", ["checking"])):
        corpus, done = doings(written)
        assert done == expected
        list(train(TrainingInputs(corpus, tmp_path / name, SMALL)))
        found.append((corpus.words, corpus.counts.tolist(), corpus.surfaces, corpus.lines, corpus.to_json()))
    assert found[0] == found[1]
    one, two = (read_checkpoint(tmp_path / name).tensors for name in ("one", "two"))
    assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in two.items()}
    assert (tmp_path / "one" / LEXICON).read_bytes() == (tmp_path / "two" / LEXICON).read_bytes()
    assert (tmp_path / "one" / CONTEXT).read_bytes() == (tmp_path / "two" / CONTEXT).read_bytes()
    assert len(entries(small_parts)) == 1


def test_content_decides_and_not_the_name(small_parts: Path, written: Path) -> None:
    doings(written)
    moved = written.rename(written.with_name("moved.txt"))
    assert doings(moved)[1] == ["checking"]
    moved.write_text(LINES.upper() * 30, encoding="utf-8")
    assert doings(moved)[1] == ["checking", "reading"]
    assert len(entries(small_parts)) == 2


def test_words_are_not_counted_again_for_another_share_of_haste(small_parts: Path, written: Path) -> None:
    doings(written)
    done: list[str] = []
    corpus = read_corpus([written], hurried=1.0, watch=lambda doing, *_: done.append(doing))
    assert set(done) == {"checking"}
    assert corpus.text is not None
    assert "." not in corpus.text.encoded(1.0).characters
    assert len(entries(small_parts)) == 2


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def garble(path: Path) -> None:
    path.write_bytes(bytes(byte ^ 255 for byte in path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("symbols.bin", truncate),
        ("words.bin", truncate),
        ("words.bin", Path.unlink),
        ("index.npz", truncate),
        ("index.npz", garble),
        ("index.npz", lambda path: path.write_bytes(b"")),
        ("index.npz", Path.unlink),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", "empty"),
)
def test_damaged_entry_is_made_again(small_parts: Path, written: Path, name: str, damage) -> None:
    corpus, _ = doings(written)
    assert corpus.text is not None
    expected = shown(corpus.text.encoded(0.5))
    [entry] = entries(small_parts)
    damage(entry / name)
    corpus, done = doings(written)
    assert done == ["checking", "reading"]
    assert corpus.text is not None
    assert shown(corpus.text.encoded(0.5)) == expected
    assert doings(written)[1] == ["checking"]


def test_entries_used_the_longest_ago_make_room(small_parts: Path, tmp_path: Path, monkeypatch) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(LINES * (number + 1), encoding="utf-8")
    first, second = ((doings(tmp_path / f"{n}.txt"), entries(small_parts))[1] for n in range(2))
    os.utime(first[0], (10, 10))
    [other] = set(second) - set(first)
    os.utime(other, (20, 20))
    doings(tmp_path / "0.txt")  # used again
    monkeypatch.setattr(cache, "_MOST", sum(f.stat().st_size for e in second for f in e.iterdir()))
    doings(tmp_path / "2.txt")
    assert other not in entries(small_parts)
    assert len(entries(small_parts)) <= 2
    monkeypatch.setattr(cache, "_MOST", 0)
    doings(tmp_path / "1.txt")
    assert len(entries(small_parts)) == 1  # what was just asked for stays


def test_folder_that_cannot_be_written_is_done_without(small_parts: Path, written: Path, tmp_path: Path) -> None:
    small_parts.write_text("a file where the folder would be")
    assert doings(written)[1] == ["checking", "reading"]
    corpus, _ = doings(written)
    events = list(train(TrainingInputs(corpus, tmp_path / "mine", SMALL)))
    assert events


def test_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    """A limit on the size of a file, which the processes that read have too, refuses bytes as a full disk does."""
    (tmp_path / "long.txt").write_text(LINES * 60_000, encoding="utf-8")
    completed = subprocess.run(
        [*COMMAND, "train", "long.txt"], cwd=tmp_path, env=ENVIRONMENT | {cache.CACHE_VARIABLE: str(tmp_path / "cache")},
        capture_output=True, text=True, check=False, preexec_fn=lambda: setrlimit(RLIMIT_FSIZE, (10**6, 10**6)),
    )  # fmt: skip
    assert completed.returncode == 2
    assert len(completed.stderr.splitlines()) == 1, completed.stderr
    for part in ("cache", "cannot be written", "File too large", "free some space", cache.CACHE_VARIABLE):
        assert part in completed.stderr
    assert entries(tmp_path / "cache") == []


def test_small_text_leaves_nothing_behind(written: Path, small_parts: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(running_text, "_SMALL", 10**6)
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    corpus, _ = doings(written)
    assert corpus.text is not None
    assert corpus.text.encoded(0.5).lines == 90
    assert list((tmp_path / "temporary").iterdir())
    del corpus
    assert not list((tmp_path / "temporary").iterdir())
    assert not small_parts.exists()


def test_two_that_want_the_same_read_it_once(small_parts: Path, written: Path) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(doings(written)[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [["checking"], ["checking"], ["checking", "reading"]]


# Interruptions and mistakes.


@pytest.mark.parametrize("processes", [1, 2])
def test_interrupted_reading_leaves_nothing_half(
    small_parts: Path, written: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_text, "_PROCESSES", processes)
    monkeypatch.setattr(running_text, "_processors", lambda: processes)

    def interrupt(doing: str, done: int, total: int) -> None:
        if doing == "reading" and done > total / 2:
            assert [path.name for path in entries(small_parts)[0].iterdir()] != []
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_corpus([written], watch=interrupt)
    assert entries(small_parts) == []
    assert multiprocessing.active_children() == []
    assert doings(written)[1] == ["checking", "reading"]


def test_what_a_killed_reading_left_is_removed(small_parts: Path, written: Path) -> None:
    doings(written)
    [entry] = entries(small_parts)
    left = entry.rename(entry.with_name(f".{entry.name}.new-1"))
    doings(written)
    assert entries(small_parts) == [entry]
    assert not left.exists()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (b"\xff\n", "not UTF-8 at byte {at}; save the file"),
        (b"a\0b\n", "binary data \\(a zero byte at byte {after}\\)"),
        (b"x" * 1_000_001 + b"\n", "line {line} is longer than 1,000,000 bytes"),
        (b"x" * 1_000_001, "line {line} is longer than 1,000,000 bytes"),
    ],
    ids=["encoding", "zero", "line", "last line"],
)
@pytest.mark.parametrize("processes", [1, 2])
def test_mistake_far_into_a_text_is_told_with_its_place(
    small_parts: Path, written: Path, wrong: bytes, problem: str, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_text, "_PROCESSES", processes)
    monkeypatch.setattr(running_text, "_processors", lambda: processes)
    monkeypatch.setattr(running_text, "_CHUNK", 20_000)
    content = LINES.encode() * 500
    written.write_bytes(content + wrong)
    expected = problem.format(at=len(content), after=len(content) + 1, line=content.count(b"\n") + 1)
    with pytest.raises(CorpusError, match=expected) as raised:
        read_corpus([written])
    assert str(raised.value).startswith(str(written))
    assert entries(small_parts) == []


def test_text_that_changes_while_it_is_read_is_refused(small_parts: Path, written: Path) -> None:
    def change(doing: str, done: int, total: int) -> None:
        if doing == "reading" and done > total / 2:
            written.write_text(LINES * 30 + "More.\n", encoding="utf-8")

    with pytest.raises(CorpusError, match="has changed while it was read; try again"):
        read_corpus([written], watch=change)
    assert entries(small_parts) == []


def long_text(folder: Path) -> Path:
    """Return a text that is too long to be small, of words with numbers, which take their time."""
    with (folder / "long.txt").open("w") as file:
        file.writelines(
            f"Here are {' '.join(f'a{number}b{place}' for place in range(9))}.\n" for number in range(90_000)
        )
    return folder / "long.txt"


def test_interruption_ends_the_command_and_leaves_no_process(tmp_path: Path) -> None:
    long_text(tmp_path)
    environment = ENVIRONMENT | {cache.CACHE_VARIABLE: str(tmp_path / "cache")}
    command = [*COMMAND, "train", "long.txt"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(600):
            if list(tmp_path.glob("cache/.*.new-*/words.bin")):
                break
            time.sleep(0.05)
        time.sleep(0.3)
        helpers = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "stopped at once; nothing was saved\n")
    assert entries(tmp_path / "cache") == []
    assert not (tmp_path / "checkpoints").exists()
    for _ in range(100):
        if not any(map(runs, helpers)):
            break
        time.sleep(0.1)
    assert not any(map(runs, helpers))


INTERRUPTED_LOOPS = """
import numpy as np
from autocomplete.corpus.loops import split
from autocomplete.corpus.tokens import ROOM
data = bytearray(b"\\n" + b"a word of a line\\n" * 50_000 + b"\\n" * ROOM)
def once():
    codes = np.frombuffer(data, dtype=np.uint8)
    pieces = np.ndarray((len(data) - 7,), np.dtype("<u8"), data, strides=(1,))
    return split(codes, pieces, np.zeros((1 << 8, 2), dtype=np.uint64), 0)
once()
interruptions = 0
while interruptions < 100:
    try:
        print(interruptions, flush=True)  # whoever reads it interrupts
        while True:
            once()
    except KeyboardInterrupt:
        interruptions += 1
"""


def test_interruption_in_the_midst_of_a_loop_is_raised_after_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED_LOOPS]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in process.stdout:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def test_helpers_end_with_a_reading_that_is_killed(tmp_path: Path) -> None:
    long_text(tmp_path)
    environment = ENVIRONMENT | {cache.CACHE_VARIABLE: str(tmp_path / "cache")}
    with subprocess.Popen([*COMMAND, "train", "long.txt"], cwd=tmp_path, env=environment) as process:
        for _ in range(600):
            if list(tmp_path.glob("cache/.*.new-*/words.bin")):
                break
            time.sleep(0.05)
        helpers = children(process.pid)
        process.kill()
    for _ in range(300):
        if not any(map(runs, helpers)):
            break
        time.sleep(0.1)
    assert not any(map(runs, helpers))


def children(process: int) -> list[int]:
    """Return the processes that one has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return list(map(int, listed.stdout.split()))


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A named pipe that a text comes out of, once."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(LINES * 30, encoding="utf-8"))
    writer.start()
    yield tmp_path / "pipe"
    writer.join()


def test_text_can_come_out_of_a_pipe(pipe: Path, written: Path) -> None:
    found, expected = read_corpus([pipe]), read_corpus([written])
    assert (found.words, found.sha256, found.size) == (expected.words, expected.sha256, expected.size)
    assert found.text is not None
    assert list(found.text.lines())[-1] == LINES.splitlines()[-1]
    assert found.name == "pipe"


def test_command_trains_on_a_text_of_several_megabytes_twice(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text(LINES * 60_000, encoding="utf-8")
    environment = ENVIRONMENT | {cache.CACHE_VARIABLE: str(tmp_path / "cache")}
    settings = ["--hidden", "8", "--embedding", "4", "--steps", "2", "--batch", "4", "--bptt", "8", "--force"]
    for _ in range(2):
        completed = subprocess.run(
            [*COMMAND, "train", "long.txt", *settings],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr
        assert "in 180,000 lines" in completed.stderr
    assert len(entries(tmp_path / "cache")) == 1


@pytest.mark.parametrize(
    ("line", "chance"),
    [
        ("he said 'yes", 0.27),
        ("he said ‘yes", 0.0005),  # what opens with another mark is closed with another
        ("he said ’yes", 0.27),
        ("'what he said", 0.14),
        ("'what he said to me and to you", 0.04),
        ("'what he said' and", 0.0005),
        ("'what he said,' and 'yes", 0.27),
        ("the dog's friends", 0.0005),
        ("that 's it", 0.0005),
        ("", 0.0005),
    ],
)
def test_quotation_is_the_likelier_to_be_closed_the_shorter_it_is(line: str, chance: float) -> None:
    assert closing_chance(line.split()) == chance
