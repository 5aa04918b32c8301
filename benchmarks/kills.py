"""
Trainings killed at random moments and resumed, beside the same trainings left alone: do they end with the same weights?

    python benchmarks/kills.py [--kills 20] [--seed 0]          (on Linux)

A list of words, and a text with a network of words beside that of characters; both with dropout and two layers, and saved
so often that much of the time goes into writing. Every other kill comes at a moment drawn from the whole run, counted in
seconds of the processor, so that a busy machine shifts nothing; the others wait for such a moment and then for a file that is
being written. After each kill, what stands on the disk must be a whole
checkpoint, or nothing that could be taken for one; the processes of the run must be gone; and the run is resumed until its
end, by the command that a user would give. Then every tensor, the lexicon and the figures must be those of the run left
alone, to the last bit.
"""

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from autocomplete.inference.predictor import Predictor
from autocomplete.storage.checkpoint import CONTEXT, LEXICON, MODEL, RESUME, read_checkpoint

WORDS = Path(__file__).parent.parent / "corpora" / "english.txt"
COMMON = "--layers 2 --dropout 0.2 --embedding 16 --patience 1000 --save-every 0.05"
CASES = {
    "words": "--hidden 96 --draws 256 --steps 150",
    "text": "--hidden 64 --batch 16 --bptt 32 --steps 150 --word-hidden 48 --word-embedding 32 --word-vocabulary 500",
}
REFUSED = 2


def main() -> None:
    """Print what came of each kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="half of them of each training (default: 20)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    generator = random.Random(options.seed)
    each, same = options.kills // len(CASES), 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_corpora(folder)
        for case, settings in CASES.items():
            settings = f"{settings} {COMMON} --precision {options.precision}"
            command = ["train", f"{case}.txt", *settings.split()]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert finish(start([*command, "--name", f"{case}-alone"], folder)) == 0
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{case}: left alone, {seconds:.1f} s", flush=True)
            for number in range(each):
                name = f"{case}-{number}"
                same += trial(folder, command, case, name, generator.uniform(0, seconds), in_writing=number % 2 == 1)
    print(f"{same} of {each * len(CASES)} killed trainings ended as those that were left alone")
    sys.exit(same < each * len(CASES))


def write_corpora(folder: Path) -> None:
    """Write a list of words with their counts, and lines of words drawn by their counts."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()[:3_000]
    (folder / "words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words, counts = zip(*(line.split("\t") for line in lines[:800]), strict=True)
    chances = np.array(counts, dtype=np.float64)
    drawn = np.random.default_rng(0).choice(words, (4_000, 8), p=chances / chances.sum())
    (folder / "text.txt").write_text("".join(f"{' '.join(line).capitalize()}.\n" for line in drawn), encoding="utf-8")


def trial(folder: Path, command: list[str], case: str, name: str, after: float, *, in_writing: bool) -> bool:
    """Kill a training, resume it, and return whether it ended as the one that was left alone."""
    place = folder / "checkpoints" / name
    while not kill(start([*command, "--name", name], folder), place, after, in_writing=in_writing):
        shutil.rmtree(place)  # it had ended: another one
        after *= 0.9
    left = [path.name for path in [*place.parent.glob(f".{name}.*"), *place.glob(".*")]]
    state, resumable = standing(place), (place / RESUME).exists()
    problems = []
    if case == "text" and orphans(folder):
        problems.append("a process of the run lives on")
    status = finish(start(["train", f"{case}.txt", "--name", name, "--resume", "--save-every", "0.05"], folder))
    if status != (0 if resumable else REFUSED):
        problems.append(f"resumed, it ended with status {status}")
    if state == "nothing":
        finish(start([*command, "--name", name], folder))
    problems += differences(folder / "checkpoints" / f"{case}-alone", place)
    problems += [f"{path.name} is left" for path in place.parent.glob(f".{name}.*")]
    how = f"killed after {after:.1f} s{' and as it wrote' if in_writing else ''}"
    told = "; ".join(problems) or "the same"
    print(f"  {name}: {how}; on the disk {state}{', ' + ', '.join(left) if left else ''}: {told}", flush=True)
    return not problems


def start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "autocomplete", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a command, and return its status; show what it says where it is not done."""
    _, errors = process.communicate()
    if process.returncode != 0:
        print("  " + errors.decode(errors="replace").strip(), file=sys.stderr)
    return process.returncode


def kill(process: subprocess.Popen[bytes], place: Path, after: float, *, in_writing: bool) -> bool:
    """Kill a training after some seconds of work, or after them as soon as it writes; return whether it lived so long."""
    while process.poll() is None and spent(process.pid) < after:
        time.sleep(0.01)
    while in_writing and process.poll() is None and not being_written(place):
        pass
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    assert process.stderr is not None
    process.stderr.close()
    return process.wait() != 0


def spent(process: int) -> float:
    """Return the seconds of the processor that a process and its children have had so far."""
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            fields = status.read_text().rpartition(")")[2].split()  # the state, the parent, ...
            if process in (int(status.parent.name), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def being_written(place: Path) -> bool:
    """Return whether a file or folder stands beside its place, to be renamed."""
    try:
        return any(name.startswith(".") for name in os.listdir(place))  # noqa: PTH208  # fast, to see what is short
    except FileNotFoundError:
        return place.parent.exists() and any(place.parent.glob(f".{place.name}.*"))


def standing(place: Path) -> str:
    """Return what stands in the folder of a killed training; raise an error for a broken checkpoint."""
    if not (place / MODEL).exists():
        return "what it goes on with" if (place / RESUME).exists() else "nothing"
    steps = read_checkpoint(place).figures["steps"]
    Predictor.load(str(place)).predict("the ")
    return f"the network of step {steps}"


def orphans(folder: Path) -> list[int]:
    """Return the processes that still work in a folder, if that can be told, a minute after a kill."""
    found: list[int] = []
    for _ in range(600):  # it may still be loading torch, and hears of the end when it has
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink() == folder.resolve() and (process / "cmdline").read_bytes():
                    found.append(int(process.name))
            except OSError:  # it has ended, or is not ours
                continue
        if not found:
            break
        time.sleep(0.1)
    return found


def differences(alone: Path, other: Path) -> list[str]:
    """Return what is not the same in two checkpoints."""
    found = []
    for name in (MODEL, CONTEXT):
        if (alone / name).exists():
            one, two = load_file(alone / name), load_file(other / name)
            found += [f"{name} {key}" for key in one.keys() | two.keys()
                      if key not in one or key not in two or one[key].tobytes() != two[key].tobytes()]  # fmt: skip
    if (alone / LEXICON).read_bytes() != (other / LEXICON).read_bytes():
        found.append(LEXICON)
    figures = [dict(read_checkpoint(place).figures) | {"seconds": 0} for place in (alone, other)]
    found += [f"figure {name}" for name in figures[0] if figures[0][name] != figures[1].get(name)]
    if sorted(path.name for path in alone.iterdir()) != sorted(path.name for path in other.iterdir()):
        found.append("the files")
    return [f"{each} is another" for each in found]


if __name__ == "__main__":
    main()
