"""
Read a large text as `autocomplete train` does, and train on it for some steps: speed and memory.

    python benchmarks/reading.py [--megabytes 2000] [--steps 20] [--folder DIR]

The text is synthetic: words of the shipped lexicon drawn by Zipf's law, with marks, capitals, letters beyond ASCII, and one word
in a thousand that stands nowhere else. It and its cache are written to a folder of their own and deleted at the end. Every
reading is a fresh process. Memory is the proportional set size (PSS) of it and all that it has started, added up every half
second, with files that are mapped; Linux only (/proc). Speed is given beside that of `cat` and of `sha256sum` in the same run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autocomplete.storage.checkpoint import read_lexicon
from autocomplete.storage.lookup import DEFAULT, find_checkpoint

MARKS = [*[""] * 70, *[","] * 10, *["."] * 6, *[".\n"] * 8, ":", "?", "!", "’s", "”", ")"]  # equally probable
PAUSE = 0.5  # seconds: to add memory up takes the time of a processor, too
ENDS = np.array([mark[-1:] in {"?", ".", "\n"} for mark in MARKS])
FOREIGN = ["Zoë", "naïve", "Müller", "café", "señor", "Ærø", "Łódź", "Москва", "東京"]


def write_text(path: Path, size: int) -> None:
    """Write a synthetic text of so many bytes."""
    words = [*read_lexicon(find_checkpoint(DEFAULT)), *FOREIGN]
    generator = np.random.default_rng(0)
    shares = 1 / (np.arange(len(words)) + 2.7)  # Zipf's law, as Mandelbrot mends it
    cumulative = np.cumsum(shares / shares.sum())
    spelled = np.array(
        [
            [
                [each + mark + " " * (mark[-1:] != "\n") for mark in MARKS]
                for each in (word, word[:1].upper() + word[1:])
            ]
            for word in words
        ],
        dtype=object,
    )
    written = 0
    with path.open("wb") as file:
        while written < size:
            drawn = np.searchsorted(cumulative, generator.random(1_000_000))
            marks = generator.integers(len(MARKS), size=len(drawn))
            begins = np.append(True, ENDS[marks][:-1])
            chosen = spelled[np.minimum(drawn, len(words) - 1), begins.astype(int), marks]
            rare = generator.random(len(drawn)) < 0.001
            chosen[rare] = [f"x{number:x} " for number in generator.integers(2**40, size=int(rare.sum())).tolist()]
            written += file.write("".join(chosen.tolist()).encode())


def tree(process: int) -> list[int]:
    """Return a process and all that it has started, directly or not."""
    found = [process]
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        found += [each for child in thread.read_text().split() for each in tree(int(child))]
    return found


def memory(process: int) -> int:
    """Return the bytes that a process and its children take, each shared page once."""
    total = 0
    for each in tree(process):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


@dataclass
class Run:
    """Seconds until a line of the output had some text, and in all; those of all processors; the most memory, in bytes."""

    begun: float
    seconds: float
    work: float
    peak: int


def watched(command: list[str], folder: Path, begun: str = "") -> Run:
    """Run a command and watch it."""
    environment = os.environ | {"AUTOCOMPLETE_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    started, first, peak, before = time.perf_counter(), 0.0, 0, os.times()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            with suppress(OSError):
                peak = max(peak, memory(process.pid))
            if begun and not first and begun in (folder / "output").read_text():
                first = time.perf_counter() - started
            time.sleep(PAUSE)
    if process.returncode:
        sys.exit((folder / "output").read_text())
    after = os.times()
    work = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(first, time.perf_counter() - started, work, peak)


READ = """
import sys
from pathlib import Path
from autocomplete.corpus.corpus import read_corpus

if __name__ == "__main__":
    print(read_corpus([Path(sys.argv[1])], hurried=0.5).describe())
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2_000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--folder", type=Path, help="where there is room for three times the text")
    options = parser.parse_args()
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        text = folder / "synthetic.txt"
        write_text(text, options.megabytes * 10**6)
        (folder / "read.py").write_text(READ)
        size = text.stat().st_size / 1e6
        plain = {tool: watched([tool, str(text)], folder) for tool in ("cat", "sha256sum")}
        reading = watched([sys.executable, "read.py", str(text)], folder)
        said = (folder / "output").read_text().strip()
        again = watched([sys.executable, "read.py", str(text)], folder)
        settings = ["--steps", str(options.steps), "--hidden", str(options.hidden)]
        train = [sys.executable, "-m", "autocomplete", "train", str(text), *settings]
        training = watched(train, folder, begun="parameters")
        cached = sum(file.stat().st_size for file in (folder / "cache").rglob("*")) / 1e6
    print(f"{said}; {size:,.0f} MB")
    print(
        f"{processors} processors; {load:.1f} processes at work before this began, {os.getloadavg()[0]:.1f} at its end"
    )
    for what, run in {**plain, "read and encoded": reading, "read again, from the cache": again}.items():
        share = run.work / run.seconds
        print(
            f"{what:<27}{size / run.seconds:7,.0f} MB/s {run.seconds:7.1f} s, {run.work:.1f} s of work on {share:.2f} processors"
        )
    ratios = ", ".join(f"{reading.seconds / run.seconds:.1f} times {tool}" for tool, run in plain.items())
    print(f"reading takes {ratios}; from the cache, {again.seconds / plain['sha256sum'].seconds:.1f} times sha256sum")
    print(f"most memory, reading       {reading.peak / 1e6:7,.0f} MB")
    print(f"most memory, training      {training.peak / 1e6:7,.0f} MB")
    print(
        f"training began after       {training.begun:7.1f} s      and ended after {training.seconds:.1f} s, {options.steps} steps"
    )
    print(f"the cache takes            {cached:7,.0f} MB")


if __name__ == "__main__":
    main()
